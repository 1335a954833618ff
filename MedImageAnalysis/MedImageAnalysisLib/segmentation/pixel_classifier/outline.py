"""From probabilities to outlines: one smooth region without holes per structure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ...imaging.masks import largest_component
from .frame import Frame

__all__ = ["INSIDE", "bounds", "certainty", "labels_on", "levels", "main_part"]

INSIDE = 0.5
# Levels that lesser components and holes get so that none of them reaches the outline, not even between pixels.
_BELOW, _JUST_INSIDE, _ABOVE = 0.4, 0.501, 0.75
# The frame's levels are refined by cubic splines before the linear step to full resolution: no facets at any size.
_REFINEMENT = 3


def main_part(level: np.ndarray) -> np.ndarray:
    """Return the largest connected region above one half, without holes."""
    return ndimage.binary_fill_holes(largest_component(level > INSIDE))


def bounds(masks: tuple[np.ndarray, ...]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the union of masks, which must not be empty."""
    rows, columns = np.nonzero(np.logical_or.reduce(masks))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def certainty(level: np.ndarray) -> float:
    """Return the mean level above one half, or 0 if there is none: in a picture of something else it wavers."""
    inside = level[level > INSIDE]
    return float(inside.mean()) if inside.size else 0.0


def levels(probability: np.ndarray, smoothing: float) -> np.ndarray:
    """Return a smooth image whose 0.5 level set is the outline of the main part, opened and without holes."""
    smooth = ndimage.gaussian_filter(probability, smoothing) if smoothing else probability
    part = main_part(smooth)
    kept = np.where(ndimage.binary_dilation(part, iterations=2), smooth, np.minimum(smooth, _BELOW))
    filled = np.where(part, np.maximum(kept, _JUST_INSIDE), kept)
    return np.where(ndimage.binary_erosion(part), np.maximum(filled, _ABOVE), filled).astype(np.float32)


def labels_on(image: sitk.Image, found: tuple[np.ndarray, ...], frame: Frame, factor: int) -> sitk.Image:
    """Return the labelmap 1, 2, ... of levels given in a frame, on the grid of `image`.

    Parameters
    ----------
    image : sitk.Image
        2D; only its grid is used.
    found : tuple of numpy.ndarray, shape (size, size)
        One level image per label; where several exceed one half the highest wins.
    frame : Frame
        Where the levels lie, in pixels of the reduced picture.
    factor : int
        Pixels of `image` per pixel of the reduced picture.
    """
    label = np.zeros((image.GetHeight(), image.GetWidth()), dtype=np.uint8)
    fine = np.stack([ndimage.zoom(level, _REFINEMENT, order=3, grid_mode=True, mode="nearest") for level in found])
    for value, level in enumerate(_apart(fine), start=1):
        source = _placed(level, frame, factor)
        left, top, right, bottom = _box(level, source, image.GetSize())
        still = sitk.Transform(2, sitk.sitkIdentity)
        size, corner = (right - left, bottom - top), (float(left), float(top))
        full = sitk.Resample(source, size, still, sitk.sitkLinear, corner, (1.0, 1.0), (1, 0, 0, 1), 0.0)
        # Where outlines cross, the weaker structure may lose a sliver's connection to the rest.
        label[top:bottom, left:right][largest_component(sitk.GetArrayViewFromImage(full) > INSIDE)] = value
    result = sitk.GetImageFromArray(label)
    result.CopyInformation(image)
    return result


def _apart(found: np.ndarray) -> Iterator[np.ndarray]:
    """Yield levels that exceed one half only where they are the highest: their outlines meet and do not cross."""
    for index, level in enumerate(found):
        others = np.delete(found, index, axis=0)
        yield level if len(others) == 0 else np.minimum(level, INSIDE + level - others.max(axis=0))


def _placed(fine: np.ndarray, frame: Frame, factor: int) -> sitk.Image:
    """Return refined levels as an image in pixels of the full picture."""
    source = sitk.GetImageFromArray(fine)
    step_x, step_y = (step * factor for step in frame.steps(fine.shape[0]))
    source.SetSpacing((step_x, step_y))
    # The center of pixel 0 of the reduced picture lies at (factor - 1) / 2 of the full one.
    corner_x = (frame.x + 0.5) * factor - 0.5 - frame.half_width * factor
    corner_y = (frame.y + 0.5) * factor - 0.5 - frame.half_height * factor
    source.SetOrigin((corner_x + step_x / 2, corner_y + step_y / 2))
    return source


def _box(fine: np.ndarray, source: sitk.Image, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the pixels of the full picture that a structure may cover."""
    if not (fine > INSIDE).any():
        return 0, 0, 1, 1
    left, top, right, bottom = bounds((fine > INSIDE,))
    first = source.TransformIndexToPhysicalPoint((left - 1, top - 1))
    last = source.TransformIndexToPhysicalPoint((right + 1, bottom + 1))
    low = [int(np.clip(np.floor(value), 0, limit - 1)) for value, limit in zip(first, size, strict=True)]
    high = [int(np.clip(np.ceil(value), 0, limit - 1)) + 1 for value, limit in zip(last, size, strict=True)]
    return low[0], low[1], high[0], high[1]
