"""What a quality check is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..analysis import Measurement, MedicalImage, QualityFinding, Recognition, Segment, Segmentation
from ..imaging.pixels import view
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
    recognitions : tuple of Recognition
    """

    image: MedicalImage
    segmentation: Segmentation
    measurements: tuple[Measurement, ...]
    doubts: tuple[str, ...] = ()
    recognitions: tuple[Recognition, ...] = ()

    def box(self, segment: Segment) -> tuple[slice, ...] | None:
        """Return the box of a segment along (z, y, x) or (y, x), or None if it has no pixel."""
        boxes = self._boxes[segment.layer]
        return boxes[segment.label - 1] if segment.label <= len(boxes) else None

    def mask(self, segment: Segment) -> np.ndarray:
        """Return the pixels of a segment within its box, which is not None."""
        return view(self.segmentation.layers[segment.layer])[self.box(segment)] == segment.label

    @cached_property
    def _boxes(self) -> tuple[list[tuple[slice, ...] | None], ...]:
        """The box of each label of each layer, found in one pass without a mask of the image's size."""
        from scipy.ndimage import find_objects

        return tuple(find_objects(view(layer)) for layer in self.segmentation.layers)


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
