"""Check whether outline and model agree on there being anything abnormal at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..analysis import QualityFinding, Recognition
from ..percent import percent
from .check import AMBER, CHECKS, GREEN, QualityCase, QualityCheck

__all__ = ["Agreement"]

# Segments that are empty where nothing is wrong.
_LESIONS = ("breast-lesion", "tumor-candidate")
# SNOMED CT: Normal (qualifier value).
_NORMAL = "17621005"


@CHECKS.register
@dataclass(frozen=True)
class Agreement(QualityCheck):
    """Do the outline and the model agree on whether there is a lesion: each sees what the other misses."""

    name = "agreement"
    title = "Outline and model"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield a finding for each lesion and each model that knows a category for there being none."""
        for lesion in case.segmentation.segments:
            if lesion.key not in _LESIONS:
                continue
            outlined = case.box(lesion) is not None
            for recognition in case.recognitions:
                normal = _probability_of_normal(recognition)
                if normal is not None:
                    yield self._judged(outlined, normal, recognition)

    def _judged(self, outlined: bool, normal: float, recognition: Recognition) -> QualityFinding:
        most = max(recognition.categories, key=lambda category: category.probability)
        says = f'"{recognition.title}" holds "{most.category}" for most probable ({percent(most.probability)})'
        if outlined and normal > 0.5:
            return self.found(AMBER, f"A region is outlined, but {says}. One of them is wrong: look at the picture.")
        if not outlined and normal < 0.5:
            return self.found(
                AMBER, f"Nothing is outlined, but {says}. Look at the picture, and outline by hand what is there."
            )
        return self.found(GREEN, f"{'A region' if outlined else 'Nothing'} is outlined, and {says}.")


def _probability_of_normal(recognition: Recognition) -> float | None:
    """Return how probable it is that there is nothing; None if the model does not say."""
    found = [each.probability for each in recognition.categories if each.code and each.code.value == _NORMAL]
    return sum(found) if found else None
