"""Checks of what was found: empty or cropped structures, sides exchanged, implausible sizes, missing measurements."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from ..analysis import QualityFinding, Segment
from ..parameters import parameter
from .check import AMBER, CHECKS, GREEN, RED, QualityCase, QualityCheck

__all__ = ["Cropping", "EmptySegments", "HeartSide", "MissingMeasurements", "PlausibleSize", "Sides"]

_LEFT, _RIGHT = "left-", "right-"
_CUT_SHARE = 0.02
# SNOMED CT: morphologically altered structures, and physical objects.
_NOT_IN_EVERYBODY = ("49755003", "260787004")


def _may_be_absent(segment: Segment) -> bool:
    return segment.category is not None and segment.category.value in _NOT_IN_EVERYBODY


@CHECKS.register
@dataclass(frozen=True)
class EmptySegments(QualityCheck):
    """Was everything found that everybody has: segments without a single pixel.

    A lesion, a calcification or an implant may be absent; :class:`.candidates.NothingSeen` says what that means.
    """

    name = "empty-segments"
    title = "Structures found"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield red with the names of empty segments."""
        segments = case.segmentation.segments
        expected = [segment for segment in segments if not _may_be_absent(segment)]
        empty = [segment.name for segment in expected if case.box(segment) is None]
        if empty or not segments:
            yield self.found(RED, f"Not found: {', '.join(empty) or 'any structure'}.")
        elif expected:
            yield self.found(GREEN, "All structures were found.")


@CHECKS.register
@dataclass(frozen=True)
class Cropping(QualityCheck):
    """Is a structure cut off: the share of the image's border that it touches."""

    name = "cropping"
    title = "Field of view"
    least_share: float = parameter(
        _CUT_SHARE, "Share of a structure's pixels on the image's border that is a caution.", minimum=0.0, maximum=1.0
    )

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber with the names of named structures that reach over the border."""
        whole = [row for row in _plausible() if row.whole]
        keys = {row.key for row in whole}
        named = [segment for segment in case.segmentation.segments if segment.key in keys]
        cut = [segment.name for segment in named if _is_cut(case, segment, self.least_share)]
        if cut:
            yield self.found(AMBER, f"Cut off by the border of the image: {', '.join(cut)}.")
        elif named:
            yield self.found(GREEN, "The structures lie whole within the image.")


@CHECKS.register
@dataclass(frozen=True)
class Sides(QualityCheck):
    """Are left and right exchanged: the left one of a pair must lie toward the patient's left (larger x in LPS).

    On a radiograph without a place in space, the picture's right is taken for the patient's left, as it is displayed.
    """

    name = "sides"
    title = "Left and right"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield red if a pair is exchanged."""
        pairs = list(_pairs(case))
        exchanged = [left.name for left, right in pairs if _center_of_box(case, left) <= _center_of_box(case, right)]
        if exchanged:
            yield self.found(RED, f"Left and right seem to be exchanged: {', '.join(exchanged)}.")
        elif pairs:
            yield self.found(GREEN, "Left and right lie where they belong.")


@CHECKS.register
@dataclass(frozen=True)
class HeartSide(QualityCheck):
    """Is the image mirrored: the heart lies to the left of the middle between the lungs.

    In 123 adults of JSRT the center of the heart lies 2.6 to 13.5 % of the lungs' width left of their middle.
    """

    name = "heart-side"
    title = "Side of the heart"
    limit: float = parameter(
        0.02, "Share of the lungs' width to the right of their middle that is too much.", minimum=0.0, maximum=0.5
    )

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield red if the heart lies on the right."""
        found = [case.segmentation.find(key) for key in ("right-lung", "left-lung", "heart")]
        if any(segment is None or case.box(segment) is None for segment in found):
            return
        lungs = [end for segment in found[:2] for end in _ends(case, segment)]
        middle, width = (min(lungs) + max(lungs)) / 2, max(lungs) - min(lungs)
        offset = (_center_of_mass(case, found[2]) - middle) / max(width, 1e-6)
        if offset < -self.limit:
            yield self.found(RED, "The heart lies on the right: the image is mirrored, or the patient's heart is.")
        else:
            yield self.found(GREEN, "The heart lies on the left or in the middle.")


@CHECKS.register
@dataclass(frozen=True)
class PlausibleSize(QualityCheck):
    """Is a structure of a size that occurs: its volume against the range in `plausible_volumes.csv` (3D, mm)."""

    name = "plausible-size"
    title = "Plausible size"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber for each structure out of range."""
        pixels = case.image.pixels
        if pixels.GetDimension() != 3 or not case.image.info.spacing_source:
            return
        voxel_ml = float(np.prod(pixels.GetSpacing())) / 1000
        ranges = {row.key: row for row in _plausible()}
        looked = False
        for segment in case.segmentation.segments:
            row = ranges.get(segment.key)
            if row is None:
                continue
            volume = np.count_nonzero(case.mask(segment)) * voxel_ml if case.box(segment) else 0.0
            # What is cut off is named by another check: it may be small, but not too large.
            if volume <= row.maximum_ml and _is_cut(case, segment, _CUT_SHARE):
                continue
            looked = True
            if not row.minimum_ml <= volume <= row.maximum_ml:
                bounds = f"{row.minimum_ml:g} to {row.maximum_ml:g} mL"
                yield self.found(AMBER, f"{segment.name} has {volume:.0f} mL; adults have {bounds}.")
        if looked:
            yield self.found(GREEN, "Sizes were compared with those of adults.")


