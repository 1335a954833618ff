"""The recipes of the networks that ship with the package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data import LabelledImage, lots
from ..recipes import BRAIN, CHEST
from .recipe import NetworkRecipe
from .schedule import Schedule
from .variation import Variation

__all__ = ["NETWORKS", "eighths_by_lot", "in_order_of_names"]

PARTS = 5
# The first two members leave out the lowest and the highest numbers: there is nothing like them on the other side.
_ORDER = (1, 3, 2, 4, 0)


def eighths_by_lot(cases: Sequence[LabelledImage]) -> np.ndarray:
    """Return the part of each case, from 0 to 7, by the lot of its group: other groups have no say in it."""
    return (8 * lots([case.group for case in cases], seed=4)).astype(np.int64)


def in_order_of_names(cases: Sequence[LabelledImage]) -> np.ndarray:
    """Return the part of each case, by the number in the name of its group.

    Names such as IM-0115 or person42 were given one after the other. Parts of neighboring numbers differ more than
    parts drawn at random do: who trains on the others and judges one of them sees what changes over time.
    """
    families: dict[str, list[str]] = {}
    for group in sorted({case.group for case in cases}, key=_family_and_number):
        families.setdefault(_family_and_number(group)[0], []).append(group)
    part = {name: _ORDER[PARTS * i // len(names)] for names in families.values() for i, name in enumerate(names)}
    return np.array([part[case.group] for case in cases])


def _family_and_number(group: str) -> tuple[str, int]:
    """Split a name at its last number: person42virus is number 42 of the family personvirus."""
    found = re.fullmatch(r"(.*?)(\d*)(\D*)", group)
    return found[1] + found[3], int(found[2] or 0)


_LONG = Schedule(batch=64, strangers=16, mixing=0.4, dropout=0.3, smoothing=0.1)

CHEST_NETWORK = NetworkRecipe(
    base=replace(CHEST, description=CHEST.description | {"version": "2.1.0"}),
    name="chest-xray-pneumonia-network",
    parts=in_order_of_names,
    parts_in_words="fifths of the patients in the order of their numbers, so that a part differs from the rest as one "
    "year differs from another",
    # Normal is as common as pneumonia, and bacterial as viral.
    priors=(0.5, 0.25, 0.25),
    size=128,
    members=5,
    widths=(24, 48, 96, 192),
    schedule=replace(_LONG, steps=5000, spoiled=8, small=0.3, memory=0.998),
    known_failures=(
        "Bacterial and viral pneumonia look alike and are often taken for one another.",
        "One hospital, one kind of machine, children of 1 to 5 years. Elsewhere more of the healthy may be called ill.",
        "Effusion, tubes, cardiomegaly and tumors are not among the categories.",
    ),
)

BRAIN_NETWORK = NetworkRecipe(
    base=replace(BRAIN, description=BRAIN.description | {"version": "2.1.0"}),
    name="brain-tumor-mri-network",
    parts=eighths_by_lot,
    parts_in_words="eighths of the groups of near-duplicates, drawn by lot",
    priors=(0.25, 0.25, 0.25, 0.25),
    size=144,
    fill_marks=False,
    members=5,
    widths=(24, 48, 96, 96, 192),
    judging=64,
    flagged=0.03,
    flag_groups=True,
    spoiled=1600,
    schedule=replace(_LONG, steps=10000, spoiled=11, small=0.2, memory=0.999, strangeness=0.5),
    # Tumors are small, and what tells them apart is fine: the images of this collection differ little in quality.
    variation=Variation(
        turn=12.0,
        zoom=(0.85, 1.15),
        stretch=0.1,
        shear=0.06,
        shift=0.06,
        bend=0.012,
        shade=0.06,
        contrast=(-0.4, 0.6),
        soft=0.15,
        noise=0.03,
        covered=0.1,
    ),
    known_failures=(
        BRAIN.known_failures[0],
        "Meningiomas are the hardest: most of its errors take them for gliomas or pituitary tumors.",
        "A quarter of the slices that are upside down are assessed all the same, mostly axial ones, which look much "
        "alike either way.",
    ),
)

NETWORKS = {recipe.name: recipe for recipe in (CHEST_NETWORK, BRAIN_NETWORK)}
