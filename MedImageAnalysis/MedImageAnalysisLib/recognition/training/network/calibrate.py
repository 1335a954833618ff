"""The numbers of a network's model.json, from what members say of cases that they have never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...probabilities import softmax
from ..calibration import balanced, fit_temperature
from .members import LeftOut
from .recipe import NetworkRecipe

__all__ = ["Calibration", "calibrate"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Numbers fitted on left-out cases.

    Parameters
    ----------
    temperature : float
    stranger_limit : float
    probabilities : numpy.ndarray, shape (left-out cases, classes)
        What the members say of them at this temperature.
    """

    temperature: float
    stranger_limit: float
    probabilities: np.ndarray


def calibrate(
    recipe: NetworkRecipe, left: LeftOut, categories: np.ndarray, groups: Sequence[str] | None = None
) -> Calibration:
    """Fit temperature and limit of strangeness; categories and groups are those of the left-out cases.

    Groups are needed only where the recipe asks for them.
    """
    weights = np.array(recipe.priors)[categories] * balanced(categories, len(recipe.priors))
    temperature = fit_temperature(left.scores, categories, weights)
    return Calibration(
        temperature,
        _limit(left.strangeness, recipe.flagged, groups if recipe.flag_groups else None),
        softmax(left.scores / temperature),
    )


def _limit(strangeness: np.ndarray, flagged: float, groups: Sequence[str] | None) -> float:
    """Return what all but the share `flagged` stay below; with groups, n cases of a group count as √n."""
    if groups is None:
        return float(np.quantile(strangeness, 1 - flagged))
    _, index, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.argsort(strangeness)
    reached = np.cumsum(1 / np.sqrt(sizes[index[order]]))
    return float(strangeness[order][np.searchsorted(reached, (1 - flagged) * reached[-1])])
