"""Three tissues and what lies between them: a mixture of pure and mixed voxels, fitted to the histogram.

At 1 mm a third of the voxels of the cortex holds two tissues. Classes without mixed voxels put the thresholds where the
mixed voxels are, not halfway between the pure tissues; this model does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...imaging.histogram import Histogram
from ...imaging.pixels import axis_lengths, view
from ...progress import Progress
from ..generic.clustering import k_means, smooth_classes
from .levels import TissueLevels

__all__ = ["Mixture", "fit_mixture", "mixed_classes"]

_TISSUES = 3
_SHARES = (np.arange(10) + 0.5) / 10
_MIXED_AT_START = 0.15
_ITERATIONS = 100
_BINS = 512
# Of the range: no tissue is narrower.
_LEAST_WIDTH = 0.005
# Of a tissue, where the distance between two pure tissues is 1.
_DEVIATION = 0.3
# The fit leaves out this much at the border of the region (mm), where enough remains (share).
_BORDER_MM = 4.0
_LEAST_INNER = 0.2
# A fit may begin fluid within this factor of where the levels do.
_AGREEMENT = 1.4


@dataclass(frozen=True, eq=False)
class Mixture:
    """Means of the pure tissues from dark to bright, shape (3,), and the thresholds halfway between them, shape (2,).

    Halfway is where a voxel holds as much of the one as of the other tissue.
    """

    means: np.ndarray
    thresholds: np.ndarray

    def position(self, values: np.ndarray) -> np.ndarray:
        """Return where each intensity lies from the first (0) to the last tissue (2), as float32."""
        knots = np.empty(2 * len(self.means) - 1)
        knots[::2], knots[1::2] = self.means, self.thresholds
        return np.interp(values, knots, np.arange(len(knots)) / 2).astype(np.float32)


def fit_mixture(values: np.ndarray, region: np.ndarray, levels: TissueLevels | None = None) -> Mixture:
    """Fit three Gaussians and the uniform mixtures of neighboring ones to the intensities of a region.

    Expectation maximization on the histogram; mixed voxels have all shares of two tissues equally often. It starts from
    k-means and, where `levels` are given, from what is fluid by these and two classes of the rest. Of the fits that
    begin fluid about where the levels do, the likelier one is taken.

    Parameters
    ----------
    values, region : numpy.ndarray
        Intensities, and a boolean mask.
    levels : TissueLevels, optional
        Where fluid begins.

    Returns
    -------
    Mixture
        The thresholds of k-means where no fit gives an ascending order.

    References
    ----------
    Santago and Gage 1993, doi:10.1109/42.241885; Tohka, Zijdenbos, Evans 2004, doi:10.1016/j.neuroimage.2004.05.007.
    """
    histogram = Histogram.of(values, region)
    means, deviations, cuts = k_means(histogram, _TISSUES)
    plain = Mixture(means, np.array(cuts))
    if len(means) < _TISSUES:
        return plain
    starts = [(plain, deviations)]
    if levels is not None:
        starts += _beside_fluid(values, region, levels)
    fits = [fit for fit in (_fitted(histogram, *start) for start in starts) if fit is not None]
    agreeing = [fit for fit in fits if levels is None or _agrees(fit[0], levels)]
    return max(agreeing or fits, key=lambda fit: fit[1])[0] if fits else plain


def _agrees(mixture: Mixture, levels: TissueLevels) -> bool:
    """Tell whether fluid begins about where the levels say; else gray matter was taken for fluid."""
    if levels.fluid_is_bright:
        return mixture.thresholds[1] > levels.most / _AGREEMENT
    return mixture.thresholds[0] < levels.least * _AGREEMENT


def _beside_fluid(values: np.ndarray, region: np.ndarray, levels: TissueLevels) -> list[tuple[Mixture, np.ndarray]]:
    """Return fluid as the levels tell it and the other two tissues by k-means, with their deviations; or nothing."""
    fluid = region & (values > levels.most if levels.fluid_is_bright else values < levels.least)
    rest = region & ~fluid
    if not fluid.any() or not rest.any():
        return []
    means, deviations, cuts = k_means(Histogram.of(values, rest), _TISSUES - 1)
    if len(means) < _TISSUES - 1:
        return []
    middle, deviation = float(np.median(values[fluid])), float(values[fluid].std())
    if levels.fluid_is_bright:
        start = Mixture(np.append(means, middle), np.append(cuts, (means[-1] + middle) / 2))
        return [(start, np.append(deviations, deviation))]
    return [
        (Mixture(np.append(middle, means), np.append((middle + means[0]) / 2, cuts)), np.append(deviation, deviations))
    ]


def _fitted(histogram: Histogram, start: Mixture, deviations: np.ndarray) -> tuple[Mixture, float] | None:
    """Return the mixture that is found from a start, and its mean log likelihood; None where its order is lost."""
    centers, counts = _coarse(histogram)
    weights = np.bincount(np.searchsorted(start.thresholds, centers), counts, _TISSUES)
    weights = np.append(weights * (1 - 2 * _MIXED_AT_START), (_MIXED_AT_START, _MIXED_AT_START))
    least = _LEAST_WIDTH * (centers[-1] - centers[0])
    means, deviations = start.means, np.maximum(deviations, least)
    for _ in range(_ITERATIONS):
        pure, mixed, density = _responsibilities(centers, counts, means, deviations, weights)
        weights = np.append(pure.sum(axis=1), mixed.sum(axis=(1, 2)))
        total = np.maximum(weights[:_TISSUES], 1e-9)
        means = pure @ centers / total
        spread = (pure * (centers - means[:, None]) ** 2).sum(axis=1) / total
        deviations = np.maximum(np.sqrt(spread), least)
    thresholds = _halfway(centers, means, pure, mixed)
    ascending = np.diff([means[0], thresholds[0], means[1], thresholds[1], means[2]]) > 0
    return (Mixture(means, thresholds), float(counts @ np.log(density))) if ascending.all() else None


def mixed_classes(
    image: sitk.Image, region: np.ndarray, smoothness: float, progress: Progress, levels: TissueLevels | None = None
) -> np.ndarray:
    """Return the prevailing tissue of each voxel of a region, 1 to 3 from dark to bright, smooth in space; else 0.

    Parameters
    ----------
    image : sitk.Image
    region : numpy.ndarray of bool
    smoothness : float
        Weight of the neighbors.
    progress : Progress
    levels : TissueLevels, optional
        Where fluid begins, and what is brighter than tissue (vessels after contrast agent).
    """
    values = view(image)
    if levels is not None and not levels.fluid_is_bright:
        values = np.minimum(values, levels.brightest)
    # What was masked away before holds no tissue.
    inner = _away_from_border(region, axis_lengths(image)) & (values > values.min())
    position = fit_mixture(values, inner if inner.any() else region, levels).position(values)
    classes = (1 + (position > 0.5).astype(np.uint8) + (position > 1.5)).astype(np.uint8) * region
    if smoothness > 0:
        tissues, deviations = np.arange(_TISSUES, dtype=float), np.full(_TISSUES, _DEVIATION)
        smooth_classes(position, classes, tissues, deviations, axis_lengths(image), progress, smoothness=smoothness)
    return classes


def _away_from_border(region: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the voxels well inside a region: those at its border hold what lies around it, and bend the fit."""
    mask = sitk.GetImageFromArray(np.pad(region, 1).view(np.uint8))
    mask.SetSpacing(spacing[::-1])
    depth = view(sitk.SignedMaurerDistanceMap(mask, insideIsPositive=True, squaredDistance=False, useImageSpacing=True))
    inner = depth[1:-1, 1:-1, 1:-1] > _BORDER_MM
    return inner if np.count_nonzero(inner) > _LEAST_INNER * np.count_nonzero(region) else region


