"""Breast lesions by a small network over the whole picture; it needs the packages onnx and onnxruntime.

The network sees a square canvas of ranks and its mirror image. It says of each place how probable a lesion is, and of
the picture how probable it is that there is one at all. `benchmarks/train_breast_ultrasound_network.py` trains it.

The fit to expect of an outline c, as a Dice coefficient, follows from these probabilities p:

    fit = P(lesion) * 2 sum of p over c / (size of c + sum of p over c and its surroundings).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...imaging.canvas import area_average, ranked
from ...networks import load_network
from ..pixel_classifier.outline import levels

__all__ = ["CANVAS", "Found", "Sight", "canvas_of", "look", "probability_of"]

CANVAS = 256

_WEIGHTS = "weights.onnx"
# Parts smaller than this share of the picture are specks, also of speckle.
_LEAST_SHARE = 0.002
# How far, in cells of the network's map, the surroundings of an outline reach.
_REACH = 6
# A lesion beside the best one is shown if it is expected to fit at least this much of what the best one does.
_BESIDE = 0.7


@dataclass(frozen=True, eq=False)
class Found:
    """A possible lesion: it is where `level`, over the whole picture, exceeds one half."""

    level: np.ndarray
    fit: float


@dataclass(frozen=True, eq=False)
class Sight:
    """What the network says: the probability of lesion at each place (rows, columns), and in the picture at all."""

    lesion: np.ndarray
    presence: float

    def lesions(self, certainty: float) -> list[Found]:
        """Return the possible lesions of which a fit of at least `certainty` is expected, the best first."""
        parts, count = ndimage.label(self.lesion > 0.5)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        large = 1 + np.flatnonzero(sizes >= _LEAST_SHARE * parts.size)
        found = sorted((self._found(parts == part) for part in large), key=lambda each: -each.fit)
        return [each for each in found if each.fit >= max(certainty, _BESIDE * found[0].fit)]

    def _found(self, mask: np.ndarray) -> Found:
        near = ndimage.binary_dilation(mask, iterations=_REACH)
        others = (self.lesion > 0.5) & ~mask
        p = np.where(near & ~others, self.lesion, 0)
        fit = self.presence * 2 * p[mask].sum() / (mask.sum() + p.sum())
        return Found(levels(p, 0.0), float(fit))


def canvas_of(pixels: np.ndarray) -> np.ndarray:
    """Return a picture of any shape brought to a square of CANVAS pixels, its gray values to ranks."""
    return ranked(area_average(pixels, CANVAS, CANVAS))


def look(canvas: np.ndarray) -> Sight:
    """Return what the network sees in a picture.

    Parameters
    ----------
    canvas : numpy.ndarray of float32, shape (CANVAS, CANVAS)

    Raises
    ------
    MissingPackageError
        If onnx or onnxruntime is not installed.
    InvalidModelError
        If the weights are missing or damaged.
    """
    network = load_network(Path(str(resources.files(__package__))) / _WEIGHTS)
    found = network.run({"image": np.stack([canvas, canvas[:, ::-1]])[:, None]})
    logits = (found["lesion"][0, 0] + found["lesion"][1, 0, :, ::-1]) / 2
    return Sight(probability_of(logits), float(probability_of(found["presence"].mean())))


def probability_of(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of log-odds."""
    return 1 / (1 + np.exp(-logits.astype(np.float64)))
