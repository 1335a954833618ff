"""Prediction sets by split conformal prediction, category by category (Vovk 2013, doi:10.1007/s10994-013-5355-6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .folds import group_folds

__all__ = ["cross_fitted_sets", "set_thresholds"]

# Folds of `cross_fitted_sets`: nine tenths of the cases give thresholds that are nearly those of all.
_FOLDS = 10
_SEED = 20240501


def set_thresholds(probabilities: np.ndarray, y: np.ndarray, coverage: float) -> tuple[float, ...]:
    """Return, per category, the probability that `coverage` of its cases reach: split conformal, finite-sample rank."""
    thresholds = []
    for k in range(probabilities.shape[1]):
        own = np.sort(probabilities[y == k, k])
        rank = int(np.floor((1 - coverage) * (len(own) + 1)))
        thresholds.append(float(own[rank - 1]) if rank >= 1 else 0.0)
    return tuple(thresholds)


def cross_fitted_sets(probabilities: np.ndarray, y: np.ndarray, groups: Sequence[str], coverage: float) -> np.ndarray:
    """Return the categories in the prediction set of each case, by the thresholds of other groups' cases.

    Thresholds that come from all of these cases cannot be judged on them; those that come from nine tenths of the
    groups can be on the others.

    Returns
    -------
    numpy.ndarray of bool, shape (cases, categories)
    """
    fold = group_folds(groups, y, _FOLDS, _SEED)
    sets = np.empty(probabilities.shape, dtype=bool)
    for left in range(_FOLDS):
        out = fold == left
        sets[out] = probabilities[out] >= set_thresholds(probabilities[~out], y[~out], coverage)
    return sets
