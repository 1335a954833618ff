"""Structures that other tools deliver in parts: a lung as its lobes, the heart as its chambers."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np

from ..analysis import Segment, Segmentation
from ..imaging.pixels import blank_like, view
from . import segment
from .matching import words_of

__all__ = ["with_wholes"]


@dataclass(frozen=True)
class _Part:
    """A row of `wholes.csv`: a part by its name or by its SNOMED CT codes (DICOM CID 6170 for lobes)."""

    whole: str
    words: tuple[str, ...]
    type_code: str
    modifier_code: str
    all_needed: bool

    def is_it(self, candidate: Segment) -> bool:
        if words_of(candidate.name) == self.words:
            return True
        if not self.type_code or candidate.type is None or candidate.type.value != self.type_code:
            return False
        # The middle lobe needs no side: there is one.
        return not self.modifier_code or (
            candidate.modifier is not None and candidate.modifier.value == self.modifier_code
        )


def with_wholes(segmentation: Segmentation) -> Segmentation:
    """Add, in a layer of its own, each structure that is there in parts only; all else stays as it is.

    Of a lung the lobes that are there will do, since one may lie outside the field of view or have been taken out; the
    heart needs all its parts.

    Parameters
    ----------
    segmentation : Segmentation

    Returns
    -------
    Segmentation
        The same object if there is nothing to add.
    """
    wholes = {}
    for key in dict.fromkeys(part.whole for part in _table()):
        if segmentation.find(key) is None:
            rows = [part for part in _table() if part.whole == key]
            found = [[s for s in segmentation.segments if part.is_it(s)] for part in rows]
            if any(found) and (all(found) or not rows[0].all_needed):
                wholes[key] = [candidate for group in found for candidate in group]
    if not wholes:
        return segmentation
    image, labels = blank_like(segmentation.layers[0], np.uint8)
    layer = len(segmentation.layers)
    added = []
    for label, (key, parts) in enumerate(wholes.items(), start=1):
        for part in parts:
            labels[view(segmentation.layers[part.layer]) == part.label] = label
        added.append(segment(key, label, layer))
    return replace(segmentation, layers=(*segmentation.layers, image), segments=(*segmentation.segments, *added))


@cache
def _table() -> tuple[_Part, ...]:
    text = resources.files(__package__).joinpath("wholes.csv").read_text(encoding="utf-8")
    return tuple(
        _Part(row["whole"], words_of(row["part"]), row["type_code"], row["modifier_code"], row["all_needed"] == "yes")
        for row in csv.DictReader(text.splitlines())
    )
