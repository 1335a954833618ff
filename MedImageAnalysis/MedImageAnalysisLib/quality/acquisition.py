"""Checks of how an image was made: the image that a preset expects, Hounsfield units, motion between slices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..analysis import QualityFinding
from ..imaging.pixels import axis_lengths, view
from ..parameters import parameter
from .check import AMBER, CHECKS, GREEN, QualityCase, QualityCheck

__all__ = ["HounsfieldScale", "SliceMotion", "Suitability"]

_SOFT_TISSUE_HU = (-150, 150)
_LEAST_SOFT_SHARE = 0.02
_SAMPLE = 500_000
_LEAST_SLICES = 8
_MOST_PIXELS_PER_SIDE = 128


@CHECKS.register
@dataclass(frozen=True)
class Suitability(QualityCheck):
    """Is it the image that the preset is made for: modality and body part of its header."""

    name = "suitability"
    title = "Modality and body part"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber for each doubt; another modality altogether is refused before anything is done."""
        for doubt in case.doubts:
            yield self.found(AMBER, doubt)
        if not case.doubts and case.image.info.modality:
            yield self.found(GREEN, "The image is of a kind that the preset is made for.")


@CHECKS.register
@dataclass(frozen=True)
class HounsfieldScale(QualityCheck):
    """Are intensities of CT on their scale: some of the patient must be as dense as soft tissue."""

    name = "hounsfield-scale"
    title = "Hounsfield units"

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber if next to nothing lies between -150 and 150 HU."""
        if case.image.info.modality != "CT" and case.image.info.intensity_unit != "HU":
            return
        values = view(case.image.pixels).ravel()
        values = values[:: max(1, values.size // _SAMPLE)]
        share = float(np.mean((values >= _SOFT_TISSUE_HU[0]) & (values <= _SOFT_TISSUE_HU[1])))
        if share < _LEAST_SOFT_SHARE:
            words = "lies between -150 and 150 HU: the intensities may not be Hounsfield units."
            yield self.found(AMBER, f"Only {100 * share:.1f} % of the image {words}")
        else:
            yield self.found(GREEN, "Soft tissue lies where it belongs on the scale.")


@CHECKS.register
@dataclass(frozen=True)
class SliceMotion(QualityCheck):
    """Did the patient move between slices: neighbors must be more alike than every second slice.

    The mean absolute difference of neighbors, relative to that of every second slice, is 0.5 to 0.8 in still patients,
    1 in pure noise, and more where slices acquired in turns were shifted against each other.
    """

    name = "slice-motion"
    title = "Motion between slices"
    caution: float = parameter(0.95, "Relative difference of neighbors that is a caution.", minimum=0.1, maximum=10)

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield a finding for volumes of at least eight slices that differ from each other."""
        if case.image.pixels.GetDimension() != 3:
            return
        # The slices lie across the coarsest axis of the array; of equal ones, the first.
        axis = int(np.argmax(np.round(axis_lengths(case.image.pixels), 3)))
        slices = np.moveaxis(view(case.image.pixels), axis, 0)
        if len(slices) < _LEAST_SLICES:
            return
        steps = tuple(slice(None, None, max(1, n // _MOST_PIXELS_PER_SIDE)) for n in slices.shape[1:])
        small = slices[(slice(None), *steps)]
        near, far = (_differences(small, distance) for distance in (1, 2))
        differ = far > 0
        if not differ.any():
            return
        ratio = float(np.median(((near[1:] + near[:-1]) / 2)[differ] / far[differ]))
        if ratio > self.caution:
            words = "the patient moved between slices, or there is nothing but noise."
            yield self.found(
                AMBER, f"Neighboring slices differ as much as every second one (ratio {ratio:.2f}): {words}"
            )
        else:
            yield self.found(GREEN, "Neighboring slices fit each other.")


def _differences(slices: np.ndarray, distance: int) -> np.ndarray:
    """Return the mean absolute difference of each pair of slices so far apart, pair by pair to save memory."""
    pairs = zip(slices[:-distance], slices[distance:], strict=True)
    return np.array([np.abs(np.subtract(second, first, dtype=np.float32)).mean() for first, second in pairs])