def _coarse(histogram: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Return the centers and shares of at most so many occupied bins as the fit needs."""
    edges = np.linspace(0, histogram.counts.size, min(histogram.counts.size, _BINS) + 1).astype(int)[:-1]
    counts = np.add.reduceat(histogram.counts, edges)
    sums = np.add.reduceat(histogram.counts * histogram.centers, edges)
    occupied = counts > 0
    return sums[occupied] / counts[occupied], counts[occupied] / counts.sum()


def _responsibilities(
    centers: np.ndarray, counts: np.ndarray, means: np.ndarray, deviations: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share the counts among the pure tissues, shape (3, bins), and their mixtures, shape (2, shares, bins).

    The third array is the density of each bin, in arbitrary units, shape (bins,).
    """
    shares = _SHARES[:, None]
    pure = weights[:_TISSUES, None] * _gauss(centers, means[:, None], deviations[:, None])
    mixed = np.stack(
        [
            weights[_TISSUES + k] / len(shares) * _gauss(
                centers,
                (1 - shares) * means[k] + shares * means[k + 1],
                np.sqrt((1 - shares) * deviations[k] ** 2 + shares * deviations[k + 1] ** 2),
            )
            for k in range(_TISSUES - 1)
        ]
    )  # fmt: skip
    density = np.maximum(pure.sum(axis=0) + mixed.sum(axis=(0, 1)), 1e-30)
    scale = counts / density
    return pure * scale, mixed * scale, density


def _gauss(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / deviation) ** 2) / deviation


def _halfway(centers: np.ndarray, means: np.ndarray, pure: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Return the intensities from which on the brighter tissue prevails."""
    half = len(_SHARES) // 2
    amounts = pure.copy()
    amounts[:-1] += mixed[:, :half].sum(axis=1)
    amounts[1:] += mixed[:, half:].sum(axis=1)
    prevailing = amounts.argmax(axis=0)
    cuts = []
    for tissue in range(1, _TISSUES):
        beyond = centers[(prevailing >= tissue) & (centers > means[tissue - 1])]
        cuts.append(beyond[0] if beyond.size else np.nan)
    return np.array(cuts)
