"""Recognize segments that others made: by their SNOMED CT code, else by their name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import resources

from ..analysis import Code, Segment
from . import Structure, structures

__all__ = ["matched", "totalsegmentator_names", "words_of"]

_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right", "lt": "left", "rt": "right"}
# Words without meaning of their own: "upper lobe of left lung".
_FILLERS = frozenset({"of", "the", "structure"})
# Words of TotalSegmentator and of common label tables, beside those of the terminology.
_SYNONYMS = {
    "clavicula": "clavicle",
    "clavicles": "clavicle",
    "vertebrae": "vertebra",
    "lungs": "lung",
    "bones": "bone",
    "windpipe": "trachea",
    "superior": "upper",
    "inferior": "lower",
    "hip": "hip bone",
    "autochthon": "autochthonous back muscle",
}


def matched(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Give each segment the key of its structure in the terminology table; those without one are kept as they are.

    A segment is recognized by its key, else by the codes of its type and modifier, else by its name, where the order
    of the words, left and right in any place, and TotalSegmentator's Latin do not matter. A key goes to the first
    segment that fits, since it must be unique. Missing codes are taken from the table.
    """
    used: set[str] = set()
    result = []
    for segment in segments:
        found = _structure_of(segment)
        if found is None or found.key in used:
            result.append(replace(segment, key=""))
            continue
        used.add(found.key)
        result.append(
            replace(
                segment,
                key=found.key,
                category=found.category if _is_generic(segment.type) else segment.category,
                type=found.type if _is_generic(segment.type) else segment.type,
                modifier=found.modifier if _is_generic(segment.type) else segment.modifier,
            )
        )
    return tuple(result)


@cache
def totalsegmentator_names(version: int = 2) -> dict[int, str]:
    """Return the names of the labels of TotalSegmentator, task "total": 104 of version 1, 117 of version 2.

    References
    ----------
    Wasserthal et al. 2023, doi:10.1148/ryai.230024.
    """
    file = {1: "totalsegmentator_v1.csv", 2: "totalsegmentator.csv"}[version]
    table = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return {int(row["label"]): row["name"] for row in csv.DictReader(table.splitlines())}


def _structure_of(segment: Segment) -> Structure | None:
    table = structures()
    if segment.key in table:
        return table[segment.key]
    if not _is_generic(segment.type):
        for structure in table.values():
            if _same(structure.type, segment.type) and _same(structure.modifier, segment.modifier):
                return structure
    return _by_name().get(words_of(segment.name))


def _is_generic(code: Code | None) -> bool:
    """Tell whether a type says nothing: absent, or Slicer's and our "Tissue" for segments nobody coded."""
    return code is None or code.value in ("85756007", "T-D0050")


def _same(first: Code | None, second: Code | None) -> bool:
    if first is None or second is None:
        return first is second
    return (first.scheme, first.value) == (second.scheme, second.value)


@cache
def _by_name() -> dict[tuple[str, ...], Structure]:
    return {
        words_of(name): structure for structure in structures().values() for name in (structure.name, structure.key)
    }


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in one order, e.g. ("clavicle", "left") for "clavicula_left" and "Left clavicle"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W_]+", spaced.lower())
    words = [_SIDES.get(word, word) for word in words if word not in _FILLERS]
    return tuple(sorted(" ".join(_SYNONYMS.get(word, word) for word in words).split()))
