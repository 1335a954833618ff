"""Bring intensities of different scans to one scale: z-score, Nyúl landmarks, WhiteStripe, histogram matching."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import InvalidSettingError, UnsupportedImageError
from ..imaging.histogram import Histogram, multi_otsu
from ..imaging.pixels import image_like, is_constant, require_scalar, slabs, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["HistogramMatch", "NyulNormalize", "WhiteStripe", "ZScore"]

_DECILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)


def _foreground_histogram(values: np.ndarray, mask: str) -> Histogram:
    """Return the histogram of all values, or of those above the Otsu threshold."""
    histogram = Histogram.of(values)
    thresholds = multi_otsu(histogram, 2) if mask == "foreground" else ()
    if not thresholds:
        return histogram
    counts = np.where(histogram.centers > thresholds[0], histogram.counts, 0)
    return Histogram(counts, histogram.lowest, histogram.width)


def _moments(histogram: Histogram) -> tuple[float, float]:
    """Return mean and standard deviation of the counted values."""
    share = histogram.counts / histogram.counts.sum()
    mean = float(share @ histogram.centers)
    return mean, float(np.sqrt(share @ (histogram.centers - mean) ** 2))


def _quantiles(histogram: Histogram, percents: Sequence[float]) -> np.ndarray:
    """Return the smallest values below or at which the given percentages of the counted values lie."""
    cumulative = histogram.cumulative
    found = np.searchsorted(cumulative, np.asarray(percents) / 100 * (1 - 1e-12), side="left")
    occupied = np.flatnonzero(histogram.counts)
    return histogram.centers[np.clip(found, occupied[0], occupied[-1])]


def _standardized(image: sitk.Image, mean: float, deviation: float) -> sitk.Image:
    scale = 1 / deviation if deviation > 0 else 0.0
    result = view(image).astype(np.float32)
    result -= np.float32(mean)
    result *= np.float32(scale)
    return image_like(result, image)


def _mapped(image: sitk.Image, sources: np.ndarray, targets: np.ndarray, progress: Progress) -> sitk.Image:
    """Map values piecewise linearly from sources to targets; outside, the end pieces go on."""
    unique, first = np.unique(sources, return_index=True)
    if unique.size < 2:
        return image_like(np.full(view(image).shape, targets[first[0]], np.float32), image)
    goals = targets[first]
    low = (goals[1] - goals[0]) / (unique[1] - unique[0])
    high = (goals[-1] - goals[-2]) / (unique[-1] - unique[-2])
    values = view(image)
    mapped = np.empty(values.shape, np.float32)
    for slab in slabs(values.shape):
        part = values[slab].astype(np.float32)
        mapped[slab] = np.interp(part, unique, goals)
        mapped[slab] += np.minimum(part - np.float32(unique[0]), 0) * np.float32(low)
        mapped[slab] += np.maximum(part - np.float32(unique[-1]), 0) * np.float32(high)
        progress.step(fraction=0.4 + 0.6 * slab.stop / values.shape[0])
    return image_like(mapped, image)


@STEPS.register
@dataclass(frozen=True)
class ZScore(ScalarStep):
    """Subtract the mean and divide by the standard deviation, ``(I - mean) / std``, both taken inside a mask."""

    name = "z-score"
    title = "Z-score"
    mask: str = parameter(
        "foreground",
        "Where mean and deviation are taken: everywhere, or above the Otsu threshold.",
        choices=("foreground", "all"),
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        mean, deviation = _moments(_foreground_histogram(view(image), self.mask))
        progress.step(fraction=0.5)
        return _standardized(image, mean, deviation)


@STEPS.register
@dataclass(frozen=True)
class NyulNormalize(ScalarStep):
    """Map percentiles of the foreground to learned landmarks, linearly in between (Nyúl and Udupa).

    The landmarks are learned from several scans of one kind by :meth:`trained_on` and stored as a parameter.

    References
    ----------
    Nyúl, Udupa, Zhang 2000, doi:10.1109/42.836373.
    """

    name = "nyul"
    title = "Nyúl landmark normalization"
    landmarks: tuple[float, ...] = parameter((), "Learned value of each percentile, in increasing order.")
    percentiles: tuple[float, ...] = parameter(
        _DECILES, "Percentiles of the foreground.", unit="%", minimum=0, maximum=100
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.landmarks and len(self.landmarks) != len(self.percentiles):
            raise InvalidSettingError(
                f"{self.name}: {len(self.landmarks)} landmarks do not fit {len(self.percentiles)} percentiles."
            )
        if len(self.percentiles) < 2 or not _increasing(self.percentiles) or not _increasing(self.landmarks):
            raise InvalidSettingError(f"{self.name}: percentiles (two or more) and landmarks must increase.")

    @classmethod
    def trained_on(cls, images: Sequence[sitk.Image], percentiles: Sequence[float] = _DECILES) -> NyulNormalize:
        """Learn the landmarks from scans of one kind: mean percentiles after mapping the outer ones to 0 and 100."""
        learned = []
        for image in images:
            require_scalar(image, cls.title)
            found = _quantiles(_foreground_histogram(view(image), "foreground"), percentiles)
            if found[-1] == found[0]:
                raise UnsupportedImageError(f"{cls.title} cannot learn from an image without contrast.")
            learned.append(100 * (found - found[0]) / (found[-1] - found[0]))
        if not learned:
            raise InvalidSettingError(f"{cls.title} needs at least one image to learn from.")
        mean = np.mean(learned, axis=0)
        # Landmarks that coincide are spread by a hair, so that the map stays one to one.
        strictly = np.maximum.accumulate(mean + 1e-6 * np.arange(mean.size))
        return cls(landmarks=tuple(float(value) for value in strictly), percentiles=tuple(map(float, percentiles)))

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if not self.landmarks:
            raise InvalidSettingError(
                f"{self.title} has no landmarks: learn them with NyulNormalize.trained_on(images) and give them."
            )
        sources = _quantiles(_foreground_histogram(view(image), "foreground"), self.percentiles)
        progress.step(fraction=0.4)
        return _mapped(image, sources, np.asarray(self.landmarks), progress)


@STEPS.register
@dataclass(frozen=True)
class HistogramMatch(ScalarStep):
    """Give the image the histogram of a reference, ``I' = F_ref^-1(F(I))``, by stored quantiles.

    Take the quantiles from an image with :meth:`to_image`.

    References
    ----------
    Gonzalez, Woods 2018, Digital Image Processing, ISBN 978-0133356724, section 3.3.
    """

    name = "histogram-match"
    title = "Match the histogram to a reference"
    quantiles: tuple[float, ...] = parameter(
        (), "Values of the reference at evenly spaced percentiles from 0 to 100, in increasing order."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.quantiles) == 1 or any(np.diff(self.quantiles) < 0):
            raise InvalidSettingError(f"{self.name}: 'quantiles' must be two or more values that do not decrease.")

    @classmethod
    def to_image(cls, reference: sitk.Image, count: int = 257) -> HistogramMatch:
        """Return the step that matches to `reference`, described by `count` quantiles."""
        require_scalar(reference, cls.title)
        found = np.percentile(view(reference), np.linspace(0, 100, count))
        return cls(quantiles=tuple(float(value) for value in found))

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if not self.quantiles:
            raise InvalidSettingError(
                f"{self.title} has no reference: make the step with HistogramMatch.to_image(reference)."
            )
        values = view(image)
        histogram = Histogram.of(values)
        progress.step(fraction=0.3)
        # The middle of each bin's step of the cumulative histogram, so that a match to itself is the identity.
        ranks = histogram.cumulative - histogram.counts / (2 * histogram.counts.sum())
        table = np.interp(ranks, np.linspace(0, 1, len(self.quantiles)), self.quantiles).astype(np.float32)
        matched = np.empty(values.shape, np.float32)
        for slab in slabs(values.shape):
            matched[slab] = table[histogram.codes(values[slab])]
            progress.step(fraction=0.3 + 0.7 * slab.stop / values.shape[0])
        return image_like(matched, image)


@STEPS.register
@dataclass(frozen=True)
class WhiteStripe(ScalarStep):
    """Standardize brain MRI by its white matter: z-score with mean and deviation of the stripe around its mode.

    The mode of white matter is the brightest large peak of the smoothed foreground histogram in T1, the largest one in
    T2 and FLAIR; the stripe holds the voxels within `width` in rank on both sides of it.

    References
    ----------
    Shinohara et al. 2014, doi:10.1016/j.nicl.2014.08.008.
    """

    name = "white-stripe"
    title = "WhiteStripe normalization"
    contrast: str = parameter("t1", "Contrast of the scan.", choices=("t1", "t2", "flair"))
    width: float = parameter(0.05, "Half width of the stripe, as a share of the voxels.", minimum=0.001, maximum=0.5)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return _standardized(image, float(view(image).flat[0]), 0.0)
        histogram = _foreground_histogram(view(image), "foreground")
        progress.step(fraction=0.5)
        mode = _white_mode(histogram, self.contrast)
        cumulative = histogram.cumulative
        rank = cumulative[mode]
        inside = (cumulative >= rank - self.width) & (cumulative <= rank + self.width)
        inside[mode] = True
        stripe = Histogram(np.where(inside, histogram.counts, 0), histogram.lowest, histogram.width)
        mean, deviation = _moments(stripe)
        if deviation == 0:
            deviation = _moments(histogram)[1]
        return _standardized(image, mean, deviation)


def _white_mode(histogram: Histogram, contrast: str) -> int:
    """Return the bin of the mode of white matter; it is occupied."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    occupied = np.flatnonzero(histogram.counts)
    first, last = int(occupied[0]), int(occupied[-1])
    width = max(1.0, (last - first) / 50)
    smooth = gaussian_filter1d(histogram.counts[first : last + 1].astype(np.float64), width, mode="constant")
    peaks, _ = find_peaks(np.pad(smooth, 1), height=0.2 * smooth.max())
    best = peaks[-1] if contrast == "t1" else peaks[np.argmax(np.pad(smooth, 1)[peaks])]
    return int(occupied[np.argmin(np.abs(occupied - (first + best - 1)))])


def _increasing(values: tuple[float, ...]) -> bool:
    return all(first < second for first, second in itertools.pairwise(values))
