"""Runs all checks and sums them up."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import QualityFinding
from ..progress import Progress
from .check import AMBER, CHECKS, GREEN, RED, QualityCase

__all__ = ["assess", "overall"]

_WORST_FIRST = (RED, AMBER, GREEN)


def assess(case: QualityCase, progress: Progress = Progress()) -> tuple[QualityFinding, ...]:  # noqa: B008
    """Return the findings of all checks, the worst first; `progress` is asked before each check."""
    findings: list[QualityFinding] = []
    for number, check in enumerate(CHECKS.values()):
        progress.step("Check the quality", number / len(CHECKS))
        findings += check()(case)
    return tuple(sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.level)))


def overall(findings: Sequence[QualityFinding]) -> str:
    """Return the worst level of the findings; "green" if there is none."""
    return next((level for level in _WORST_FIRST if any(finding.level == level for finding in findings)), GREEN)
