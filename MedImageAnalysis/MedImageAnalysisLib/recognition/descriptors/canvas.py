"""Bring an image to a small square canvas that shows anatomy and not how it was exposed.

Exposure, windowing and display curves change intensities but hardly their order, so each pixel is replaced by its rank.
Burned-in letters and markers are bright strokes far above their surroundings: they are filled in before ranking.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...imaging.canvas import area_average, ranked

__all__ = ["area_average", "ranked", "square_canvas", "without_margins", "without_marks"]

# Margins are looked for on a grid of this many cells a side: noise is averaged out, small letters hardly count.
_CELLS = 96
# Cells along the border that may hold a line drawn around the image.
_LINE = 2


def square_canvas(image: sitk.Image, size: int, fill_marks: bool = True, trim: bool = False) -> np.ndarray:
    """Return `image` as a float32 array of shape (size, size) with values of rank 0 to 1.

    Width and height are scaled independently: the whole image is seen, whatever its shape. If asked, burned-in marks
    are filled in (`fill_marks`), and empty margins cut off (`trim`).

    Raises
    ------
    UnsupportedImageError
        If the image is not 2D and scalar, or has fewer than 16 pixels on a side.
    """
    _check_slice(image)
    if trim:
        image = without_margins(image)
    if min(image.GetSize()) < 16:
        raise UnsupportedImageError(
            f"The image has only {image.GetWidth()} x {image.GetHeight()} pixels; 16 are needed."
        )
    pixels = sitk.GetArrayViewFromImage(image)
    small = area_average(pixels, size, size)
    return ranked(without_marks(small) if fill_marks else small)


def _check_slice(image: sitk.Image) -> None:
    if image.GetDimension() != 2 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UnsupportedImageError("This model looks at single 2D images of one channel. Choose one slice.")


def without_margins(image: sitk.Image) -> sitk.Image:
    """Return the part of a 2D image of one channel that is not empty margin, at its place in space.

    A row or column is empty if fewer than 4 % of its cells differ by more than a tenth of the gray range from what is
    usual near the border; a line drawn around the image does not count. An image that would lose more than half of its
    width or height is returned whole.

    Raises
    ------
    UnsupportedImageError
        If the image is not 2D and scalar.
    """
    _check_slice(image)
    pixels = sitk.GetArrayViewFromImage(image)
    cells = area_average(pixels, _CELLS, _CELLS)[_LINE:-_LINE, _LINE:-_LINE]
    border = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
    low, high = np.quantile(cells, (0.005, 0.995))
    content = np.abs(cells - np.median(border)) > 0.1 * (high - low)
    start, size = [], []
    for axis, length in ((0, image.GetWidth()), (1, image.GetHeight())):
        filled = np.flatnonzero(content.mean(axis=axis) >= 0.04)
        if not len(filled) or filled[-1] + 1 - filled[0] < _CELLS / 2:
            return image
        first, after = int(filled[0]), int(filled[-1]) + 1
        # What reaches the line goes on below it.
        first = first + _LINE if first else 0
        after = after + _LINE if after < len(content) else _CELLS
        start.append(first * length // _CELLS)
        size.append(-(-after * length // _CELLS) - start[-1])
    return sitk.RegionOfInterest(image, size, start)


def without_marks(pixels: np.ndarray, reach: int = 9, limit: float = 6.0) -> np.ndarray:
    """Return `pixels` with strokes that are far brighter than their surroundings replaced by the local median.

    A pixel counts as a mark if it exceeds the median of its `reach` x `reach` neighborhood by more than `limit` robust
    standard deviations of all such differences. Not for images that are mostly empty, such as MR: there every bright
    detail is far above what is usual.
    """
    from scipy.ndimage import binary_dilation

    median = _local_median(pixels, reach)
    excess = pixels - median
    spread = 1.4826 * float(np.median(np.abs(excess)))
    marks = binary_dilation(excess > limit * max(spread, 1e-6 * float(np.ptp(pixels)) + 1e-12))
    return np.where(marks, median, pixels)


def _local_median(pixels: np.ndarray, reach: int) -> np.ndarray:
    """Return the median of the `reach` x `reach` pixels around each; borders repeat.

    The same as scipy's median_filter, several times faster at this size: numpy selects within short rows by wide
    instructions.
    """
    around = np.lib.stride_tricks.sliding_window_view(np.pad(pixels, reach // 2, mode="edge"), (reach, reach))
    middle = reach * reach // 2
    return np.partition(around.reshape(-1, reach * reach), middle, axis=1)[:, middle].reshape(pixels.shape)
