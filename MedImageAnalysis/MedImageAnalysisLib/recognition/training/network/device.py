"""Where networks are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["training_device"]


def training_device() -> torch.device:
    """Return the graphics card where PyTorch finds one, else the processor."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
