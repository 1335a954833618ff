"""What a clinical measurement method is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ...analysis import Measurement, MedicalImage, Segmentation
from ...parameters import Configurable
from ...progress import Progress
from ...registry import Registry

__all__ = ["MEASURES", "ClinicalMeasure"]


@dataclass(frozen=True)
class ClinicalMeasure(Configurable, ABC):
    """Measures clinically defined quantities on the original intensities and the segmentation.

    What cannot be measured is returned with value NaN and a reason, never left out and never invented.
    """

    @abstractmethod
    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the measurements, in the order in which people read them."""


MEASURES: Registry[type[ClinicalMeasure]] = Registry("clinical measurement", __package__)
