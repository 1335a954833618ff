"""Small neural networks in ONNX files: checked before anything runs, then run on one processor thread.

Files may come from strangers. :mod:`.check` lets through only plain convolutional graphs of bounded size and cost;
:mod:`.network` runs what it let through, rebuilt from what was checked and nothing else.
"""

from __future__ import annotations

from .network import Network, load_network, networks_available

__all__ = ["Network", "load_network", "networks_available"]
