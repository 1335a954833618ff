"""The numbers of a network's model.json, from what members say of cases that they have never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...probabilities import softmax
from ..calibration import balanced, fit_temperature, set_thresholds
from .members import LeftOut
from .recipe import NetworkRecipe

__all__ = ["Calibration", "calibrate"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Numbers fitted on left-out cases.

    Parameters
    ----------
    temperature : float
    set_thresholds : tuple of float
    stranger_limit : float
    probabilities : numpy.ndarray, shape (left-out cases, classes)
        What the members say of them at this temperature.
    """

    temperature: float
    set_thresholds: tuple[float, ...]
    stranger_limit: float
    probabilities: np.ndarray


def calibrate(recipe: NetworkRecipe, left: LeftOut, categories: np.ndarray) -> Calibration:
    """Fit temperature, prediction sets and limit of strangeness; `categories` are those of the left-out cases."""
    weights = np.array(recipe.priors)[categories] * balanced(categories, len(recipe.priors))
    temperature = fit_temperature(left.scores, categories, weights)
    p = softmax(left.scores / temperature)
    return Calibration(
        temperature,
        set_thresholds(p, categories, recipe.base.settings.coverage),
        float(np.quantile(left.strangeness, 1 - recipe.flagged)),
        p,
    )
