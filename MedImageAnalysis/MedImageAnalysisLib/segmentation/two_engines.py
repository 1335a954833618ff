"""What methods share that have a small network beside their classical way."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, replace

from ..networks import networks_available
from ..parameters import parameter
from .method import SegmentationMethod

__all__ = ["TwoEngineMethod"]


@dataclass(frozen=True)
class TwoEngineMethod(SegmentationMethod, ABC):
    """A method that can work by a network, or without one."""

    engine: str = parameter(
        "auto",
        "The network is more accurate and needs the packages onnx and onnxruntime; the classical method needs neither. "
        "'auto' takes the network where these are installed.",
        choices=("auto", "classical", "network"),
    )

    def resolved(self) -> TwoEngineMethod:
        """Return the method with the engine that it uses on this machine."""
        if self.engine != "auto":
            return self
        return replace(self, engine="network" if networks_available() else "classical")

    @property
    def uses_network(self) -> bool:
        """Whether the network is what works on this machine."""
        return self.resolved().engine == "network"
