"""From held-out scores to probabilities that can be trusted: the weights of cases, and the temperature."""

from __future__ import annotations

import numpy as np

__all__ = ["balanced", "fit_temperature", "score_spread"]


def balanced(y: np.ndarray, classes: int, of: np.ndarray | None = None) -> np.ndarray:
    """Return the weight of each case that makes all categories of `y` equally heavy."""
    share = 1.0 / (classes * np.maximum(np.bincount(y, minlength=classes), 1))
    return share[y if of is None else of]


def fit_temperature(scores: np.ndarray, y: np.ndarray, case_weights: np.ndarray) -> float:
    """Return the temperature of the greatest likelihood (Guo et al. 2017).

    As in Platt's scaling, a category with n cases is hit with certainty (n + 1) / (n + 2) only: n cases without an
    error do not show that there are none, and without this the temperature of a perfect fit would be 0.
    """
    from scipy.optimize import minimize_scalar

    classes = scores.shape[1]
    doubt = (1.0 / (np.bincount(y, minlength=classes) + 2.0))[y]
    mean = scores.mean(axis=1)
    # The mean over all categories, weighted by the doubt, stands for the cases that are expected but were not seen.
    softened = (1 - doubt) * scores[np.arange(len(y)), y] + doubt * mean
    centered = scores - softened[:, None]

    def loss(logarithm: float) -> float:
        scaled = centered / np.exp(logarithm)
        top = scaled.max(axis=1)
        return float((case_weights * (np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))


def score_spread(scores: np.ndarray) -> float:
    """Return the root mean square of scores (cases, categories) about the mean over the categories of each case."""
    centered = scores - scores.mean(axis=1, keepdims=True)
    return float(np.sqrt((centered * centered).mean()))
