"""The cardiothoracic ratio of frontal chest radiographs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...analysis import Line, Measurement, MedicalImage, Segmentation
from ...progress import Progress
from .measure import MEASURES, ClinicalMeasure

__all__ = ["CardiothoracicRatio"]

_DANZER = (
    "Danzer CS. The cardiothoracic ratio: an index of cardiac enlargement. Am J Med Sci 1919;157:513-521; "
    "use and limits: Simkus P et al. Insights Imaging 2021;12. doi:10.1186/s13244-021-01097-0"
)
_RATIO = (
    "cardiothoracic_ratio",
    "Cardiothoracic ratio",
    "1",
    "Transverse cardiac width (greatest distances of the right and the left cardiac border from the midline, added) "
    "divided by the greatest internal width of the thorax.",
)
_CARDIAC = (
    "cardiac_width",
    "Transverse cardiac width",
    "",
    "Sum of the greatest distances of the right and the left cardiac border from the midline.",
)
_THORACIC = (
    "thoracic_width",
    "Internal thoracic width",
    "",
    "Greatest horizontal distance between the outer borders of the right and the left lung.",
)
# Root mean square error of the ratio from outlines of the method `chest-xray` against that from the masks of JSRT/SCR
# (see Docs/presets/chest-xray.md), by what made the outlines. The error of its classical engine stands for outlines of
# unknown origin too; those corrected by hand are better than that.
_STANDARD_ERRORS = {"chest-xray network": 0.025}
_STANDARD_ERROR = 0.036
# Ratios beyond these bounds do not occur, not even in children or with large effusions: the outlines are then wrong.
_LEAST_RATIO = 0.25
_MOST_RATIO = 0.85
# The midline is where the lungs face each other in this upper part of their height, above the heart.
_MIDLINE_PART = 0.35


@dataclass(frozen=True)
class _Span:
    """A horizontal span in continuous pixel coordinates, and the rows of its two ends."""

    left: float
    right: float
    left_row: float
    right_row: float

    @property
    def width(self) -> float:
        return self.right - self.left


@MEASURES.register
@dataclass(frozen=True)
class CardiothoracicRatio(ClinicalMeasure):
    """Cardiothoracic ratio after Danzer (1919), from the outlines of both lungs and the heart.

    Widths are along the rows of the picture. The ratio needs no pixel spacing; without it the widths are in pixels.
    """

    name = "cardiothoracic-ratio"
    title = "Cardiothoracic ratio"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the ratio, the cardiac width and the thoracic width."""
        progress.step("Measuring the cardiothoracic ratio")
        unit = image.info.length_unit
        masks = {key: _mask(segmentation, key) for key in ("right-lung", "left-lung", "heart")}
        lacking = [key.replace("-", " ") for key, mask in masks.items() if mask is None]
        if lacking:
            return _nothing(f"Not found: {', '.join(lacking)}.", unit)
        right, left, heart = masks.values()
        thorax = _thoracic_span(right, left)
        if thorax is None:
            return _nothing("No row of the picture shows both lungs.", unit)
        reason = _doubt(right, left, heart, thorax)
        if reason:
            return _nothing(reason, unit)
        span = _widest(heart)
        midline = _midline(right, left, thorax)
        spacing = image.pixels.GetSpacing()[0]
        error = _STANDARD_ERRORS.get(segmentation.made_by, _STANDARD_ERROR)
        return (
            replace(_measurement(_RATIO, span.width / thorax.width, "1", ()), standard_error=error),
            _measurement(_CARDIAC, span.width * spacing, unit, _cardiac_lines(image.pixels, span, midline)),
            _measurement(_THORACIC, thorax.width * spacing, unit, (_thoracic_line(image.pixels, thorax),)),
        )


def _mask(segmentation: Segmentation, key: str) -> np.ndarray | None:
    found = segmentation.find(key)
    if found is None:
        return None
    mask = sitk.GetArrayFromImage(segmentation.mask(found)).astype(bool)
    return mask if mask.any() else None


