"""What a kind of model returns to :func:`recognize`."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..analysis import CategoryProbability, Evidence

__all__ = ["Assessment"]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a kind of model found: categories with probabilities and evidence, or the reason for not assessing."""

    categories: tuple[CategoryProbability, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remark: str = ""
    reason: str = ""
    evidence_map: sitk.Image | None = None
