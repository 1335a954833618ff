"""Superpixels: small regions of similar intensity that keep to the edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import UnsupportedImageError
from ...imaging.histogram import percentiles
from ...imaging.pixels import image_like, is_constant, view
from ...parameters import parameter
from ...progress import Progress, run_filter
from ..method import METHODS
from .scalar_method import ScalarMethod, in_raster_order, labeled

__all__ = ["Quickshift", "Slic"]

# Added to the densities, which may be equal on flat ground, where no link would be found.
_TIE_BREAKER = 1e-5


@METHODS.register
@dataclass(frozen=True)
class Slic(ScalarMethod):
    """Cluster pixels by intensity and place, starting from a regular grid (SLIC).

    Distance: ``sqrt(dI^2 + (compactness dx / S)^2)``, intensities stretched to 0-100 between the 1st and 99th
    percentile, S the distance of the grid's points. Superpixels are numbered in raster order of their first pixel.

    References
    ----------
    Achanta et al. 2012, doi:10.1109/TPAMI.2012.120.
    """

    name = "slic"
    title = "SLIC superpixels"
    count: int = parameter(400, "About how many superpixels.", minimum=2, maximum=20000)
    compactness: float = parameter(
        10.0, "Higher makes superpixels more regular, lower lets them follow edges.", minimum=0.01, maximum=1000
    )
    iterations: int = parameter(10, "How often centers are moved.", minimum=1, maximum=100)

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        slic = sitk.SLICImageFilter()
        slic.SetSuperGridSize(self._grid(image))
        slic.SetSpatialProximityWeight(self.compactness)
        slic.SetMaximumNumberOfIterations(self.iterations)
        slic.SetEnforceConnectivity(True)
        found = run_filter(slic, image_like(_stretched(image), image), progress=progress)
        labels = in_raster_order(view(found) + 1)
        return labeled(labels, [f"Superpixel {i}" for i in range(1, int(labels.max()) + 1)], image)

    def _grid(self, image: sitk.Image) -> list[int]:
        """Return the distance of the first centers in voxels along x, y (, z): about the same in millimeters."""
        volume = math.prod(n * s for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True))
        side = (volume / self.count) ** (1 / image.GetDimension())
        return [min(n, max(1, round(side / s))) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]


@METHODS.register
@dataclass(frozen=True)
class Quickshift(ScalarMethod):
    """Link each pixel to the nearest one of higher density in intensity and place (quickshift), at reduced size.

    The time grows with the pixels times the squared reach, so the image is worked on at `work_size`. Intensities are
    stretched to 0-100 between the 1st and 99th percentile. Regions are numbered in raster order of their first pixel.

    References
    ----------
    Vedaldi, Soatto 2008, doi:10.1007/978-3-540-88693-8_52.
    """

    name = "quickshift"
    title = "Quickshift superpixels"
    work_size: int = parameter(256, "Longest side of the image that is worked on.", unit="px", minimum=16, maximum=2048)
    kernel_size: float = parameter(
        2.0, "Width of the density estimate, in pixels of the reduced image.", minimum=0.5, maximum=20
    )
    maximum_distance: float = parameter(8.0, "Longest link; larger makes larger regions.", minimum=1, maximum=200)
    ratio: float = parameter(1.0, "Weight of intensity against place.", minimum=0, maximum=1)

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        if image.GetDimension() != 2:
            raise UnsupportedImageError(f"{self.title} works on 2D images. Use 'slic' for volumes.")
        small = self._reduced(image)
        values = _stretched(small).astype(np.float64) * self.ratio
        found = _quickshift(values, self.kernel_size, self.maximum_distance, progress.part(0.0, 0.9))
        regions = image_like((found + 1).astype(np.uint32), small)
        # Pixels beyond the centers of the reduced image's edge get the nearest region.
        full = sitk.ResampleImageFilter()
        full.SetReferenceImage(image)
        full.SetInterpolator(sitk.sitkNearestNeighbor)
        full.SetUseNearestNeighborExtrapolator(True)
        resampled = run_filter(full, regions, progress=progress.part(0.9, 1.0))
        labels = in_raster_order(view(resampled))
        return labeled(labels, [f"Superpixel {i}" for i in range(1, int(labels.max()) + 1)], image)

    def _reduced(self, image: sitk.Image) -> sitk.Image:
        """Return block means of the image, at most `work_size` long."""
        factor = math.ceil(max(image.GetSize()) / self.work_size)
        reduced = sitk.BinShrink(image, [min(factor, n) for n in image.GetSize()])
        return reduced


def _quickshift(values: np.ndarray, kernel_size: float, maximum_distance: float, progress: Progress) -> np.ndarray:
    """Return the region of each pixel, numbered from 0.

    One shift of the window at a time instead of one pixel at a time, so that it can be stopped between two shifts.
    Regions are those of `skimage.segmentation.quickshift` with `rng=0`.

    Parameters
    ----------
    values : numpy.ndarray of float64, shape (rows, columns)
    kernel_size, maximum_distance : float
        In pixels.
    progress : Progress
    """
    reach = math.ceil(3 * kernel_size)
    shifts = list(itertools.product(range(-reach, reach + 1), repeat=2))
    density = np.zeros(values.shape)
    for here, _, distance in _neighbors(values, shifts, progress.part(0.0, 0.5)):
        density[here] += np.exp(distance * (-0.5 / kernel_size**2))
    density += np.random.default_rng(0).normal(scale=_TIE_BREAKER, size=values.shape)
    parent = np.arange(values.size).reshape(values.shape)
    numbers = parent.copy()
    closest = np.full(values.shape, np.nextafter(maximum_distance**2, np.inf))
    for here, there, distance in _neighbors(values, shifts, progress.part(0.5, 1.0)):
        nearer = (density[there] > density[here]) & (distance < closest[here])
        closest[here][nearer] = distance[nearer]
        parent[here][nearer] = numbers[there][nearer]
    root = parent.reshape(-1)
    while not np.array_equal(root, root[root]):
        root = root[root]
    return np.unique(root, return_inverse=True)[1].reshape(values.shape)


def _neighbors(
    values: np.ndarray, shifts: list[tuple[int, int]], progress: Progress
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], np.ndarray]]:
    """Yield for each shift the pixels that have a neighbor there, the neighbors, and their squared distance."""
    for number, shift in enumerate(shifts):
        progress.step(fraction=number / len(shifts))
        if all(abs(step) < length for step, length in zip(shift, values.shape, strict=True)):
            here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(shift, values.shape, strict=True))
            there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(shift, values.shape, strict=True))
            yield here, there, (values[here] - values[there]) ** 2 + sum(step**2 for step in shift)


def _stretched(image: sitk.Image) -> np.ndarray:
    """Return the intensities as float32, 0 to 100 between the 1st and 99th percentile."""
    values = view(image)
    if is_constant(image):
        return np.zeros(values.shape, np.float32)
    low, high = percentiles(values, (1.0, 99.0))
    if low == high:
        low, high = float(values.min()), float(values.max())
    stretched = values.astype(np.float32)
    stretched -= np.float32(low)
    stretched *= np.float32(100 / (high - low))
    return np.clip(stretched, 0, 100, out=stretched)
