"""Segment by intensity: fixed thresholds, Otsu and multi-Otsu."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import InvalidSettingError
from ...imaging.histogram import Histogram, multi_otsu
from ...imaging.pixels import slabs, view
from ...parameters import parameter
from ...progress import Progress
from ..method import METHODS
from .scalar_method import ScalarMethod, labeled

__all__ = ["MultiOtsu", "Otsu", "Threshold", "classes_between"]


def classes_between(values: np.ndarray, thresholds: tuple[float, ...], progress: Progress) -> np.ndarray:
    """Return for each value how many of the thresholds it is above, as uint8."""
    classes = np.zeros(values.shape, np.uint8)
    for slab in slabs(values.shape):
        for threshold in thresholds:
            classes[slab] += values[slab] > threshold
        progress.step(fraction=slab.stop / values.shape[0])
    return classes


@METHODS.register
@dataclass(frozen=True)
class Threshold(ScalarMethod):
    """Everything from the lower to the upper value, both included; empty means no limit."""

    name = "threshold"
    title = "Threshold"
    lower: float | None = parameter(None, "Smallest value that belongs to the object.")
    upper: float | None = parameter(None, "Largest value that belongs to the object.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise InvalidSettingError(f"{self.name}: 'lower' ({self.lower:g}) is above 'upper' ({self.upper:g}).")

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        values = view(image)
        inside = np.ones(values.shape, np.uint8)
        for slab in slabs(values.shape):
            if self.lower is not None:
                inside[slab] &= values[slab] >= self.lower
            if self.upper is not None:
                inside[slab] &= values[slab] <= self.upper
            progress.step(fraction=slab.stop / values.shape[0])
        return labeled(inside, ["Object"], image)


@METHODS.register
@dataclass(frozen=True)
class Otsu(ScalarMethod):
    """Split into dark and bright where the variance between both is largest, ``w0 w1 (mu0 - mu1)^2``.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """

    name = "otsu"
    title = "Otsu threshold"
    object: str = parameter("bright", "Which side of the threshold is the object.", choices=("bright", "dark"))

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        values = view(image)
        thresholds = multi_otsu(Histogram.of(values), 2)
        progress.step(fraction=0.5)
        found = classes_between(values, thresholds, progress.part(0.5, 1.0))
        if self.object == "dark" and thresholds:
            found = 1 - found
        return labeled(found, ["Object"], image)


@METHODS.register
@dataclass(frozen=True)
class MultiOtsu(ScalarMethod):
    """Split into several classes of intensity, numbered from dark to bright.

    References
    ----------
    Liao, Chen, Chung 2001, J Inf Sci Eng 17:713; see :func:`MedImageAnalysisLib.imaging.histogram.multi_otsu`.
    """

    name = "multi-otsu"
    title = "Multi-level Otsu thresholds"
    classes: int = parameter(3, "Number of classes, background included.", minimum=2, maximum=12)
    background: bool = parameter(True, "The darkest class is background and gets no segment.")

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        values = view(image)
        thresholds = multi_otsu(Histogram.of(values), self.classes)
        progress.step(fraction=0.5)
        found = classes_between(values, thresholds, progress.part(0.5, 1.0))
        if not self.background:
            found += 1
        count = len(thresholds) + (0 if self.background else 1)
        return labeled(found, [f"Class {number}" for number in range(1, count + 1)], image)
