"""Grow a region from seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import GeometryError, InvalidSettingError
from ...imaging.filters import signed_distance
from ...imaging.pixels import as_float, mask_image, view
from ...parameters import parameter
from ...progress import Progress, run_filter
from ..method import METHODS
from .scalar_method import ScalarMethod, labeled, starting_region

__all__ = ["RegionGrowing"]


@METHODS.register
@dataclass(frozen=True)
class RegionGrowing(ScalarMethod):
    """Grow from seeds over connected pixels whose value is like the region's, ``|I - mean| <= multiplier * std``.

    Mean and standard deviation are those of the region, updated `iterations` times. Without seeds, growing starts at
    the pixel deepest inside the previous segmentation, or, without one, inside the bright side of an Otsu threshold.

    References
    ----------
    Adams, Bischof 1994, doi:10.1109/34.295913; ITK ConfidenceConnected.
    """

    name = "region-growing"
    title = "Region growing"
    seeds: tuple[float, ...] = parameter(
        (), "Seeds: x, y (, z) of each in patient coordinates (LPS), one after the other.", unit="mm"
    )
    multiplier: float = parameter(2.5, "How many standard deviations a value may differ.", minimum=0.1, maximum=20)
    iterations: int = parameter(3, "How often mean and standard deviation are updated.", minimum=0, maximum=50)
    radius: int = parameter(
        1, "The first mean is taken over this many pixels around each seed.", unit="px", minimum=1, maximum=20
    )

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        seeds = self._given_seeds(image) if self.seeds else [_deepest(image, previous, progress.part(0.0, 0.3))]
        progress.step(fraction=0.3)
        grow = sitk.ConfidenceConnectedImageFilter()
        grow.SetSeedList(seeds)
        grow.SetMultiplier(self.multiplier)
        grow.SetNumberOfIterations(self.iterations)
        grow.SetInitialNeighborhoodRadius(self.radius)
        grow.SetReplaceValue(1)
        found = run_filter(grow, as_float(image), progress=progress.part(0.3, 1.0))
        return labeled(view(found), ["Region"], image)

    def _given_seeds(self, image: sitk.Image) -> list[tuple[int, ...]]:
        dimension = image.GetDimension()
        if len(self.seeds) % dimension:
            raise InvalidSettingError(
                f"{self.name}: 'seeds' needs {dimension} numbers for each seed of a {dimension}D image."
            )
        points = [self.seeds[start : start + dimension] for start in range(0, len(self.seeds), dimension)]
        indices = [image.TransformPhysicalPointToIndex(point) for point in points]
        for point, index in zip(points, indices, strict=True):
            if not all(0 <= i < n for i, n in zip(index, image.GetSize(), strict=True)):
                raise GeometryError(f"{self.name}: the seed at {point} mm lies outside the image.")
        return indices


def _deepest(image: sitk.Image, previous: Segmentation | None, progress: Progress) -> tuple[int, ...]:
    """Return the index (x, y, z) of the voxel farthest inside the object, the first in raster order."""
    objects = starting_region(image, previous)
    if objects.all() or not objects.any():
        return tuple(n // 2 for n in image.GetSize())
    depth = signed_distance(mask_image(objects, image), progress, inside_is_positive=True, squared=True)
    deepest = np.unravel_index(int(np.argmax(view(depth))), objects.shape)
    return tuple(int(i) for i in reversed(deepest))
