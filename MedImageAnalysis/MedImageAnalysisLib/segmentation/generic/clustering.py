"""Unsupervised classification of tissue: k-means of intensity, smoothed by a Markov random field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import InvalidSettingError
from ...imaging.histogram import Histogram, multi_otsu
from ...imaging.pixels import axis_lengths, slabs, view
from ...parameters import parameter
from ...progress import Progress
from ..method import METHODS
from .scalar_method import ScalarMethod, foreground, labeled

__all__ = ["TissueClasses", "k_means", "smooth_classes"]


@METHODS.register
@dataclass(frozen=True)
class TissueClasses(ScalarMethod):
    """Divide the foreground into classes of intensity that are smooth in space, numbered from dark to bright.

    k-means of the intensities starts from multi-Otsu thresholds. Then each voxel takes the class k that minimizes
    ``(I - mu_k)^2 / (2 s_k^2) + log s_k + beta * (share of its neighbors in other classes) * 2N`` (iterated conditional
    modes; neighbors along an axis count by the inverse square of its spacing). The even and the odd voxels of the
    checkerboard are updated in turn, so that the result does not depend on an order.

    References
    ----------
    Besag 1986, doi:10.1111/j.2517-6161.1986.tb01412.x; Zhang, Brady, Smith 2001, doi:10.1109/42.906424.
    """

    name = "tissue-classes"
    title = "Tissue classes (k-means and Markov random field)"
    classes: int = parameter(3, "Number of classes of the foreground.", minimum=1, maximum=12)
    smoothness: float = parameter(
        0.5, "Weight of the neighbors (beta); 0 classifies each voxel alone.", minimum=0, maximum=10
    )
    iterations: int = parameter(4, "How often the classes of all voxels are updated.", minimum=0, maximum=50)
    region: str = parameter(
        "foreground",
        "What is classified: the previous segmentation, what is above the Otsu threshold, or everything.",
        choices=("foreground", "previous", "all"),
    )

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        values = view(image)
        region = self._region(values, previous)
        if not region.any():
            return labeled(np.zeros(values.shape, np.uint8), [], image)
        histogram = Histogram.of(values, region)
        progress.step(fraction=0.15)
        means, deviations, thresholds = k_means(histogram, self.classes)
        labels = np.zeros(values.shape, np.uint8)
        for slab in slabs(values.shape):
            for threshold in (-np.inf, *thresholds):
                labels[slab] += values[slab] > threshold
            labels[slab] *= region[slab]
            progress.step(fraction=0.15 + 0.15 * slab.stop / values.shape[0])
        if self.smoothness > 0 and len(means) > 1:
            smooth_classes(
                values, labels, means, deviations, axis_lengths(image), progress.part(0.3, 1.0),
                smoothness=self.smoothness, iterations=self.iterations,
            )  # fmt: skip
        return labeled(labels, [f"Class {number}" for number in range(1, len(means) + 1)], image)

    def _region(self, values: np.ndarray, previous: Segmentation | None) -> np.ndarray:
        if self.region == "previous":
            if previous is None:
                raise InvalidSettingError(
                    f"{self.title}: 'region' is 'previous', but no segmentation was made before. Put a method that "
                    "makes one before it, or choose another region."
                )
            return foreground(previous)
        thresholds = multi_otsu(Histogram.of(values), 2)
        if self.region == "all" or not thresholds:
            return np.ones(values.shape, bool)
        return values > thresholds[0]


def smooth_classes(
    values: np.ndarray,
    labels: np.ndarray,
    means: np.ndarray,
    deviations: np.ndarray,
    spacing: tuple[float, ...],
    progress: Progress,
    *,
    smoothness: float,
    iterations: int = 4,
) -> None:
    """Make classes smooth in space by iterated conditional modes, in place; see :class:`TissueClasses`.

    Parameters
    ----------
    values : numpy.ndarray
        Intensities.
    labels : numpy.ndarray of uint8
        Classes from 1; 0 is left alone.
    means, deviations : numpy.ndarray, shape (classes,)
        Of the intensities of each class.
    spacing : tuple of float
        Of the array's axes.
    progress : Progress
    smoothness : float
        Weight of the neighbors.
    iterations : int
        How often all voxels are updated at most.
    """
    nearness = np.array([(min(spacing) / length) ** 2 for length in spacing])
    weights = (smoothness * values.ndim * nearness / nearness.sum()).astype(np.float32)
    for part in progress.parts(iterations):
        changed = 0
        for color, half in zip((0, 1), part.parts(2), strict=True):
            # All slabs of one color read only the other color: the order of slabs does not matter.
            for slab in slabs(values.shape):
                cells = _checkerboard(values.shape, slab, color)
                changed += _update(values, labels, slab, cells, means, deviations, weights)
                half.step(fraction=slab.stop / values.shape[0])
        if not changed:
            break


def k_means(histogram: Histogram, classes: int) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Return means, standard deviations and the thresholds between classes, from dark to bright."""
    occupied = histogram.counts > 0
    counts, centers = histogram.counts[occupied].astype(np.float64), histogram.centers[occupied]
    thresholds = np.array(multi_otsu(histogram, classes))
    for _ in range(100):
        label = np.searchsorted(thresholds, centers)
        weight = np.bincount(label, counts, thresholds.size + 1)
        means = np.bincount(label, counts * centers, thresholds.size + 1) / weight
        moved = (means[1:] + means[:-1]) / 2
        empty = np.bincount(np.searchsorted(moved, centers), counts, thresholds.size + 1) == 0
        if empty.any() or np.allclose(moved, thresholds):
            break
        thresholds = moved
    variance = np.bincount(label, counts * (centers - means[label]) ** 2, thresholds.size + 1) / weight
    # A class of a single value still needs a width: a hundredth of the range.
    least = max((centers[-1] - centers[0]) / 100, 1e-6)
    return means, np.sqrt(np.maximum(variance, least**2)), tuple(float(value) for value in thresholds)


