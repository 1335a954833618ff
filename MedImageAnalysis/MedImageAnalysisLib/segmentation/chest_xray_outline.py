"""From probabilities to outlines: one smooth region without holes per structure, and whether it can be true."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .chest_xray_frame import Frame

__all__ = ["bounds", "labels_on", "levels", "main_part", "plausible", "without_notches"]

_INSIDE = 0.5
# Levels that lesser components and holes get so that none of them reaches the outline, not even between pixels.
_BELOW, _JUST_INSIDE, _ABOVE = 0.4, 0.501, 0.75
# The frame's levels are refined by cubic splines before the linear step to full resolution: no facets at any size.
_REFINEMENT = 3

# Notches up to twice this share of the frame wide are filled.
_NOTCH = 0.05

# Least and most share of the frame (which the lungs' bounds fill by 1 / 1.3 squared), and how much larger one lung may
# be than the other: generous, for a lung squeezed by effusion or a raised diaphragm is common.
_LUNG_SHARE = (0.05, 0.40)
_MOST_ASYMMETRY = 5.0
_HEART_SHARE = (0.03, 0.40)
_LEAST_CERTAINTY = 0.75
_AROUND = 8
_LEAST_CONTRAST = 0.35


def main_part(level: np.ndarray) -> np.ndarray:
    """Return the largest connected region above one half, without holes."""
    return ndimage.binary_fill_holes(_largest(level > _INSIDE))


def bounds(masks: tuple[np.ndarray, ...]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the union of masks, which must not be empty."""
    rows, columns = np.nonzero(np.logical_or.reduce(masks))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def levels(probability: np.ndarray, smoothing: float) -> np.ndarray:
    """Return a smooth image whose 0.5 level set is the outline of the main part, opened and without holes."""
    smooth = ndimage.gaussian_filter(probability, smoothing) if smoothing else probability
    part = main_part(smooth)
    kept = np.where(ndimage.binary_dilation(part, iterations=2), smooth, np.minimum(smooth, _BELOW))
    filled = np.where(part, np.maximum(kept, _JUST_INSIDE), kept)
    return np.where(ndimage.binary_erosion(part), np.maximum(filled, _ABOVE), filled).astype(np.float32)


def without_notches(field: np.ndarray, whole: np.ndarray, heart: np.ndarray, reach: float = _NOTCH) -> np.ndarray:
    """Return the probability of a lung field with disease inside filled: a nodule at its edge is no outline.

    What a morphological closing of lung and heart adds is lung where the classifier sees the whole lung there (which
    bounds it outside) and no heart.

    Parameters
    ----------
    field, whole, heart : numpy.ndarray, shape (size, size)
        Probabilities of the lung field, of the lung with the part behind the heart, and of the heart.
    reach : float
        Radius of the closing in shares of the frame.
    """
    radius = round(reach * field.shape[0])
    solid = np.pad(main_part(field) | (heart > _INSIDE), radius)
    grown = ndimage.distance_transform_edt(~solid) <= radius
    closed = (ndimage.distance_transform_edt(grown) > radius)[radius:-radius, radius:-radius]
    notch = closed & (whole > _INSIDE) & (heart <= _INSIDE)
    return np.where(notch, np.maximum(field, np.minimum(whole, 1 - heart)), field)


def plausible(right: np.ndarray, left: np.ndarray, heart: np.ndarray, ranks: np.ndarray) -> tuple[bool, bool, bool]:
    """Tell for the levels of right lung, left lung and heart whether each can be what it is called.

    `ranks` is the gray scale of the frame from -1 (dark) to 1 (bright).
    """
    is_right, is_left = _is_lung(right, ranks), _is_lung(left, ranks)
    if is_right and is_left:
        larger, smaller = sorted([(right > _INSIDE).sum(), (left > _INSIDE).sum()], reverse=True)
        ordered = _center(right)[1] < _center(left)[1]
        if not ordered or larger > _MOST_ASYMMETRY * smaller:
            is_right, is_left = (
                is_right and larger == (right > _INSIDE).sum() and ordered,
                False,
            )
    is_heart = _within(heart, _HEART_SHARE) and _certain(heart)
    if is_heart and is_right and is_left:
        is_heart = _center(right)[1] < _center(heart)[1] < _center(left)[1]
    return is_right, is_left, is_heart


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
        label[top:bottom, left:right][_largest(sitk.GetArrayViewFromImage(full) > _INSIDE)] = value
    result = sitk.GetImageFromArray(label)
    result.CopyInformation(image)
    return result


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))


def _apart(found: np.ndarray) -> Iterator[np.ndarray]:
    """Yield levels that exceed one half only where they are the highest: their outlines meet and do not cross."""
    for index, level in enumerate(found):
        others = np.delete(found, index, axis=0)
        yield level if len(others) == 0 else np.minimum(level, _INSIDE + level - others.max(axis=0))


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
    if not (fine > _INSIDE).any():
        return 0, 0, 1, 1
    left, top, right, bottom = bounds((fine > _INSIDE,))
    first = source.TransformIndexToPhysicalPoint((left - 1, top - 1))
    last = source.TransformIndexToPhysicalPoint((right + 1, bottom + 1))
    low = [int(np.clip(np.floor(value), 0, limit - 1)) for value, limit in zip(first, size, strict=True)]
    high = [int(np.clip(np.ceil(value), 0, limit - 1)) + 1 for value, limit in zip(last, size, strict=True)]
    return low[0], low[1], high[0], high[1]


def _is_lung(level: np.ndarray, ranks: np.ndarray) -> bool:
    return _within(level, _LUNG_SHARE) and _certain(level) and _darker(level, ranks)


def _darker(level: np.ndarray, ranks: np.ndarray) -> bool:
    """Tell whether what is inside is darker than what is just around it, as air is."""
    inside = level > _INSIDE
    around = ndimage.binary_dilation(inside, iterations=_AROUND) & ~inside
    return float(ranks[around].mean() - ranks[inside].mean()) >= _LEAST_CONTRAST


def _within(level: np.ndarray, share: tuple[float, float]) -> bool:
    return share[0] <= float((level > _INSIDE).mean()) <= share[1]


def _certain(level: np.ndarray) -> bool:
    """Tell whether the classifier is sure inside: in a picture of something else it wavers everywhere."""
    return float(level[level > _INSIDE].mean()) >= _LEAST_CERTAINTY


def _center(level: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(level > _INSIDE)
    return float(rows.mean()), float(columns.mean())
