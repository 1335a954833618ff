"""Learn to tell the training images from spoiled ones, noise and unrelated images (outlier exposure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..linear import score_of_whitened
from .calibration import balanced
from .regression import hidden_regression, softmax_regression

__all__ = ["Strangers", "fit_stranger_classifier"]


@dataclass(frozen=True, eq=False)
class Strangers:
    """Features of images that do not belong.

    Parameters
    ----------
    x : numpy.ndarray, shape (images, features)
    source : numpy.ndarray of int, shape (images,)
        Which genuine training case each was made from, counted in their order; -1 for none. What was made from a case
        is not learned from where that case is judged.
    """

    x: np.ndarray
    source: np.ndarray


def fit_stranger_classifier(
    own: np.ndarray, strange: np.ndarray, fold: np.ndarray, source: np.ndarray, penalty: float, units: int, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the arrays of the classifier of own against strange images, and the out-of-fold scores of the own ones.

    Parameters
    ----------
    own, strange : numpy.ndarray, shape (images, axes)
        Whitened coordinates.
    fold : numpy.ndarray of int, shape (own images,)
        The part in which each own image is judged.
    source : numpy.ndarray of int, shape (strange images,)
        See :class:`Strangers`.
    penalty : float
        L2 penalty per case.
    units : int
        Hidden units; 0 = the coordinates are weighed directly.
    """
    v = np.concatenate([own, strange])
    y = np.repeat([0, 1], [len(own), len(strange)])
    folds = np.concatenate([fold, np.where(source < 0, -1, fold[source])])

    def fit(rows: np.ndarray) -> dict[str, np.ndarray]:
        case_weights = balanced(y[rows], 2)
        if units:
            hidden, offset, weights, intercept = hidden_regression(v[rows], y[rows], case_weights, penalty, units, seed)
            found = {"stranger_hidden": hidden, "stranger_hidden_intercept": offset}
            return found | {"stranger_weights": weights, "stranger_intercept": np.array(intercept)}
        weights, intercept = softmax_regression(v[rows], np.ones(v.shape[1]), y[rows], case_weights, penalty)
        direction = {"stranger_weights": weights[:, 1] - weights[:, 0]}
        return direction | {"stranger_intercept": np.array(intercept[1] - intercept[0])}

    scores = np.zeros(len(own))
    for index in np.unique(fold):
        scores[fold == index] = score_of_whitened(fit(folds != index), own[fold == index])
    return fit(np.ones(len(y), dtype=bool)), scores
