"""Non-separable (isotropic) wavelets in the Fourier domain (IBSI-2 code LODD: Simoncelli, Shannon)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...parameters import parameter
from ...progress import Progress
from .convolution import crop, pad
from .filter import FILTERS, Grid, ImageFilter
from .spectral import apply_transfer, check_order, riesz

__all__ = ["NonSeparableWavelet"]


@FILTERS.register
@dataclass(frozen=True)
class NonSeparableWavelet(ImageFilter):
    """Isotropic band-pass of one octave, nu_max / 2^j either side; on request Riesz-transformed.

    Simoncelli: cos(pi/2 log2(2 nu / nu_j)) for nu_j / 4 < nu <= nu_j; Shannon: 1 for nu_j / 2 < nu <= nu_j, with
    nu the length of the frequency vector and nu_j = nu_Nyquist / 2^(j-1) at level j.
    """

    name: ClassVar[str] = "isotropic-wavelet"
    title: ClassVar[str] = "Non-separable wavelet"
    shown: ClassVar[tuple[str, ...]] = ("wavelet", "level")

    wavelet: str = parameter("simoncelli", "Shape of the band.", choices=("simoncelli", "shannon"))
    level: int = parameter(1, "Level of the decomposition; each doubles the scale.", minimum=1, maximum=6)
    riesz_order: tuple[int, ...] = parameter(
        (), "Order of the Riesz transform along x, y(, z); empty for none.", minimum=0, maximum=4
    )

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the band of one level."""
        progress.step("Non-separable wavelet")
        if self.riesz_order:
            check_order(self.name, self.riesz_order, grid.dimension)
        # The transform itself continues an image periodically; other boundaries need a margin of some wavelengths.
        width = 0 if self.boundary == "periodic" else 8 * 2**self.level
        widths = [width] * grid.dimension
        response = apply_transfer(pad(array, widths, grid, self.boundary), self._transfer, grid)
        return crop(response, widths, array.shape, grid)

    def _transfer(self, frequencies: list[np.ndarray]) -> np.ndarray:
        radius = np.sqrt(sum(nu**2 for nu in frequencies))
        # The radius in units of the upper edge of the band.
        radius *= 2.0 ** (self.level - 1)
        if self.wavelet == "shannon":
            transfer = ((radius > 0.5) & (radius <= 1)).astype(np.float32)
        else:
            inside = (radius > 0.25) & (radius <= 1)
            transfer = np.zeros_like(radius)
            transfer[inside] = np.cos(0.5 * np.pi * np.log2(2 * radius[inside]))
        return transfer * riesz(frequencies, self.riesz_order) if self.riesz_order else transfer
