"""Check of motion in MRI: ghosts, copies of what moved, shifted along the axis of phase encoding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..analysis import QualityFinding
from ..imaging.histogram import Histogram, multi_otsu
from ..imaging.masks import component_sizes, components
from ..parameters import parameter
from .check import AMBER, CHECKS, GREEN, QualityCase, QualityCheck

__all__ = ["Ghosting", "ghost_share"]

_SLICES = 9
# Of the wider side of a slice: the border of a body is blurred, and tapers into the next slice.
_MARGIN_SHARE = 0.03
# Bands of fewer pixels than this share of the slice say nothing.
_LEAST_BAND = 0.01
# A head reaches the border with its neck, a trunk with more; and nothing else in the picture is as bright as a head.
_MOST_BORDERS = 1
_MOST_ELSEWHERE = 0.01
# A mask was laid over the air where more of it than this has one single value.
_MOST_EQUAL = 0.5


@CHECKS.register
@dataclass(frozen=True)
class Ghosting(QualityCheck):
    """Did the patient move (MRI): is the air beside the body brighter along one axis than along the other.

    Motion and pulsation copy the body along the axis of phase encoding only, noise is the same on both. Says nothing
    where the body reaches more than one border of the picture, as the trunk does, where other parts lie beside it, or
    where the air was masked. A small or slow motion that only blurs is not seen.

    References
    ----------
    After the ghosting ratio of the American College of Radiology's phantom test; artifacts in the air as a measure of
    motion: Mortamet et al. 2009, doi:10.1002/mrm.21992.
    """

    name = "ghosting"
    title = "Motion"
    caution_share: float = parameter(
        0.08, "Difference of the air's brightness, relative to the body's, that is a caution.", minimum=0.0, maximum=1.0
    )

    def __call__(self, case: QualityCase) -> Iterable[QualityFinding]:
        """Yield amber if there are ghosts."""
        if case.image.info.modality != "MR":
            return
        share = ghost_share(case.image.pixels)
        if np.isnan(share):
            return
        words = f"The air differs by {100 * share:.1f} % of the body's brightness between the two axes of the slices"
        if share > self.caution_share:
            yield self.found(AMBER, f"{words}: ghosts, as by motion or pulsation.")
        else:
            yield self.found(GREEN, f"{words}: no ghosts.")


def ghost_share(pixels: sitk.Image) -> float:
    """Return how much brighter the air is along one in-plane axis than along the other, relative to the body.

    The median over some slices of ``|air above and below - air on both sides| / body``, medians of the air and the mean
    of the body; NaN where no slice can be judged.
    """
    volume = sitk.GetArrayViewFromImage(pixels)
    planes = volume[None] if volume.ndim == 2 else volume
    numbers = np.unique(np.linspace(0.25 * (len(planes) - 1), 0.75 * (len(planes) - 1), _SLICES).astype(int))
    shares = np.array([_share_of_slice(planes[number].astype(np.float32)) for number in numbers])
    known = shares[np.isfinite(shares)]
    return float(np.median(known)) if known.size else float("nan")


def _share_of_slice(plane: np.ndarray) -> float:
    from scipy.ndimage import binary_dilation

    thresholds = multi_otsu(Histogram.of(plane), 2)
    if not thresholds:
        return float("nan")
    # Half of Otsu's threshold takes in skin and neck, which are darker than the brain.
    body = _body(plane > plane.min() + (thresholds[0] - plane.min()) / 2)
    near = binary_dilation(body, iterations=max(1, round(_MARGIN_SHARE * max(plane.shape))))
    borders = sum(side.any() for side in (near[0], near[-1], near[:, 0], near[:, -1]))
    elsewhere = np.count_nonzero((plane > thresholds[0]) & ~near)
    if borders > _MOST_BORDERS or elsewhere > _MOST_ELSEWHERE * np.count_nonzero(body):
        return float("nan")
    inside = float(plane[body].mean())
    bands = [plane[_beside(body, axis) & ~near] for axis in (0, 1)]
    least = max(1, _LEAST_BAND * plane.size)
    if min(band.size for band in bands) < least or inside <= 0 or any(map(_masked, bands)):
        return float("nan")
    return abs(float(np.median(bands[0])) - float(np.median(bands[1]))) / inside


def _body(bright: np.ndarray) -> np.ndarray:
    """Return the largest bright piece with its holes filled."""
    from scipy.ndimage import binary_fill_holes

    pieces = components(bright)
    return binary_fill_holes(pieces == component_sizes(pieces).argmax())


def _beside(body: np.ndarray, axis: int) -> np.ndarray:
    """Return all pixels beside the middle half of the body along an axis."""
    lines = np.flatnonzero(body.any(axis=axis))
    quarter = (lines[-1] - lines[0] + 1) // 4
    middle = np.zeros(body.shape[1 - axis], bool)
    middle[lines[0] + quarter : lines[-1] + 1 - quarter] = True
    return np.broadcast_to(middle if axis == 0 else middle[:, None], body.shape)


def _masked(band: np.ndarray) -> bool:
    return float(np.mean(band == np.median(band))) > _MOST_EQUAL
