"""Interpolation: bring the surroundings of a segment to another spacing.

The new grid is aligned with the old one by their centers, as the standard asks. It is that of the whole image, but only
the part around the segment is computed.
"""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from ..errors import InvalidSettingError
from .settings import FeatureSettings

__all__ = ["Patch", "new_spacing", "resampled_patch"]

_INTERPOLATORS = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "cubic-spline": sitk.sitkBSpline3}
# Voxels beside the samples that have a say; the spline's coefficients decay by a factor of 0.27 with each.
_SUPPORT = {"nearest": 1, "linear": 2, "cubic-spline": 24}


class Patch:
    """Image and mask of one segment on the new grid, indexed (slice, row, column) or (row, column)."""

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        self.image = image
        self.mask = mask


def new_spacing(image: sitk.Image, settings: FeatureSettings) -> tuple[float, ...] | None:
    """Return the spacing (x, y, z) that the settings ask for, or None if they ask for no change."""
    wanted = settings.spacing
    if not wanted:
        return None
    if len(wanted) > image.GetDimension():
        raise InvalidSettingError(
            f"features: 'spacing' has {len(wanted)} values, but the image has {image.GetDimension()} dimensions."
        )
    wanted += (0.0,) * (image.GetDimension() - len(wanted))
    spacing = tuple(new or old for new, old in zip(wanted, image.GetSpacing(), strict=True))
    return None if np.allclose(spacing, image.GetSpacing(), rtol=1e-9) else spacing


def resampled_patch(
    image: sitk.Image,
    layer: sitk.Image,
    label: int,
    box: tuple[slice, ...],
    spacing: tuple[float, ...],
    margin: float,
    settings: FeatureSettings,
) -> Patch:
    """Return image and mask around one label on the new grid.

    Parameters
    ----------
    image, layer : sitk.Image
        On the same grid.
    label : int
    box : tuple of slice
        Where the label is, along x, y (and z).
    spacing : tuple of float
        Of the new grid.
    margin : float
        How far beyond the segment the image is needed, in units of length.
    settings : FeatureSettings
    """
    axes = [
        _Axis(n, old, new, part, margin)
        for n, old, new, part in zip(image.GetSize(), image.GetSpacing(), spacing, box, strict=True)
    ]
    grid = sitk.Image([axis.count for axis in axes], sitk.sitkUInt8)
    grid.SetSpacing(spacing)
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint([axis.first for axis in axes]))
    pixels = _resampled(image, axes, grid, settings.image_interpolation)
    if settings.round_intensities:
        pixels = np.rint(pixels)
    share = _resampled(layer, axes, grid, settings.mask_interpolation, label)
    # Halves that rounding has moved down by a hair are halves.
    return Patch(pixels, share >= 0.5 - 1e-9)


class _Axis:
    """The part of one axis of the new grid that is needed, and the part of the old one that it is made from."""

    def __init__(self, size: int, old: float, new: float, part: slice, margin: float) -> None:
        step = new / old
        total = math.ceil(round(size / step, 6))
        origin = (size - 1 - (total - 1) * step) / 2
        reach = 1 + margin / old
        start = max(math.floor((part.start - reach - origin) / step), 0)
        stop = min(math.ceil((part.stop - 1 + reach - origin) / step) + 1, total)
        self.count = stop - start
        self.first = origin + start * step
        self._last = origin + (stop - 1) * step
        self._size = size

    def source(self, support: int) -> slice:
        """Return the old voxels that the new ones depend on."""
        low = max(math.floor(self.first) - support, 0)
        return slice(low, min(math.ceil(self._last) + support + 1, self._size))


def _resampled(
    image: sitk.Image, axes: list[_Axis], grid: sitk.Image, interpolation: str, label: int | None = None
) -> np.ndarray:
    window = tuple(axis.source(_SUPPORT[interpolation]) for axis in axes)
    part = image[window]
    part = sitk.Cast(part if label is None else part == label, sitk.sitkFloat64)
    identity = sitk.Transform(image.GetDimension(), sitk.sitkIdentity)
    # Samples less than half a voxel outside of the old grid take the value at its border.
    found = sitk.Resample(part, grid, identity, _INTERPOLATORS[interpolation], 0.0, sitk.sitkFloat64, True)
    return sitk.GetArrayFromImage(found)
