"""Mean filter (IBSI-2 code S60F)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...errors import InvalidSettingError
from ...parameters import parameter
from ...progress import Progress
from .convolution import convolve
from .filter import FILTERS, Grid, ImageFilter

__all__ = ["Mean"]


@FILTERS.register
@dataclass(frozen=True)
class Mean(ImageFilter):
    """Average over a cube (square) of `support` voxels: g[k] = 1 / M^D."""

    name: ClassVar[str] = "mean"
    title: ClassVar[str] = "Mean"
    shown: ClassVar[tuple[str, ...]] = ("support",)

    support: int = parameter(5, "Width of the neighborhood, an odd number.", unit="voxels", minimum=1, maximum=201)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.support % 2 == 0:
            raise InvalidSettingError(f"mean: 'support' is {self.support}, but it must be odd to have a center.")

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the local mean."""
        progress.step("Mean filter")
        kernel = np.full(self.support, 1 / self.support)
        return convolve(array, [kernel] * grid.dimension, grid, self.boundary)
