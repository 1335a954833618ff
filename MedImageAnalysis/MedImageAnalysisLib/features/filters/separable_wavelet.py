"""Separable undecimated wavelets (IBSI-2 code 25BO)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...errors import InvalidSettingError
from ...parameters import parameter
from ...progress import Progress
from .convolution import convolve, pooled
from .filter import FILTERS, POOLINGS, Grid, ImageFilter
from .wavelet_bank import LOW_PASS, high_pass

__all__ = ["SeparableWavelet"]


@FILTERS.register
@dataclass(frozen=True)
class SeparableWavelet(ImageFilter):
    """One sub-band of the stationary wavelet transform ("a trous"), e.g. ``"LLH"`` along x, y and z.

    Each level before the last takes the low-pass image of all axes; at level j, 2^(j-1) - 1 zeros stand between the
    samples of the filters.
    """

    name: ClassVar[str] = "wavelet"
    title: ClassVar[str] = "Separable wavelet"
    shown: ClassVar[tuple[str, ...]] = ("wavelet", "subband", "level")

    wavelet: str = parameter("coif1", "Family and order of the wavelet.", choices=tuple(LOW_PASS))
    subband: str = parameter("LLH", "L (low-pass) or H (high-pass) per axis, in the order x, y(, z).")
    level: int = parameter(1, "Level of the decomposition; each doubles the scale.", minimum=1, maximum=6)
    rotation_invariant: bool = parameter(True, "Pool the responses to all right-angle rotations.")
    pooling: str = parameter("average", "How the responses of rotations are pooled.", choices=POOLINGS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch("[LH]{2,3}", self.subband):
            raise InvalidSettingError(
                f"wavelet: 'subband' is {self.subband!r:.80}. Write L or H for each axis, e.g. 'LH' or 'LLH'."
            )

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the (pooled) sub-band."""
        progress.step("Separable wavelet")
        if len(self.subband) != grid.dimension:
            raise InvalidSettingError(
                f"wavelet: 'subband' is {self.subband!r}, which is for {len(self.subband)}D, but the image is "
                f"filtered in {grid.dimension}D. Write one letter per axis, or change 'by_slice'."
            )
        cascade = [self._kernels(level) for level in range(1, self.level + 1)]
        if self.rotation_invariant:
            return pooled(array, cascade, grid, self.boundary, self.pooling, progress)
        for kernels in cascade:
            array = convolve(array, kernels, grid, self.boundary)
        return array

    def _kernels(self, level: int) -> list[np.ndarray]:
        """Return the filter of one level along each axis."""
        low = LOW_PASS[self.wavelet]
        last = level == self.level
        step = 2 ** (level - 1)
        return [_dilated(high_pass(low) if last and band == "H" else low, step) for band in self.subband]


def _dilated(kernel: tuple[float, ...], step: int) -> np.ndarray:
    """Put `step` - 1 zeros after each sample, and one at the end.

    The center of a kernel of even length M is at index M / 2. The last zero makes the length odd with the same
    center, so that the mirror image of the kernel is centered too.
    """
    dilated = np.zeros(len(kernel) * step + 1)
    dilated[:-1:step] = kernel
    return dilated
