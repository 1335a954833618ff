"""What a radiograph shows before anything is looked for: its reduced picture and the part that X-rays reached."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ...errors import UnsuitablePresetError, UnsupportedImageError

__all__ = ["check_picture", "exposed", "reduced"]

# Enough for the outlines, whose frame has a quarter of this resolution; more would only cost time.
_LONG_SIDE = 512
# Rows of the reduced picture that are made at once.
_STRIP = 32
# A border row belongs to a collimator blade or to padding if almost all of it is of one gray value.
_FLAT_SHARE = 0.97
_FLAT_TOLERANCE = 0.01
_MOST_CUT = 0.25


def reduced(image: sitk.Image, long_side: int = _LONG_SIDE) -> tuple[np.ndarray, int]:
    """Return the image as float32 by means over blocks, long side at most `long_side`, and the width of the blocks."""
    factor = max(1, -(-max(image.GetSize()) // long_side))
    bins = [factor] * image.GetDimension()
    length = image.GetSize()[-1] // factor * factor
    strip = _STRIP * factor
    # In strips: a float copy of the whole image would take more memory than all that follows.
    parts = [
        sitk.GetArrayFromImage(sitk.BinShrink(sitk.Cast(image[..., first : first + strip], sitk.sitkFloat32), bins))
        for first in range(0, length, strip)
    ]
    return np.concatenate(parts), factor


def exposed(pixels: np.ndarray) -> np.ndarray:
    """Return True inside the flat borders (padding, collimator blades, letterbox) that a picture may have."""
    low, high = np.percentile(pixels, [1, 99])
    tolerance = _FLAT_TOLERANCE * (high - low)
    valid = np.ones(pixels.shape, dtype=bool)
    for axis in (0, 1):
        lines = np.moveaxis(pixels, axis, 0)
        flat = np.abs(lines - np.median(lines, axis=1, keepdims=True)) <= tolerance
        is_border = flat.mean(axis=1) >= _FLAT_SHARE
        limit = int(_MOST_CUT * len(lines))
        first = _run(is_border[:limit])
        last = _run(is_border[::-1][:limit])
        view = np.moveaxis(valid, axis, 0)
        view[:first] = False
        view[len(lines) - last :] = False
    return ndimage.binary_erosion(valid, border_value=1)


def _run(values: np.ndarray) -> int:
    """Return how many leading values are True."""
    return len(values) if values.all() else int(np.argmin(values))


def check_picture(image: sitk.Image, kind: str, purpose: str, least_size: int) -> None:
    """Refuse what is not a 2D picture of at least `least_size` pixels each way with something on it.

    Raises
    ------
    UnsupportedImageError
        If the image is not 2D, or too small.
    UnsuitablePresetError
        If the image is blank.
    """
    if image.GetDimension() != 2:
        raise UnsupportedImageError(f"{kind} is a 2D image, but this one is {image.GetDimension()}D.")
    if min(image.GetSize()) < least_size:
        size = " x ".join(map(str, image.GetSize()))
        raise UnsupportedImageError(f"The image has {size} pixels; {purpose} it needs at least {least_size} each way.")
    low_high = sitk.MinimumMaximumImageFilter()
    low_high.Execute(image)
    if low_high.GetMinimum() == low_high.GetMaximum():
        raise UnsuitablePresetError(f"The image is blank: all pixels are {low_high.GetMinimum():g}.")
