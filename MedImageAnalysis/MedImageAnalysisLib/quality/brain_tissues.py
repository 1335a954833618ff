"""Check of the tissues of the brain: gray and white matter have a proportion that brains have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..analysis import QualityFinding
from ..parameters import parameter
from .check import AMBER, CHECKS, GREEN, QualityCase, QualityCheck

__all__ = ["GrayAndWhite"]


@CHECKS.register
@dataclass(frozen=True)
class GrayAndWhite(QualityCheck):
    """Were gray and white matter told apart: in T2, after contrast agent or noisy they may be equally bright.

    In 20 labeled brains of adults, young and old, there is 1.13 to 1.43 times as much gray as white matter.
    """

    name = "gray-and-white"
    title = "Gray and white matter"
    least: float = parameter(0.8, "Least volume of gray matter, as a multiple of that of white matter.", minimum=0.0)
    most: float = parameter(2.0, "Greatest volume of gray matter, as a multiple of that of white matter.", minimum=0.0)

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber if the proportion is none that brains have."""
        found = [case.segmentation.find(key) for key in ("gray-matter", "white-matter")]
        if any(segment is None or case.box(segment) is None for segment in found):
            return
        gray, white = (np.count_nonzero(case.mask(segment)) for segment in found)
        if self.least <= gray / white <= self.most:
            yield self.found(GREEN, "Gray and white matter have a usual proportion.")
        else:
            yield self.found(
                AMBER,
                f"There is {gray / white:.2f} times as much gray as white matter; adults have {self.least:g} to "
                f"{self.most:g} times. They were not told apart well in this image: do not use their volumes. The "
                "brain as a whole may be right; look at its outline.",
            )
