"""The outline of a breast lesion, seen closely by a second small network.

The whole picture on a coarse grid tells where a lesion is; from close by its margin is seen. The network sees a square
around what the first one found, and its mirror image, and says of each pixel how probable a lesion is.
`benchmarks/train_breast_ultrasound_close_look.py` trains it.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from ...networks import load_network
from ..pixel_classifier.frame import Frame
from ..pixel_classifier.outline import bounds
from .network import probability_of

__all__ = ["LEAST_SIDE", "MARGIN", "OVERSAMPLING", "SIZE", "cropped", "seen_closely", "square_around"]

# Pixels along a side of what the network sees; each is the mean of `OVERSAMPLING` x `OVERSAMPLING` samples.
SIZE = 96
OVERSAMPLING = 2
# The square is wider than the lesion by this factor, and at least this share of the picture.
MARGIN = 1.8
LEAST_SIDE = 0.2

_WEIGHTS = "close_look.onnx"


def seen_closely(canvas: np.ndarray, square: Frame) -> np.ndarray:
    """Return the probability of lesion at each pixel of a square on a canvas, shape (SIZE, SIZE).

    Parameters
    ----------
    canvas : numpy.ndarray of float32, shape (side, side)
        The whole picture, its gray values as ranks.
    square : Frame
        In pixels of the canvas.

    Raises
    ------
    MissingPackageError
        If onnx or onnxruntime is not installed.
    InvalidModelError
        If the weights are missing or damaged.
    """
    network = load_network(Path(str(resources.files(__package__))) / _WEIGHTS)
    content = cropped(canvas, square)
    first, mirrored = network.run({"image": np.stack([content, content[:, ::-1]])[:, None]})["lesion"][:, 0]
    return probability_of((first + mirrored[:, ::-1]) / 2)


def square_around(mask: np.ndarray, side: int) -> Frame:
    """Return the square to look at, in pixels of a canvas of `side` pixels; `mask` shows the lesion on all of it."""
    cell = side / len(mask)
    left, top, right, bottom = bounds((mask,))
    half = max(MARGIN * cell * max(right + 1 - left, bottom + 1 - top), LEAST_SIDE * side) / 2
    return Frame(cell * (left + right + 1) / 2 - 0.5, cell * (top + bottom + 1) / 2 - 0.5, half, half)


def cropped(canvas: np.ndarray, square: Frame) -> np.ndarray:
    """Return what a canvas shows in a square, shape (SIZE, SIZE); beyond the canvas its border repeats."""
    step, _ = square.steps(SIZE)
    rows, columns = (_reading(center, step, len(canvas)) for center in (square.y, square.x))
    return rows @ canvas @ columns.T


def _reading(center: float, step: float, count: int) -> np.ndarray:
    """Return the share of each of `count` pixels in each pixel of the square along one axis, shape (SIZE, count)."""
    samples = SIZE * OVERSAMPLING
    places = center + step / OVERSAMPLING * (np.arange(samples) - (samples - 1) / 2)
    places = np.clip(places, 0, count - 1)
    # A pixel counts by how near it is: linear interpolation.
    shares = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count)))
    return shares.reshape(SIZE, OVERSAMPLING, count).mean(axis=1).astype(np.float32)
