"""Probabilities that every kind of learned model states in the same way: softmax, other prevalences, the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..analysis import CategoryProbability

if TYPE_CHECKING:
    from .model import Category

__all__ = ["adjust_prior", "category_rows", "ensemble_interval", "softmax"]


class Calibration(Protocol):
    """The numbers fitted on held-out cases that the table of probabilities needs."""

    set_thresholds: tuple[float, ...]
    priors: tuple[float, ...]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return exp(scores) normalized to sum 1 over the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def adjust_prior(probabilities: Sequence[float], training: Sequence[float], local: Sequence[float]) -> np.ndarray:
    """Return the probabilities for other prevalences of the categories (Saerens et al. 2002).

    P'(k | x) is proportional to P(k | x) local_k / training_k: valid if the images of each category look the same in
    both places. doi:10.1162/089976602753284446

    Raises
    ------
    ValueError
        If the three do not have the same length, or a prevalence is negative, or all of `local` are 0.
    """
    p, old, new = (np.asarray(values, dtype=np.float64) for values in (probabilities, training, local))
    if not p.shape == old.shape == new.shape or (new < 0).any() or (old <= 0).any() or new.sum() <= 0:
        raise ValueError("Prevalences must be given for each category, none negative, not all zero.")
    adjusted = p * new / old
    return adjusted / adjusted.sum()


def ensemble_interval(members: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 and 97.5 percentiles over the members of an ensemble, widened to hold the stated value.

    Parameters
    ----------
    members : numpy.ndarray, shape (members, categories)
        Probabilities that each member states.
    probabilities : numpy.ndarray, shape (categories,)
    """
    lower, upper = np.percentile(members, (2.5, 97.5), axis=0)
    return np.minimum(lower, probabilities), np.maximum(upper, probabilities)


def category_rows(
    classes: Sequence[Category],
    calibration: Calibration,
    probabilities: np.ndarray,
    members: np.ndarray,
    prevalence: Sequence[float] | None,
) -> tuple[CategoryProbability, ...]:
    """Return the table of probabilities, with the interval of the ensemble `members` (members, categories)."""
    lower, upper = ensemble_interval(members, probabilities)
    adjusted = None if prevalence is None else adjust_prior(probabilities, calibration.priors, prevalence)
    return tuple(
        CategoryProbability(
            category.title,
            float(probabilities[k]),
            float(lower[k]),
            float(upper[k]),
            in_prediction_set=bool(probabilities[k] >= calibration.set_thresholds[k]),
            code=category.code,
            prior_adjusted=None if adjusted is None else float(adjusted[k]),
        )
        for k, category in enumerate(classes)
    )
