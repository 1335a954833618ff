"""Histograms of images: exact for 8- and 16-bit integers, 65,536 bins over the range for all other types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Histogram", "multi_otsu", "percentiles"]

_BINS = 65536
_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often each value occurs.

    Parameters
    ----------
    counts : numpy.ndarray of int64, shape (bins,)
    lowest : float
        Value of bin 0.
    width : float
        Difference between the values of neighboring bins; 1 for narrow integers, so that nothing is lost.
    """

    counts: np.ndarray
    lowest: float
    width: float

    @classmethod
    def of(cls, values: np.ndarray, mask: np.ndarray | None = None) -> Histogram:
        """Count `values`, or those where the boolean `mask` is true; at least one value is needed."""
        if mask is not None:
            values = values[mask]
        lowest, highest = float(values.min()), float(values.max())
        integers = values.dtype.kind in "iu" and highest - lowest < _BINS
        bins = int(highest - lowest) + 1 if integers else _BINS
        width = 1.0 if integers or highest == lowest else (highest - lowest) / (_BINS - 1)
        empty = cls(np.zeros(bins, np.int64), lowest, width)
        flat = values.reshape(-1)
        # In chunks, because bincount turns its input into 64-bit integers.
        counts = empty.counts.copy()
        for start in range(0, flat.size, _CHUNK):
            counts += np.bincount(empty.codes(flat[start : start + _CHUNK]), minlength=bins)
        return cls(counts, lowest, width)

    @property
    def centers(self) -> np.ndarray:
        """The value of each bin."""
        return self.lowest + self.width * np.arange(self.counts.size)

    @property
    def cumulative(self) -> np.ndarray:
        """The share of values that are at most that of each bin, 0 to 1."""
        return np.cumsum(self.counts) / self.counts.sum()

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return the bin of each value as uint16; values outside the range go to the first or last bin."""
        last = self.counts.size - 1
        if values.dtype.kind in "iu" and self.width == 1.0:
            shifted = (
                values.astype(np.int64) - int(self.lowest) if values.dtype.itemsize > 2 else _shifted(values, self)
            )
            return np.clip(shifted, 0, last).astype(np.uint16)
        scaled = (values - values.dtype.type(self.lowest)) * (1 / self.width)
        return np.clip(np.rint(scaled), 0, last).astype(np.uint16)


def _shifted(values: np.ndarray, histogram: Histogram) -> np.ndarray:
    return np.subtract(values, np.int32(histogram.lowest), dtype=np.int32)


def percentiles(values: np.ndarray, percents: tuple[float, ...]) -> tuple[float, ...]:
    """Return exact percentiles by linear interpolation between the closest ranks, as `numpy.percentile` defines them.

    8- and 16-bit integers go by their histogram, which is many times faster than sorting.
    """
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 2:
        return tuple(float(value) for value in np.percentile(values, percents))
    histogram = Histogram.of(values)
    ends = np.cumsum(histogram.counts)
    ranks = np.asarray(percents, np.float64) / 100 * (values.size - 1)
    below, above = (
        histogram.lowest + np.searchsorted(ends, whole, side="right") for whole in (np.floor(ranks), np.ceil(ranks))
    )
    return tuple(float(value) for value in below + (above - below) * (ranks - np.floor(ranks)))


def multi_otsu(histogram: Histogram, classes: int) -> tuple[float, ...]:
    """Return the thresholds that split values into `classes` with the largest between-class variance.

    The thresholds t maximize ``sum_k w_k mu_k^2`` (w_k: share, mu_k: mean of class k) by dynamic programming over 256
    bins. A value belongs to the upper class if it is above the threshold. Fewer thresholds are returned if there are
    fewer different values than classes.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076; Liao, Chen, Chung 2001 (multilevel), J Inf Sci Eng 17:713.
    """
    counts, centers = _merged(histogram, 256)
    classes = min(classes, counts.size)
    share = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * (centers - centers.mean()))])
    # gain[i, j]: what a class of bins i to j-1 adds to the between-class variance.
    weights = share[None, :] - share[:, None]
    moments = moment[None, :] - moment[:, None]
    gain = np.full(weights.shape, -np.inf)
    np.divide(moments**2, weights, out=gain, where=weights > 0)
    best = gain[0]
    choices = []
    for _ in range(classes - 1):
        totals = best[:, None] + gain
        choices.append(np.argmax(totals, axis=0))
        best = totals.max(axis=0)
    cuts = []
    end = counts.size
    for choice in reversed(choices):
        end = int(choice[end])
        cuts.append(end)
    # Half way between the last bin below and the first above: no value lies on a threshold.
    return tuple(float(centers[cut - 1] + centers[cut]) / 2 for cut in reversed(cuts))


def _merged(histogram: Histogram, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and mean values of the occupied bins after joining neighbors to at most `bins` bins."""
    group = np.arange(histogram.counts.size) * bins // max(histogram.counts.size, bins)
    counts = np.bincount(group, histogram.counts)
    sums = np.bincount(group, histogram.counts * histogram.centers)
    occupied = counts > 0
    return counts[occupied], sums[occupied] / counts[occupied]
