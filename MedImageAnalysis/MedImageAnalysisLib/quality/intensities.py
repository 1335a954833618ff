"""Checks of the pixels: contrast, saturation and noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..analysis import QualityFinding
from ..parameters import parameter
from .check import AMBER, CHECKS, GREEN, RED, QualityCase, QualityCheck

__all__ = ["Contrast", "Noise", "Saturation", "noise_deviation"]

# Pixels looked at per image: enough for stable shares, few enough for no cost.
_SAMPLE = 500_000


@CHECKS.register
@dataclass(frozen=True)
class Contrast(QualityCheck):
    """Is there anything to see: how many distinct intensities the image has."""

    name = "contrast"
    title = "Contrast"
    least_levels: int = parameter(32, "Fewer distinct intensities are a caution.", minimum=2, maximum=65536)

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield red for a blank image, amber for a coarse one."""
        levels = np.unique(_sample(case.image.pixels)).size
        if levels < 2:
            yield self.found(RED, "The image is blank: all pixels have one value.")
        elif levels < self.least_levels:
            yield self.found(AMBER, f"The image has {levels} distinct intensities only.")
        else:
            yield self.found(GREEN, "The image has enough distinct intensities.")


@CHECKS.register
@dataclass(frozen=True)
class Saturation(QualityCheck):
    """Is detail lost at the bright end: the share of pixels at the very largest value."""

    name = "saturation"
    title = "Saturation"
    caution_share: float = parameter(0.05, "Share of saturated pixels that is a caution.", minimum=0.0, maximum=1.0)

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber if too many pixels have the largest value; of a labelmap-like image say nothing."""
        values = _sample(case.image.pixels)
        if np.unique(values).size < 3:
            return
        share = float(np.mean(values == values.max()))
        if share > self.caution_share:
            yield self.found(AMBER, f"{100 * share:.0f} % of the pixels have the largest value: clipped.")
        else:
            yield self.found(GREEN, "Few pixels have the largest value.")


@CHECKS.register
@dataclass(frozen=True)
class Noise(QualityCheck):
    """Is the image too noisy: the standard deviation of the noise relative to the range; pure normal noise has 0.21."""

    name = "noise"
    title = "Noise"
    caution: float = parameter(0.06, "Noise relative to the range that is a caution.", minimum=0.0, maximum=1.0)
    unusable: float = parameter(0.17, "Noise relative to the range that is too much.", minimum=0.0, maximum=1.0)

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield a finding by the relative noise; of images smaller than 16 pixels say nothing."""
        if min(case.image.pixels.GetSize()[:2]) < 16:
            return
        low, high = np.percentile(_sample(case.image.pixels), (1, 99))
        if high <= low:
            return
        relative = noise_deviation(case.image.pixels) / (high - low)
        words = f"The noise is {100 * relative:.1f} % of the range of intensities."
        level = RED if relative > self.unusable else AMBER if relative > self.caution else GREEN
        yield self.found(level, words)


def noise_deviation(pixels: sitk.Image) -> float:
    """Return the standard deviation of the noise, from the middle slice.

    The image is convolved with the difference of two Laplacians, which removes constant, linear and quadratic
    structure; the mean absolute response is proportional to the noise: sigma = sqrt(pi/2) / 6 * mean |I * N|
    (Immerkaer 1996, doi:10.1006/cviu.1996.0060).
    """
    plane = sitk.GetArrayFromImage(pixels if pixels.GetDimension() == 2 else pixels[:, :, pixels.GetDepth() // 2])
    values = plane.astype(np.float32)
    along = values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:]
    response = along[:-2] - 2 * along[1:-1] + along[2:]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(response).mean())


def _sample(pixels: sitk.Image) -> np.ndarray:
    values = sitk.GetArrayViewFromImage(pixels).ravel()
    return values[:: max(1, values.size // _SAMPLE)].copy()
