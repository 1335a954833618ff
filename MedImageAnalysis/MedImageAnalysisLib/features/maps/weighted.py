"""Weighted sums of maps: F(x) = sum_i w_i I_i(x)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ...errors import GeometryError, InvalidSettingError
from ...imaging.geometry import describe_grid, same_grid

__all__ = ["weighted_map"]


def weighted_map(images: Sequence[sitk.Image], weights: Sequence[float], offset: float = 0.0) -> sitk.Image:
    """Return F(x) = offset + sum_i weights_i images_i(x) on the grid of the images, as float32.

    A voxel without a value (NaN) in one of the images has none in the result, unless the weight of that image is 0.

    Raises
    ------
    InvalidSettingError
        If there are no images, or not one finite weight for each.
    GeometryError
        If the images do not share one grid.
    """
    if not images or len(images) != len(weights) or not np.isfinite([*weights, offset]).all():
        raise InvalidSettingError(
            f"A weighted map needs one finite weight for each image; got {len(images)} images and weights {weights!r}."
        )
    total = np.full(images[0].GetSize()[::-1], offset)
    for image, weight in zip(images, weights, strict=True):
        if not same_grid(image, images[0]):
            raise GeometryError(
                "The maps of a weighted sum must lie on one grid. "
                f"First: {describe_grid(images[0])}. Other: {describe_grid(image)}."
            )
        if weight != 0:
            total += weight * sitk.GetArrayViewFromImage(image)
    result = sitk.GetImageFromArray(total.astype(np.float32))
    result.CopyInformation(images[0])
    return result
