"""The field of a picture: what was scanned or exposed, without the flat surround and the writing beside it."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .histogram import percentiles
from .pixels import view

__all__ = ["Box", "border_values", "cut_to_field", "find_field"]

# First and last index along x, y (, z).
Box = tuple[list[int], list[int]]

_WORK_SIZE = {2: 512, 3: 128}
# A surround is one gray value within this share of the picture's range, and makes up at least this share of its border.
_TOLERANCE = 0.03
_LEAST_SHARE = 0.1
_BINS = 64
# Gaps up to this share of the longer side are no surround: the dark between bright speckle.
_GAP = 0.007
# Pieces smaller than this share of the largest are writing, rulers and gray scales.
_LEAST_PIECE = 0.2
# A picture may lie in several surrounds, as collimator blades in a letterbox.
_MOST_SURROUNDS = 3


def find_field(image: sitk.Image) -> Box | None:
    """Find the box around what a picture shows.

    The surround is what has the gray value that is the most common one at the border of the picture (in 3D at the
    sides of its slices) and is connected with the border: the black around an ultrasound sector, collimator blades of
    any direction, padding, air. The field is what is left, without pieces that are small beside the largest. This is
    repeated inside the box found, for surrounds within surrounds.

    Parameters
    ----------
    image : sitk.Image
        2D or 3D.

    Returns
    -------
    Box or None
        None if there is no such surround.
    """
    longest = _WORK_SIZE[image.GetDimension()]
    factors = [-(-n // longest) for n in image.GetSize()]
    values = view(sitk.Cast(sitk.BinShrink(image, factors), sitk.sitkFloat32))
    start = [0] * values.ndim
    for _ in range(_MOST_SURROUNDS):
        found = _inside(values)
        if found is None:
            break
        values = values[found]
        start = [begin + part.start for begin, part in zip(start, found, strict=True)]
    first = [begin * factor for begin, factor in zip(reversed(start), factors, strict=True)]
    ends = [begin + n for begin, n in zip(reversed(start), reversed(values.shape), strict=True)]
    # The last incomplete block of pixels is not in the reduced picture: it goes with the block before.
    last = [
        size - 1 if end == size // factor else end * factor - 1
        for end, factor, size in zip(ends, factors, image.GetSize(), strict=True)
    ]
    return None if all(b == 0 for b in first) and last == [n - 1 for n in image.GetSize()] else (first, last)


def cut_to_field(image: sitk.Image, least_side: int) -> tuple[list[int], sitk.Image]:
    """Return the index at which the field of a picture begins, and the picture cut to it.

    Where there is no surround, or too little would be left, this is the whole picture.

    Parameters
    ----------
    image : sitk.Image
        2D or 3D.
    least_side : int
        Pixels that the field must have each way.
    """
    box = find_field(image)
    if box is not None:
        start, last = box
        size = [end + 1 - begin for begin, end in zip(start, last, strict=True)]
        if min(size) >= least_side:
            return start, sitk.RegionOfInterest(image, size, start)
    return [0] * image.GetDimension(), image


def _inside(values: np.ndarray) -> tuple[slice, ...] | None:
    """Return the box of the array that its surround leaves, or None if it has none."""
    from scipy import ndimage

    low, high = percentiles(values, (0.5, 99.5))
    gray = _border_gray(values, low, high)
    if gray is None:
        return None
    gap = max(1, round(_GAP * max(values.shape)))
    size = tuple(min(2 * gap + 1, n) for n in values.shape)
    deviation = np.pad(np.abs(values - gray), gap, mode="edge")
    closed = ndimage.grey_closing(deviation, size)[(slice(gap, -gap),) * values.ndim]
    parts, _ = ndimage.label(closed <= _TOLERANCE * (high - low))
    at_border = np.unique(border_values(parts))
    field = ~np.isin(parts, at_border[at_border > 0])
    pieces, count = ndimage.label(ndimage.binary_opening(np.pad(field, 1, mode="edge"))[(slice(1, -1),) * field.ndim])
    if count == 0:
        return None
    sizes = np.bincount(pieces.reshape(-1))[1:]
    boxes = [
        box for box, size in zip(ndimage.find_objects(pieces), sizes, strict=True) if size >= _LEAST_PIECE * sizes.max()
    ]
    found = tuple(
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
        for axis in range(values.ndim)
    )
    return None if all(part.stop - part.start == n for part, n in zip(found, values.shape, strict=True)) else found


def _border_gray(values: np.ndarray, low: float, high: float) -> float | None:
    """Return the most common gray value at the border, or None if none is common."""
    if high <= low:
        return None
    border = np.clip(border_values(values), low, high)
    counts, edges = np.histogram(border, _BINS, (low, high))
    # Two neighboring bins, for a gray value may lie between them.
    both = counts[:-1] + counts[1:]
    best = int(np.argmax(both))
    if both[best] < _LEAST_SHARE * border.size:
        return None
    return float(np.median(border[(border >= edges[best]) & (border <= edges[best + 2])]))


def border_values(values: np.ndarray) -> np.ndarray:
    """Return what stands in the first and last rows and columns (of each slice), in one dimension."""
    sides = values[..., 0, :], values[..., -1, :], values[..., 0], values[..., -1]
    return np.concatenate([side.reshape(-1) for side in sides])