def _checkerboard(shape: tuple[int, ...], slab: slice, color: int) -> np.ndarray:
    """Return the cells of one color of a slab: those whose indices add up to an even (0) or odd (1) number."""
    first, *others = np.indices(shape, sparse=True)
    return sum(others, first[slab]) % 2 == color


def _update(
    values: np.ndarray,
    labels: np.ndarray,
    slab: slice,
    cells: np.ndarray,
    means: np.ndarray,
    deviations: np.ndarray,
    weights: np.ndarray,
) -> int:
    """Give the chosen cells of a slab their best class; return how many changed."""
    part = values[slab].astype(np.float32)
    best = np.full(part.shape, np.inf, np.float32)
    choice = np.zeros(part.shape, np.uint8)
    for number, (mean, deviation) in enumerate(zip(means, deviations, strict=True), start=1):
        cost = (part - np.float32(mean)) ** 2
        cost *= np.float32(0.5 / deviation**2)
        cost += np.float32(np.log(deviation))
        cost -= _agreement(labels, slab, number, weights)
        better = cost < best
        best[better] = cost[better]
        choice[better] = number
    old = labels[slab]
    moved = cells & (old > 0) & (choice != old)
    old[moved] = choice[moved]
    return int(np.count_nonzero(moved))


def _agreement(labels: np.ndarray, slab: slice, number: int, weights: np.ndarray) -> np.ndarray:
    """Return the weighted count of neighbors that belong to class `number`, for the voxels of a slab."""
    start, stop = max(0, slab.start - 1), min(labels.shape[0], slab.stop + 1)
    same = (labels[start:stop] == number).astype(np.float32)
    total = np.zeros_like(same)
    for axis, weight in enumerate(weights):
        ahead = [slice(None)] * same.ndim
        behind = [slice(None)] * same.ndim
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        total[tuple(behind)] += weight * same[tuple(ahead)]
        total[tuple(ahead)] += weight * same[tuple(behind)]
    return total[slab.start - start : slab.stop - start]
