"""Maps of features over the voxels of a region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ...errors import GeometryError, InvalidSettingError, UnknownNameError, UnsupportedImageError
from ...imaging.geometry import describe_grid, same_grid
from ...imaging.masks import bounding_box
from ...progress import Progress
from ..definition import Undefined
from ..levels import GrayLevels, discretized
from ..settings import FeatureSettings
from .families import MAPPABLE, prepare
from .windows import WindowReader

__all__ = ["feature_map", "feature_maps", "mappable_features"]

_LARGEST_BOX = 50_000


def mappable_features() -> tuple[str, ...]:
    """Return the names of all features that can be mapped."""
    return tuple(MAPPABLE)


def feature_map(
    image: sitk.Image,
    feature: str,
    mask: sitk.Image | None = None,
    *,
    radius_voxels: int | None = None,
    radius_mm: float | None = None,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008  frozen, so safe to share
    progress: Progress = Progress(),  # noqa: B008
) -> sitk.Image:
    """Compute one feature in the neighborhood of each voxel; see :func:`feature_maps`."""
    maps = feature_maps(
        image,
        [feature],
        mask,
        radius_voxels=radius_voxels,
        radius_mm=radius_mm,
        settings=settings,
        progress=progress,
    )
    return maps[0]


def feature_maps(
    image: sitk.Image,
    features: Sequence[str],
    mask: sitk.Image | None = None,
    *,
    radius_voxels: int | None = None,
    radius_mm: float | None = None,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008
    progress: Progress = Progress(),  # noqa: B008
) -> tuple[sitk.Image, ...]:
    """Compute features in the neighborhood of each voxel of a region, counting once what they share.

    The neighborhood is a box around the voxel, cut off at the border of the region and of the image. Gray levels are
    made once from the whole region, so that neighboring values are comparable.

    Parameters
    ----------
    image : sitk.Image
        Scalar, 2D or 3D.
    features : sequence of str
        Names as in :func:`mappable_features`, e.g. ``"cm_contrast"``.
    mask : sitk.Image, optional
        The region, nonzero on the grid of the image; the whole image if not given.
    radius_voxels : int, optional
        Reach of the box; 1 is 3 x 3 x 3 voxels.
    radius_mm : float, optional
        Reach in millimeters, rounded to voxels along each axis. One of the two radii must be given.
    settings : FeatureSettings
        Discretization, distance, aggregation; with dimension "2D" or "2.5D" the box is one slice thick.
    progress : Progress

    Returns
    -------
    tuple of sitk.Image
        One float32 image per feature with the geometry of `image`; NaN outside of the region and where the feature is
        not defined, e.g. the correlation of equal levels.

    Raises
    ------
    UnknownNameError
        If there is no such feature, or it has no meaning in a neighborhood.
    InvalidSettingError, GeometryError, UnsupportedImageError
        If radius, mask or image do not suit.
    """
    unknown = [name for name in features if name not in MAPPABLE]
    if unknown:
        raise UnknownNameError(f"There is no map of the feature {unknown[0]!r:.80}. Known: {', '.join(MAPPABLE)}.")
    pixels, region = _arrays(image, mask)
    by_slice = image.GetDimension() == 2 or settings.dimension != "3D"
    radius = _radius(image, radius_voxels, radius_mm, by_slice)
    box = bounding_box(region)
    inside = region[box]
    reader = WindowReader(pixels[box], inside, _levels(pixels[box][inside], settings), radius, settings, by_slice)
    values = np.full((len(features), np.count_nonzero(inside)), np.nan, np.float32)
    start = 0
    for i, windows in enumerate(reader):
        progress.step("Feature maps", i / len(reader))
        stop = start + len(windows.levels)
        prepared = {family: prepare(family, windows) for family in {MAPPABLE[name].family for name in features}}
        for row, name in zip(values, features, strict=True):
            found = prepared[MAPPABLE[name].family](MAPPABLE[name])
            row[start:stop] = np.where(np.isfinite(found), found, np.nan)
        start = stop
    return tuple(_image(row, region, box, inside, image) for row in values)


def _arrays(image: sitk.Image, mask: sitk.Image | None) -> tuple[np.ndarray, np.ndarray]:
    """Return views of pixels and region, indexed (slice, row, column)."""
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() not in (2, 3):
        raise UnsupportedImageError(
            f"Feature maps need a 2D or 3D image with one number per pixel; this one is {image.GetDimension()}D with "
            f"{image.GetNumberOfComponentsPerPixel()}."
        )
    if mask is not None and not same_grid(image, mask):
        raise GeometryError(
            f"The mask is not on the grid of the image. Mask: {describe_grid(mask)}. Image: {describe_grid(image)}."
        )
    pixels = sitk.GetArrayViewFromImage(image)
    region = np.ones(pixels.shape, bool) if mask is None else sitk.GetArrayViewFromImage(mask) != 0
    if not region.any():
        raise InvalidSettingError("The mask of a feature map is empty.")
    bad = np.count_nonzero(~np.isfinite(pixels[region]))
    if bad:
        raise UnsupportedImageError(f"{bad} voxels of the region hold no number: leave them out of the mask.")
    if pixels.ndim == 2:
        return pixels[np.newaxis], region[np.newaxis]
    return pixels, region


def _radius(image: sitk.Image, voxels: int | None, millimeters: float | None, by_slice: bool) -> tuple[int, int, int]:
    """Return the reach of the box along (slice, row, column)."""
    if (voxels is None) == (millimeters is None):
        raise InvalidSettingError("A feature map needs either 'radius_voxels' or 'radius_mm'.")
    if not (voxels if millimeters is None else millimeters) > 0:
        raise InvalidSettingError("The radius of a feature map must be above 0.")
    if millimeters is None:
        reach = [int(voxels)] * image.GetDimension()
    else:
        reach = [int(np.floor(millimeters / spacing + 0.5)) for spacing in reversed(image.GetSpacing())]
    reach = [0] * (3 - len(reach)) + reach
    if by_slice:
        reach[0] = 0
    size = np.prod([2 * step + 1 for step in reach])
    if size > _LARGEST_BOX:
        raise InvalidSettingError(
            f"The neighborhood would have {size} voxels, but at most {_LARGEST_BOX} are supported: lower the radius."
        )
    return tuple(reach)


def _levels(intensities: np.ndarray, settings: FeatureSettings) -> GrayLevels:
    try:
        return discretized(intensities.astype(np.float64), settings)
    except Undefined as undefined:
        raise InvalidSettingError(str(undefined)) from undefined


def _image(
    values: np.ndarray, region: np.ndarray, box: tuple[slice, ...], inside: np.ndarray, image: sitk.Image
) -> sitk.Image:
    array = np.full(region.shape, np.nan, np.float32)
    array[box][inside] = values
    result = sitk.GetImageFromArray(array if image.GetDimension() == 3 else array[0])
    result.CopyInformation(image)
    return result
