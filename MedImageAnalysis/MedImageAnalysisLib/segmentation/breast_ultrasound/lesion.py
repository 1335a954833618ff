"""From suspicion to lesions: what might be one, its outline seen closely, and how well that outline will fit.

The fit that is expected of an outline (its Dice coefficient with one drawn by hand) is a quadratic function of a dozen
signs: how sure the classifiers are inside and beside it, its size and place, and how much darker than its surroundings
it is. It tells the lesion from other dark regions, and a picture with a lesion from one without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...progress import Progress
from ..pixel_classifier.frame import Frame
from ..pixel_classifier.outline import levels, main_part
from .classifier import Classifier, around_lesion, on_picture

__all__ = ["Outline", "Picture", "candidates", "expected_fit", "expanded", "lesions", "outlines"]

_INSIDE = 0.5
_LEVELS = (0.15, 0.3, 0.5, 0.7)
_MOST_CANDIDATES = 6
# Parts smaller than this share of the picture are specks, also of speckle.
_LEAST_SHARE = 0.002
# Two candidates, or two lesions, that overlap more than this are one.
_SAME_CANDIDATE = 0.8
_SAME_LESION = 0.2
# Expected fit from which a second lesion beside the best one is believed.
_SURE = 0.7
# Smoothing of outlines in pixels of the close frame.
_SMOOTHING = 1.0


@dataclass(frozen=True, eq=False)
class Picture:
    """The reduced picture: gray values, where it shows the patient, and the suspicion of a lesion at each pixel."""

    pixels: np.ndarray
    valid: np.ndarray
    suspicion: np.ndarray


@dataclass(frozen=True, eq=False)
class Outline:
    """A possible lesion.

    Parameters
    ----------
    frame : Frame
        Where `level` lies in the reduced picture.
    level : numpy.ndarray of float, shape (size, size)
        The lesion is where this exceeds one half.
    mask : numpy.ndarray of bool
        The same on the reduced picture.
    signs : numpy.ndarray of float, shape (signs,)
    """

    frame: Frame
    level: np.ndarray
    mask: np.ndarray
    signs: np.ndarray


def candidates(suspicion: np.ndarray) -> list[np.ndarray]:
    """Return masks of regions that might be lesions, those with most suspicion first."""
    least = _LEAST_SHARE * suspicion.size
    found: list[tuple[float, np.ndarray]] = []
    for level in _LEVELS:
        parts, count = ndimage.label(suspicion > level)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        for part in 1 + np.flatnonzero(sizes >= least):
            mask = ndimage.binary_fill_holes(parts == part)
            found.append((float((suspicion[mask] ** 2).sum() / np.sqrt(mask.sum())), mask))
    found.sort(key=lambda each: -each[0])
    chosen: list[np.ndarray] = []
    for _, mask in found:
        if len(chosen) < _MOST_CANDIDATES and all(_dice(mask, other) < _SAME_CANDIDATE for other in chosen):
            chosen.append(mask)
    return chosen


def outlines(picture: Picture, classifier: Classifier, progress: Progress) -> list[Outline]:
    """Return the outlines of all candidates, seen closely."""
    masks = candidates(picture.suspicion)
    found = []
    for number, mask in enumerate(masks):
        progress.step(fraction=number / len(masks))
        found.append(_outlined(picture, classifier, mask))
    return [outline for outline in found if outline is not None]


def expected_fit(outline: Outline, weights: np.ndarray) -> float:
    """Return the Dice coefficient to expect of an outline, about 0 to 1."""
    return float(expanded(outline.signs) @ weights)


def expanded(signs: np.ndarray) -> np.ndarray:
    """Return 1, the signs and their squares, along the last axis."""
    return np.concatenate([np.ones((*signs.shape[:-1], 1)), signs, signs**2], axis=-1)


def lesions(picture: Picture, classifier: Classifier, threshold: float, progress: Progress) -> list[Outline]:
    """Return the lesions of a picture: outlines of which a fit above `threshold` is expected, the best first."""
    fits = [(expected_fit(each, classifier.weights), each) for each in outlines(picture, classifier, progress)]
    chosen: list[Outline] = []
    for fit, outline in sorted(fits, key=lambda each: -each[0]):
        least = threshold if not chosen else max(threshold, _SURE)
        if fit >= least and all(_dice(outline.mask, other.mask) < _SAME_LESION for other in chosen):
            chosen.append(outline)
    return chosen


def _outlined(picture: Picture, classifier: Classifier, seed: np.ndarray) -> Outline | None:
    """Look closely at a candidate, then again at the frame around what is found there; None if nothing is."""
    frame = around_lesion(seed)
    for _ in range(2):
        probability = classifier.closely(picture.pixels, picture.valid, frame)
        level = levels(probability, _SMOOTHING)
        mask = on_picture(level, frame, seed.shape) > _INSIDE
        if mask.sum() < _LEAST_SHARE * mask.size / 2:
            return None
        last, frame = frame, around_lesion(mask)
    return Outline(last, level, mask, _signs(picture, probability, level, mask, seed))


def _signs(
    picture: Picture, probability: np.ndarray, level: np.ndarray, mask: np.ndarray, seed: np.ndarray
) -> np.ndarray:
    """Return what tells how well an outline fits."""
    inside = main_part(level)
    size = np.sqrt(mask.sum())
    near = ndimage.binary_dilation(mask, iterations=max(2, round(0.2 * size))) & ~mask & picture.valid
    rank = _ranks(picture.pixels, picture.valid)
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    edge = mask & ~ndimage.binary_erosion(mask, iterations=2)
    spread = rank[mask | near].std() + 0.05
    return np.array(
        [
            picture.suspicion[mask].mean(),
            picture.suspicion[mask].max(),
            picture.suspicion[near].mean() if near.any() else 0.0,
            probability[inside].mean(),
            probability[~inside].mean(),
            _dice(mask, seed),
            size / np.sqrt(mask.size),
            rows.mean() / height,
            abs(columns.mean() / width - 0.5),
            ((rank[near].mean() if near.any() else 0.0) - rank[mask].mean()) / spread,
            (rank[near].mean() if near.any() else 0.0) - rank[edge].mean(),
            rank[mask].mean(),
            (rows.max() - rows.min() + 1) / (columns.max() - columns.min() + 1),
            picture.suspicion.mean(),
        ],
        dtype=np.float64,
    )


def _ranks(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the share of the picture that is darker than each pixel, after speckle is blurred."""
    smooth = ndimage.gaussian_filter(pixels, 1.0)
    ordered = np.sort(smooth[valid])
    return np.searchsorted(ordered, smooth) / max(len(ordered), 1)


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1))