@CHECKS.register
@dataclass(frozen=True)
class MissingMeasurements(QualityCheck):
    """Was everything measured: measurements without a value, with their reasons."""

    name = "missing-measurements"
    title = "Measurements"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber for the measurements that could not be made, those for one reason together."""
        missing: dict[str, list[str]] = {}
        for measurement in case.measurements:
            if np.isnan(measurement.value):
                missing.setdefault(measurement.reason, []).append(measurement.title)
        for reason, titles in missing.items():
            yield self.found(AMBER, f"Not measured: {', '.join(titles)}. {reason}")
        if case.measurements and not missing:
            yield self.found(GREEN, "All measurements were made.")


@dataclass(frozen=True)
class _PlausibleVolume:
    key: str
    minimum_ml: float
    maximum_ml: float
    whole: bool


@cache
def _plausible() -> tuple[_PlausibleVolume, ...]:
    """Return the table of plausible volumes; `whole` marks structures that a good image shows whole."""
    text = resources.files(__package__).joinpath("plausible_volumes.csv").read_text(encoding="utf-8")
    return tuple(
        _PlausibleVolume(row["key"], float(row["minimum_ml"]), float(row["maximum_ml"]), row["whole"] == "yes")
        for row in csv.DictReader(text.splitlines())
    )


def _is_cut(case: QualityCase, segment: Segment, least_share: float) -> bool:
    """Tell whether so large a share of a structure lies on the border of the image."""
    box = case.box(segment)
    if box is None:
        return False
    mask = case.mask(segment)
    shape = reversed(case.segmentation.layers[segment.layer].GetSize())
    on_border = 0
    for axis, (part, length) in enumerate(zip(box, shape, strict=True)):
        for touches, side in ((part.start == 0, 0), (part.stop == length, -1)):
            on_border += np.count_nonzero(np.take(mask, side, axis=axis)) if touches else 0
    return on_border > least_share * np.count_nonzero(mask)


def _pairs(case: QualityCase) -> Iterator[tuple[Segment, Segment]]:
    """Yield the left and the right one of each pair that was found."""
    found = {segment.key: segment for segment in case.segmentation.segments if case.box(segment)}
    for key, left in found.items():
        right = found.get(_RIGHT + key.removeprefix(_LEFT))
        if key.startswith(_LEFT) and right:
            yield left, right


def _ends(case: QualityCase, segment: Segment) -> tuple[float, float]:
    """Return how far a structure reaches along the patient's left (mm): the ends of its box."""
    ends = [(float(part.start), float(part.stop - 1)) for part in reversed(case.box(segment))]
    corners = [_leftward(case, segment, corner) for corner in itertools.product(*ends)]
    return min(corners), max(corners)


def _center_of_box(case: QualityCase, segment: Segment) -> float:
    """Return the middle of a structure's box along the patient's left (mm)."""
    return _leftward(case, segment, [(part.start + part.stop - 1) / 2 for part in reversed(case.box(segment))])


def _center_of_mass(case: QualityCase, segment: Segment) -> float:
    """Return the center of a structure along the patient's left (mm)."""
    mask = case.mask(segment)
    axes = range(mask.ndim)
    sums = [mask.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
    center = [
        part.start + float(line @ np.arange(line.size) / line.sum())
        for part, line in zip(case.box(segment), sums, strict=True)
    ]
    return _leftward(case, segment, center[::-1])


def _leftward(case: QualityCase, segment: Segment, index: Sequence[float]) -> float:
    """Return how far a continuous index (x, y, z) of the segment's layer lies along the patient's left (mm)."""
    return case.segmentation.layers[segment.layer].TransformContinuousIndexToPhysicalPoint(index)[0]
