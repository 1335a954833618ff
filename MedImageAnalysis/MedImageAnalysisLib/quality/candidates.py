"""Checks of lesions: those that are proposed for somebody to judge, and those that were not seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..analysis import QualityFinding
from .check import AMBER, CHECKS, QualityCase, QualityCheck

__all__ = ["NothingSeen", "TumorCandidate"]

# What methods miss that look for something by how it looks.
_MISSED = {
    "breast-lesion": "No lesion was seen. Those as bright as the tissue around them are missed: none is ruled out.",
    "tumor-candidate": "No tumor candidate was seen. Tumors that are not bright are missed: none is ruled out.",
    "hyperdense": "No hyperdense area was seen. Small or old hemorrhages are missed: none is ruled out.",
}


@CHECKS.register
@dataclass(frozen=True)
class TumorCandidate(QualityCheck):
    """Is a tumor only proposed: candidates are also given in slices without a tumor, so none is ever green."""

    name = "tumor-candidate"
    title = "Candidate"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber if there is a tumor candidate."""
        candidate = case.segmentation.find("tumor-candidate")
        if candidate is not None and case.box(candidate) is not None:
            yield self.found(
                AMBER,
                "The tumor candidate is uncertain: it is the most conspicuous bright region, and is often given where "
                "there is no tumor, or beside it. Look at it before using its size or features.",
            )


@CHECKS.register
@dataclass(frozen=True)
class NothingSeen(QualityCheck):
    """Was nothing abnormal seen: that may be right, and it may be what the method misses."""

    name = "nothing-seen"
    title = "Nothing seen"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber for each kind of lesion that was looked for and is empty."""
        for segment in case.segmentation.segments:
            if segment.key in _MISSED and case.box(segment) is None:
                yield self.found(AMBER, _MISSED[segment.key])
