"""The recipes of the networks that ship with the package."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..data import LabelledImage
from ..fitting import group_folds
from ..recipes import BRAIN, CHEST
from .recipe import NetworkRecipe
from .variation import Variation

__all__ = ["NETWORKS", "in_order_of_names", "spread_groups"]

PARTS = 5
# The first two members leave out the lowest and the highest numbers: there is nothing like them on the other side.
_ORDER = (1, 3, 2, 4, 0)


def spread_groups(cases: Sequence[LabelledImage]) -> np.ndarray:
    """Return the part of each case; groups are dealt out at random, the categories evenly."""
    return group_folds([case.group for case in cases], np.array([case.category for case in cases]), PARTS, seed=0)


def in_order_of_names(cases: Sequence[LabelledImage]) -> np.ndarray:
    """Return the part of each case, by the number in the name of its group.

    Names such as IM-0115 or person42 were given one after the other. Parts of neighboring numbers differ more than
    parts drawn at random do: who trains on the others and judges one of them sees what changes over time.
    """
    groups = sorted({case.group for case in cases}, key=_prefix_and_number)
    by_prefix: dict[str, list[str]] = {}
    for group in groups:
        by_prefix.setdefault(_prefix_and_number(group)[0], []).append(group)
    part = {name: _ORDER[PARTS * i // len(names)] for names in by_prefix.values() for i, name in enumerate(names)}
    return np.array([part[case.group] for case in cases])


def _prefix_and_number(group: str) -> tuple[str, int]:
    prefix, number = re.fullmatch(r"(.*?)(\d*)", group).groups()
    return prefix, int(number or 0)


CHEST_NETWORK = NetworkRecipe(
    base=CHEST,
    name="chest-xray-pneumonia-network",
    parts=in_order_of_names,
    parts_in_words="fifths of the patients in the order of their numbers, so that a part differs from the rest as one "
    "year differs from another",
    # Normal is as common as pneumonia, and bacterial as viral.
    priors=(0.5, 0.25, 0.25),
)

BRAIN_NETWORK = NetworkRecipe(
    base=BRAIN,
    name="brain-tumor-mri-network",
    parts=spread_groups,
    parts_in_words="fifths of the groups of near-duplicates, drawn at random",
    priors=(0.25, 0.25, 0.25, 0.25),
    fill_marks=False,
    spoiled=1600,
    variation=Variation(turn=15.0, zoom=(0.85, 1.2), covered=0.15, shade=0.1),
)

NETWORKS = {recipe.name: recipe for recipe in (CHEST_NETWORK, BRAIN_NETWORK)}