def _ends(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows that hold some of the mask, and in each its first and last column."""
    rows = np.flatnonzero(mask.any(axis=1))
    return rows, mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)


def _widest(mask: np.ndarray) -> _Span:
    """Return the span from the leftmost to the rightmost edge of the mask, at whatever rows they are."""
    rows, first, last = _ends(mask)
    return _Span(
        float(first.min()) - 0.5,
        float(last.max()) + 0.5,
        float(np.median(rows[first == first.min()])),
        float(np.median(rows[last == last.max()])),
    )


def _thoracic_span(right: np.ndarray, left: np.ndarray) -> _Span | None:
    """Return the widest horizontal span from the outer edge of the right lung to that of the left, in one row."""
    right_rows, right_first, _ = _ends(right)
    left_rows, _, left_last = _ends(left)
    rows, at_right, at_left = np.intersect1d(right_rows, left_rows, return_indices=True)
    if len(rows) == 0:
        return None
    widths = left_last[at_left] - right_first[at_right] + 1
    row = int(np.median(np.flatnonzero(widths == widths.max())))
    return _Span(right_first[at_right][row] - 0.5, left_last[at_left][row] + 0.5, float(rows[row]), float(rows[row]))


def _midline(right: np.ndarray, left: np.ndarray, thorax: _Span) -> float:
    """Return the column midway between the facing borders of the lungs, above the heart."""
    right_rows, _, right_last = _ends(right)
    left_rows, left_first, _ = _ends(left)
    rows, at_right, at_left = np.intersect1d(right_rows, left_rows, return_indices=True)
    upper = rows <= rows[0] + _MIDLINE_PART * (rows[-1] - rows[0])
    middles = (right_last[at_right][upper] + left_first[at_left][upper]) / 2
    return float(np.clip(np.median(middles), thorax.left, thorax.right))


def _doubt(right: np.ndarray, left: np.ndarray, heart: np.ndarray, thorax: _Span) -> str:
    """Return why the ratio cannot be measured on these outlines, or ""."""
    span = _widest(heart)
    columns = right.shape[1]
    if thorax.left <= 0 or thorax.right >= columns - 1:
        return "The chest is cut off at the side of the picture: its width cannot be measured."
    if not thorax.left < span.left < span.right < thorax.right:
        return "The heart's outline is not between the outer borders of the lungs: check the segmentation."
    ratio = span.width / thorax.width
    if not _LEAST_RATIO <= ratio <= _MOST_RATIO:
        return f"The outlines give a ratio of {ratio:.2f}, which does not occur: check the segmentation."
    return ""


def _cardiac_lines(pixels: sitk.Image, span: _Span, midline: float) -> tuple[Line, ...]:
    return (
        _line("Right cardiac border to midline", pixels, span.left, midline, span.left_row),
        _line("Left cardiac border to midline", pixels, midline, span.right, span.right_row),
    )


def _thoracic_line(pixels: sitk.Image, thorax: _Span) -> Line:
    return _line("Internal thoracic width", pixels, thorax.left, thorax.right, thorax.left_row)


def _line(name: str, pixels: sitk.Image, start: float, end: float, row: float) -> Line:
    first = pixels.TransformContinuousIndexToPhysicalPoint((start, row))
    return Line(name, first, pixels.TransformContinuousIndexToPhysicalPoint((end, row)))


def _measurement(
    what: tuple[str, str, str, str], value: float, unit: str, lines: tuple[Line, ...], reason: str = ""
) -> Measurement:
    name, title, _, description = what
    return Measurement(name, title, float(value), unit, description, _DANZER, lines=lines, reason=reason)


def _nothing(reason: str, unit: str) -> tuple[Measurement, ...]:
    kinds = ((_RATIO, "1"), (_CARDIAC, unit), (_THORACIC, unit))
    return tuple(_measurement(what, float("nan"), unit, (), reason) for what, unit in kinds)
