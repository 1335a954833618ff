"""Figures of merit with bootstrap confidence intervals that respect groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Estimate",
    "accuracy",
    "balanced_accuracy",
    "calibration_error",
    "estimate",
    "roc_auc",
    "set_coverage",
    "share_true",
]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % confidence interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.lower:.3f} to {self.upper:.3f})"


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve: the chance that a positive case scores above a negative one (ties: half).

    NaN if there are no positive or no negative cases.
    """
    from scipy.stats import rankdata

    positive = np.asarray(positive, dtype=bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m))


def share_true(values: np.ndarray) -> float:
    """Return the share of true values; NaN if there are none at all."""
    return float(values.mean()) if values.size else float("nan")


def accuracy(probabilities: np.ndarray, y: np.ndarray) -> float:
    """Return the share of cases whose most probable category is the true one."""
    return float((probabilities.argmax(axis=1) == y).mean())


def balanced_accuracy(probabilities: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over the categories of the share of their cases that are recognized."""
    hit = probabilities.argmax(axis=1) == y
    return float(np.mean([hit[y == k].mean() for k in np.unique(y)]))


def calibration_error(
    probabilities: np.ndarray, y: np.ndarray, bins: int = 10, case_weights: np.ndarray | None = None
) -> float:
    """Return the expected calibration error of the most probable category, in `bins` bins of equal count.

    ECE = sum_b w_b |accuracy_b - mean confidence_b|; bins of equal count make it less noisy than bins of equal width.
    """
    weights = np.ones(len(y)) if case_weights is None else np.asarray(case_weights, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == y
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, weights.sum(), bins + 1)[1:-1]
    gaps = [
        abs(float((weights[part] * (hit[part] - confidence[part])).sum()))
        for part in np.split(order, np.searchsorted(np.cumsum(weights[order]), edges))
        if len(part)
    ]
    return float(sum(gaps) / weights.sum())


def set_coverage(probabilities: np.ndarray, y: np.ndarray, thresholds: Sequence[float]) -> float:
    """Return the share of cases whose prediction set holds the truth."""
    return float((probabilities[np.arange(len(y)), y] >= np.asarray(thresholds)[y]).mean())


def estimate(
    measure: Callable[[np.ndarray], float], groups: Sequence[str], *, repeats: int = 1000, seed: int = 0
) -> Estimate:
    """Return ``measure(all cases)`` with the 2.5 and 97.5 percentiles over groups drawn with replacement.

    Parameters
    ----------
    measure : callable
        Takes indices of cases (with repetition) and returns the figure.
    groups : sequence of str
        Group of each case; cases of a group are drawn together.
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    random = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        drawn = np.concatenate([members[g] for g in random.integers(0, len(names), len(names))])
        found.append(measure(drawn))
    # A draw in which a figure does not exist, such as an AUC without positive cases, does not count.
    drawn_figures = np.array(found)[~np.isnan(found)]
    lower, upper = np.percentile(drawn_figures, (2.5, 97.5)) if drawn_figures.size else (np.nan, np.nan)
    return Estimate(float(measure(np.arange(len(inverse)))), float(lower), float(upper))
