"""Images whose skull somebody has stripped already: nothing lies around the brain."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from ...imaging.masks import bounding_box, largest_component
from ...imaging.pixels import view

__all__ = ["stripped_brain"]

# Background is what is darker than this share of the range; noise of an image that was not stripped is brighter.
_BACKGROUND_SHARE = 0.04
_MOST_PERCENTILE = 99.0
# Brains; a head has 3000 mL and more.
_LEAST_ML, _MOST_ML = 500.0, 2200.0
# Of the voxels on the faces of the image: where more of them are not background, something has been cut off.
_MOST_ON_FACES = 0.1


def stripped_brain(image: sitk.Image) -> np.ndarray | None:
    """Return the brain of an image in which nothing else is, as a boolean array; None for any other image."""
    from scipy.ndimage import binary_fill_holes

    values = view(image)
    lowest = float(values.min())
    above = values[values > lowest]
    if not above.size:
        return None
    there = values > lowest + _BACKGROUND_SHARE * (float(np.percentile(above, _MOST_PERCENTILE)) - lowest)
    volume = math.prod(image.GetSpacing()) / 1000
    if not _LEAST_ML < np.count_nonzero(there) * volume < _MOST_ML or _share_on_faces(there) > _MOST_ON_FACES:
        return None
    brain = largest_component(there)
    box = bounding_box(brain)
    brain[box] = binary_fill_holes(brain[box])
    return brain if _LEAST_ML < np.count_nonzero(brain) * volume < _MOST_ML else None


def _share_on_faces(there: np.ndarray) -> float:
    faces = [np.take(there, end, axis=axis).ravel() for axis in range(3) for end in (0, -1)]
    return float(np.concatenate(faces).mean())
