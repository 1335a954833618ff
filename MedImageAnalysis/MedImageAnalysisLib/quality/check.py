"""What a quality check is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from ..analysis import Measurement, MedicalImage, QualityFinding, Segmentation
from ..parameters import Configurable
from ..registry import Registry

__all__ = ["AMBER", "CHECKS", "GREEN", "RED", "QualityCase", "QualityCheck"]

GREEN, AMBER, RED = "green", "amber", "red"


@dataclass(frozen=True, eq=False)
class QualityCase:
    """What there is to judge: the image as it came, and what was found on its grid.

    Parameters
    ----------
    image : MedicalImage
    segmentation : Segmentation
    measurements : tuple of Measurement
    doubts : tuple of str
        Why the image may not be of the kind that the preset is made for.
    """

    image: MedicalImage
    segmentation: Segmentation
    measurements: tuple[Measurement, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityCheck(Configurable, ABC):
    """Looks for one kind of trouble that makes results less trustworthy.

    A check says nothing (yields no finding) where it does not apply, green where it looked and all is well, amber for
    a caution and red for a result that should not be used before somebody has looked.
    """

    @abstractmethod
    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield the findings."""

    def found(self, level: str, reason: str) -> QualityFinding:
        """Return a finding of this check."""
        return QualityFinding(level, self.title, reason)


CHECKS: Registry[type[QualityCheck]] = Registry("quality check", __package__)
