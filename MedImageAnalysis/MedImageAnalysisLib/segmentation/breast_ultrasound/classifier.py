"""Pixel classifiers of breast lesions: one cascade looks at the whole picture, another closely at a suspected lesion.

Both are cascades of small perceptrons on a fixed filter bank with auto-context, see :mod:`..pixel_classifier`. The
weights are fitted by `benchmarks/train_breast_ultrasound.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...errors import InvalidModelError
from ..pixel_classifier.frame import Frame, sampled, whole_picture
from ..pixel_classifier.stage import Stage, run_stages
from ..pixel_classifier.weights import read_stage

__all__ = ["CHANNELS", "LONG_SIDE", "Classifier", "around_lesion", "load_classifier", "on_picture", "read_classifier"]

# Pixels along the longer side of the reduced picture that the classifiers see.
LONG_SIDE = 256

# What a stage predicts: the lesion, its inner half, and the tissue next to it. Only the first is drawn; the others tell
# later stages where in a lesion a pixel lies.
CHANNELS = ("lesion", "core", "surroundings")

# The frame is larger than the lesion by this factor: shadow or enhancement behind it tells where it ends.
_MARGIN = 1.9
_WEIGHTS = "weights.npz"


@dataclass(frozen=True, eq=False)
class Classifier:
    """The cascade that sees the whole picture, and the one that sees a frame around a suspected lesion.

    Parameters
    ----------
    locate, outline : tuple of Stage
    weights : numpy.ndarray of float64
        What each sign of an outline says of how well it fits, see :mod:`.lesion`.
    """

    locate: tuple[Stage, ...]
    outline: tuple[Stage, ...]
    weights: np.ndarray

    def suspicion(self, pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return the probability of lesion at each pixel of the picture, from the whole of it."""
        picture = whole_picture(pixels.shape)
        size = self.locate[-1].size
        both = [run_stages(self.locate, sampled(pixels[:, ::s], valid[:, ::s], picture, size)) for s in (1, -1)]
        # A mirrored breast is as good a breast: the mean of both views is steadier than either.
        found = (both[0][0] + both[1][0, :, ::-1]) / 2
        return on_picture(found, picture, pixels.shape)

    def closely(self, pixels: np.ndarray, valid: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the probability of lesion in a frame, shape (size, size)."""
        image = sampled(pixels, valid, frame, self.outline[-1].size)
        mirrored = run_stages(self.outline, image[:, :, ::-1])[0, :, ::-1]
        return (run_stages(self.outline, image)[0] + mirrored) / 2


def around_lesion(mask: np.ndarray) -> Frame:
    """Return the square frame around a lesion, given as a mask that is not empty."""
    rows, columns = np.nonzero(mask)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    half = max(right - left + 1, bottom - top + 1) / 2 * _MARGIN
    return Frame((left + right) / 2, (top + bottom) / 2, half, half)


def on_picture(found: np.ndarray, frame: Frame, shape: tuple[int, ...]) -> np.ndarray:
    """Return what was found in an upright frame on the pixels of the picture; 0 beyond the frame."""
    step_x, step_y = frame.steps(found.shape[1])
    middle = (found.shape[0] - 1) / 2
    offset = (middle - frame.y / step_y, middle - frame.x / step_x)
    return ndimage.affine_transform(
        found, (1 / step_y, 1 / step_x), offset, shape, np.float32, order=1, mode="grid-constant"
    )


@cache
def load_classifier() -> Classifier:
    """Return the classifier that ships with the package; InvalidModelError if its weights are missing or damaged."""
    return read_classifier(Path(str(resources.files(__package__))) / _WEIGHTS)


def read_classifier(path: Path) -> Classifier:
    """Return the classifier in a file of weights; InvalidModelError if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Classifier(_stages(arrays, "locate"), _stages(arrays, "outline"), arrays["weights"])
    except (OSError, ValueError, KeyError) as problem:
        raise InvalidModelError(
            f"The weights of the breast ultrasound segmentation ({path.name}) cannot be read: {problem}. "
            "Install the package again."
        ) from problem


def _stages(arrays: np.lib.npyio.NpzFile, part: str) -> tuple[Stage, ...]:
    return tuple(read_stage(arrays, f"{part}_{index}") for index in range(int(arrays[f"{part}_stages"])))
