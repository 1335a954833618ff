"""What the segmentation of chest radiographs has learned, by `benchmarks/train_chest_xray.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from ...errors import InvalidModelError
from ..pixel_classifier.stage import Stage
from ..pixel_classifier.weights import read_stage
from .heart_shape import HeartShape

__all__ = ["CHANNELS", "Cascade", "load_cascade", "read_cascade"]

# What a stage predicts, each with a probability of its own because they overlap: the whole lungs (with the part behind
# heart and diaphragm as V7 Labs draw it), the lung fields beside the mediastinum, and the cardiac silhouette.
CHANNELS = ("right-lung-whole", "left-lung-whole", "right-lung", "left-lung", "heart")

_WEIGHTS = "weights.npz"


@dataclass(frozen=True, eq=False)
class Cascade:
    """What the method has learned: the stage that finds the chest in the picture, those that outline it in a frame
    around the lungs, and the shape of the heart in that frame.
    """

    locate: Stage
    outline: tuple[Stage, ...]
    heart: HeartShape

    @property
    def frame_size(self) -> int:
        """Width and height of the frame that the last stage works on."""
        return self.outline[-1].size


@cache
def load_cascade() -> Cascade:
    """Return the cascade that ships with the package.

    Raises
    ------
    InvalidModelError
        If the file of weights is missing or damaged.
    """
    return read_cascade(Path(str(resources.files(__package__))) / _WEIGHTS)


def read_cascade(path: Path) -> Cascade:
    """Return the cascade in a file of weights; InvalidModelError if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stages = tuple(read_stage(arrays, f"stage_{index}") for index in range(int(arrays["stages"])))
            heart = HeartShape(*(arrays[f"heart_{part}"] for part in ("center", "mean", "modes", "residual")))
    except (OSError, ValueError, KeyError) as problem:
        raise InvalidModelError(
            f"The weights of the chest radiograph segmentation ({path.name}) cannot be read: {problem}. "
            "Install the package again."
        ) from problem
    return Cascade(stages[0], stages[1:], heart)
