"""Laplacian of Gaussian filter (IBSI-2 code L6PA), on request Riesz-transformed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...parameters import parameter
from ...progress import Progress
from .convolution import convolve, crop, pad
from .filter import FILTERS, Grid, ImageFilter
from .spectral import apply_transfer, check_order, riesz

__all__ = ["LaplacianOfGaussian"]


@FILTERS.register
@dataclass(frozen=True)
class LaplacianOfGaussian(ImageFilter):
    """Blob and edge detector of one scale, rotation invariant.

    With s = sigma / spacing the kernel is
    g[k] = -1/s^2 (1 / (sqrt(2 pi) s))^D (D - |k|^2/s^2) exp(-|k|^2 / (2 s^2)), cut off at `truncation` sigmas. Where
    the spacing differs between axes, each has its own s in the Gaussian, and the factor 1/s^2 that makes the unit of
    the response is that of the mean spacing, so that the kernel stays isotropic in space.
    """

    name: ClassVar[str] = "log"
    title: ClassVar[str] = "Laplacian of Gaussian"
    shown: ClassVar[tuple[str, ...]] = ("sigma_mm",)

    sigma_mm: float = parameter(
        2.0, "Scale: standard deviation of the Gaussian.", unit="mm", minimum=0.05, maximum=50.0
    )
    truncation: float = parameter(4.0, "Radius of the kernel in standard deviations.", minimum=1.0, maximum=10.0)
    riesz_order: tuple[int, ...] = parameter(
        (), "Order of the Riesz transform along x, y(, z); empty for none.", minimum=0, maximum=4
    )

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the (Riesz-transformed) Laplacian of the smoothed image."""
        if not self.riesz_order:
            return self._laplacian(array, grid, progress)
        check_order(self.name, self.riesz_order, grid.dimension)
        # The Riesz transform widens the kernel: a margin of twice its radius keeps the borders apart.
        widths = [2 * math.ceil(self.truncation * self.sigma_mm / spacing) for spacing in grid.spacing]
        laplacian = self._laplacian(pad(array, widths, grid, self.boundary), grid, progress)
        transformed = apply_transfer(laplacian, lambda nu: riesz(nu, self.riesz_order), grid)
        return crop(transformed, widths, array.shape, grid)

    def _laplacian(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the sum over the axes of the second derivative along one axis of the smoothed image."""
        mean_sigma = self.sigma_mm / math.prod(grid.spacing) ** (1 / grid.dimension)
        sampled = [self._kernels(self.sigma_mm / spacing, mean_sigma) for spacing in grid.spacing]
        total = np.zeros_like(array)
        for i in range(grid.dimension):
            progress.step("Laplacian of Gaussian", i / grid.dimension)
            kernels = [second if i == j else gaussian for j, (gaussian, second) in enumerate(sampled)]
            total += convolve(array, kernels, grid, self.boundary)
        return total

    def _kernels(self, sigma: float, mean_sigma: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the Gaussian of `sigma` samples and its second derivative."""
        radius = math.floor(self.truncation * sigma + 0.5)
        k = np.arange(-radius, radius + 1)
        gaussian = np.exp(-0.5 * (k / sigma) ** 2) / (math.sqrt(2 * math.pi) * sigma)
        return gaussian, (k**2 / sigma**2 - 1) / mean_sigma**2 * gaussian
