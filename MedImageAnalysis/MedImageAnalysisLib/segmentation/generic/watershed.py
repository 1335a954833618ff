"""Watershed: regions that meet where the gradient is largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import InvalidSettingError
from ...imaging.filters import gradient_magnitude, signed_distance
from ...imaging.pixels import axis_lengths, image_like, mask_image, radius_in_voxels, view
from ...parameters import parameter
from ...progress import Progress, run_filter
from ..method import METHODS
from .scalar_method import ScalarMethod, foreground, in_raster_order, labeled

__all__ = ["SplitObjects", "Watershed"]


@METHODS.register
@dataclass(frozen=True)
class Watershed(ScalarMethod):
    """Flood the gradient magnitude from its minima; regions meet on the ridges.

    One region grows from each place whose gradient is the smallest within `region_radius`. Regions are numbered in
    raster order of their first pixel.

    References
    ----------
    Beucher, Meyer 1993, ISBN 978-0824787240, ch. 12; Vincent, Soille 1991, doi:10.1109/34.87344.
    """

    name = "watershed"
    title = "Watershed of the gradient"
    scale: float | None = parameter(
        None,
        "Width of the Gaussian that takes the gradient; empty means two pixels.",
        unit="mm",
        minimum=0.001,
        maximum=100,
    )
    region_radius: float | None = parameter(
        None,
        "Regions start at least this far apart; empty means a twentieth of the image.",
        unit="mm",
        minimum=0.001,
        maximum=1000,
    )

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        scale = self.scale or 2 * min(image.GetSpacing())
        gradient = gradient_magnitude(image, scale, progress.part(0.0, 0.3))
        relief = _levels(view(gradient))
        markers = _minima(relief, self._radius(image), progress.part(0.3, 0.5))
        found = _flood(relief, markers, image, progress.part(0.5, 1.0))
        labels = in_raster_order(found)
        return labeled(labels, [f"Region {i}" for i in range(1, int(labels.max()) + 1)], image)

    def _radius(self, image: sitk.Image) -> tuple[int, ...]:
        """Return the half width, in voxels along each array axis, in which a start is the only one."""
        radius = self.region_radius
        if radius is None:
            radius = max(n * s for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)) / 20
        return radius_in_voxels(radius, axis_lengths(image))


@METHODS.register
@dataclass(frozen=True)
class SplitObjects(ScalarMethod):
    """Split touching objects of the previous segmentation at their necks: a watershed of the distance to the outline.

    References
    ----------
    Vincent, Soille 1991, doi:10.1109/34.87344.
    """

    name = "split-objects"
    title = "Split touching objects"
    separation: float = parameter(
        5.0, "Centers of objects are at least this far apart.", unit="mm", minimum=0.001, maximum=1000
    )

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        if previous is None:
            raise InvalidSettingError(f"{self.title} needs a segmentation: put e.g. 'otsu' before '{self.name}'.")
        objects = foreground(previous)
        if not objects.any():
            return labeled(np.zeros(objects.shape, np.uint8), [], image)
        depth = signed_distance(mask_image(objects, image), progress.part(0.0, 0.3))
        relief = _levels(np.minimum(view(depth), 0))
        markers = _minima(relief, radius_in_voxels(self.separation, axis_lengths(image)), progress.part(0.3, 0.5))
        markers[~objects] = 0
        found = _flood(relief, markers, image, progress.part(0.5, 1.0)) * objects
        labels = in_raster_order(found)
        return labeled(labels, [f"Object {i}" for i in range(1, int(labels.max()) + 1)], image)


def _levels(values: np.ndarray) -> np.ndarray:
    """Return values on 65,536 levels, as uint16."""
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        return np.zeros(values.shape, np.uint16)
    return (
        np.rint((values - np.float32(lowest)) * np.float32(65535 / (highest - lowest))).clip(0, 65535).astype(np.uint16)
    )


def _minima(relief: np.ndarray, radius: tuple[int, ...], progress: Progress) -> np.ndarray:
    """Return a label for each connected place that is the lowest of its neighborhood, as uint32."""
    from scipy.ndimage import label, minimum_filter1d

    lowest = relief
    for axis, half in enumerate(radius):
        lowest = minimum_filter1d(lowest, 2 * half + 1, axis=axis)
        progress.step(fraction=(axis + 1) / (len(radius) + 1))
    found, _ = label(relief == lowest, np.ones((3,) * relief.ndim))
    return found.astype(np.uint32)


def _flood(relief: np.ndarray, markers: np.ndarray, image: sitk.Image, progress: Progress) -> np.ndarray:
    flood = sitk.MorphologicalWatershedFromMarkersImageFilter()
    flood.SetMarkWatershedLine(False)
    flood.SetFullyConnected(True)
    found = run_filter(flood, image_like(relief, image), image_like(markers, image), progress=progress)
    return sitk.GetArrayFromImage(found)
