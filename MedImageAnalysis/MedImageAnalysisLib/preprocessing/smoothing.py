"""Denoise by local averages and medians."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.filters import gaussian_smooth, noise_level
from ..imaging.pixels import as_float, axis_lengths, blocks, image_like, radius_in_voxels, view
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["BilateralDenoise", "GaussianDenoise", "MedianDenoise"]

# Edge of the blocks that are worked on one after the other: they stay in the processor's cache. By dimension.
_BLOCK = {2: 256, 3: 48}


@STEPS.register
@dataclass(frozen=True)
class MedianDenoise(ScalarStep):
    """Replace each value by the median of its neighborhood: removes outliers, keeps edges and the pixel type.

    References
    ----------
    Huang, Yang, Tang 1979, doi:10.1109/TASSP.1979.1163188.
    """

    name = "median"
    title = "Median filter"
    radius: float | None = parameter(
        None,
        "Half width of the neighborhood; empty means one pixel in each direction.",
        unit="mm",
        minimum=0,
        maximum=50,
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        median = sitk.MedianImageFilter()
        median.SetRadius(radius_in_voxels(self.radius, image.GetSpacing()))
        return run_filter(median, image, progress=progress)


@STEPS.register
@dataclass(frozen=True)
class GaussianDenoise(ScalarStep):
    """Average with Gaussian weights, ``G(x) ~ exp(-|x|^2 / (2 sigma^2))`` with sigma in millimeters.

    References
    ----------
    Deriche 1993, INRIA RR-1893 (recursive implementation, time independent of sigma).
    """

    name = "gaussian"
    title = "Gaussian filter"
    sigma: float | None = parameter(
        None, "Standard deviation; empty means the smallest pixel spacing.", unit="mm", minimum=0.001, maximum=1000
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        sigma = self.sigma or min(image.GetSpacing())
        return gaussian_smooth(image, (sigma,) * image.GetDimension(), progress)


@STEPS.register
@dataclass(frozen=True)
class BilateralDenoise(ScalarStep):
    """Average with weights that fall with distance and with difference of value, so that edges stay.

    ``w(x, y) = exp(-|x-y|^2 / (2 s_d^2)) exp(-(I(x)-I(y))^2 / (2 s_r^2))`` for ``|x-y| <= 2 s_d``.

    References
    ----------
    Tomasi, Manduchi 1998, doi:10.1109/ICCV.1998.710815.
    """

    name = "bilateral"
    title = "Bilateral filter"
    sigma: float | None = parameter(
        None, "Reach in space; empty means the smallest pixel spacing.", unit="mm", minimum=0.001, maximum=100
    )
    noise_factor: float = parameter(
        3.0, "Reach in value, as a multiple of the noise measured in the image.", minimum=0.1, maximum=100
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        noise = noise_level(image)
        if noise == 0:
            return as_float(sitk.Image(image))
        spacing = axis_lengths(image)
        sigma = self.sigma or min(spacing)
        neighbors = list(_half_ball(sigma, spacing))
        reach = max((max(map(abs, offset)) for offset, _ in neighbors), default=0)
        values = view(as_float(image))
        filtered = np.empty(values.shape, np.float32)
        pieces = list(blocks(values.shape, _BLOCK[values.ndim], reach))
        for done, (source, inner, target) in enumerate(pieces):
            progress.step(fraction=done / len(pieces))
            filtered[target] = _bilateral(values[source], neighbors, self.noise_factor * noise)[inner]
        return image_like(filtered, image)


def _half_ball(sigma: float, spacing: tuple[float, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield one of each pair of opposite offsets within two sigma (mm), in voxels, with its weight of distance."""
    radius = [int(2 * sigma / length + 1e-6) for length in spacing]
    for offset in itertools.product(*(range(-r, r + 1) for r in radius)):
        squared = sum((o * length) ** 2 for o, length in zip(offset, spacing, strict=True))
        if offset > (0,) * len(offset) and squared <= (2 * sigma) ** 2 * (1 + 1e-9):
            yield offset, math.exp(-squared / (2 * sigma**2))


def _bilateral(values: np.ndarray, neighbors: list[tuple[tuple[int, ...], float]], reach: float) -> np.ndarray:
    """Return the bilateral mean of a block; each pair of voxels is weighted once and serves both."""
    total = values.copy()
    weights = np.ones_like(values)
    factor = np.float32(-0.5 / reach**2)
    for offset, nearness in neighbors:
        here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in zip(offset, values.shape, strict=True))
        there = tuple(slice(max(0, o), n - max(0, -o)) for o, n in zip(offset, values.shape, strict=True))
        if any(part.start >= part.stop for part in here):
            continue
        weight = values[there] - values[here]
        np.square(weight, out=weight)
        weight *= factor
        np.exp(weight, out=weight)
        weight *= np.float32(nearness)
        weights[here] += weight
        weights[there] += weight
        total[here] += weight * values[there]
        total[there] += weight * values[here]
    return np.divide(total, weights, out=total)
