"""Frames: rectangles of a radiograph, sampled at a fixed size so that every chest looks alike to the classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from .stage import normalized

__all__ = ["Frame", "around", "sampled", "whole_picture"]

# The frame is larger than the lungs by this factor, so that costophrenic angles, apices and cardiac base lie in it.
_MARGIN = 1.3


@dataclass(frozen=True)
class Frame:
    """A rectangle in pixel coordinates of an array; `angle` (radians) turns it, which only training needs."""

    x: float
    y: float
    half_width: float
    half_height: float
    angle: float = 0.0

    def steps(self, size: int) -> tuple[float, float]:
        """Return the pixels of the array per pixel of the frame, along x and y."""
        return 2 * self.half_width / size, 2 * self.half_height / size

    def scaled(self, x: float, y: float) -> Frame:
        """Return the same rectangle in an array with `x` times the columns and `y` times the rows."""
        middle = (self.x + 0.5) * x - 0.5, (self.y + 0.5) * y - 0.5
        return replace(self, x=middle[0], y=middle[1], half_width=self.half_width * x, half_height=self.half_height * y)

    def matrix(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the map from (row, column) of the frame to (row, column) of the array."""
        step_x, step_y = self.steps(size)
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cosine, sine], [-sine, cosine]]) @ np.diag([step_y, step_x])
        middle = (size - 1) / 2
        return turn, np.array([self.y, self.x]) - turn @ np.array([middle, middle])


def whole_picture(shape: tuple[int, ...]) -> Frame:
    """Return the square around a whole picture of that shape (rows, columns)."""
    rows, columns = shape
    half = max(rows, columns) / 2
    return Frame((columns - 1) / 2, (rows - 1) / 2, half, half)


def around(left: float, top: float, right: float, bottom: float) -> Frame:
    """Return the frame around lungs with these bounds."""
    return Frame(
        (left + right) / 2,
        (top + bottom) / 2,
        max(right - left, 1.0) / 2 * _MARGIN,
        max(bottom - top, 1.0) / 2 * _MARGIN,
    )


def sampled(pixels: np.ndarray, valid: np.ndarray, frame: Frame, size: int) -> np.ndarray:
    """Return the normalized content of a frame, shape (2, size, size).

    Parameters
    ----------
    pixels : numpy.ndarray of float32, shape (rows, columns)
    valid : numpy.ndarray of bool
        False on collimator blades, on padding and beyond.
    """
    step_x, step_y = frame.steps(size)
    # Half a step of blur against aliasing; the image itself is about as sharp as its pixels.
    blur = [np.sqrt(max(0.25 * step**2 - 0.25, 0)) for step in (step_y, step_x)]
    smooth = ndimage.gaussian_filter(pixels, blur, truncate=3)
    matrix, offset = frame.matrix(size)
    shape = (size, size)
    values = ndimage.affine_transform(smooth, matrix, offset, shape, order=1, mode="nearest")
    inside = ndimage.affine_transform(valid.astype(np.float32), matrix, offset, shape, order=1, mode="constant") > 0.5
    return normalized(values, inside)
