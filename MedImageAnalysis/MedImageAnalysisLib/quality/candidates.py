"""A check of candidates: structures that are proposed for somebody to judge, not recognized."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..analysis import QualityFinding
from .check import AMBER, CHECKS, QualityCase, QualityCheck

__all__ = ["TumorCandidate"]


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
