"""A distribution of numbers: its moments and order statistics, from distinct values and how often each occurs.

Images of whole numbers have few distinct values, so that a million voxels cost no more than a thousand.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

__all__ = ["Distribution", "weighted_sum"]

_PERCENTILES = (10, 25, 50, 75, 90)


class Distribution:
    """Numbers with the moments and order statistics that features share.

    Parameters
    ----------
    values : numpy.ndarray of float64, ascending, not empty
    counts : numpy.ndarray
        How often each value occurs, at least once.
    """

    def __init__(self, values: np.ndarray, counts: np.ndarray) -> None:
        self.values = values
        self.counts = counts.astype(np.float64)
        self.minimum = float(values[0])
        self.maximum = float(values[-1])

    @cached_property
    def size(self) -> float:
        """Number of numbers."""
        return float(self.counts.sum())

    @cached_property
    def mean(self) -> float:
        # The rounded mean of equal numbers may differ from them in the last bit: flat is flat.
        return self.minimum if self.minimum == self.maximum else weighted_sum(self.counts, self.values) / self.size

    @cached_property
    def deviations(self) -> np.ndarray:
        """Deviation of each value from the mean."""
        return self.values - self.mean

    def moment(self, power: int) -> float:
        """Mean of the deviations from the mean, raised to `power`."""
        return weighted_sum(self.counts, self.deviations**power) / self.size

    @cached_property
    def variance(self) -> float:
        return self.moment(2)

    @cached_property
    def percentiles(self) -> dict[int, float]:
        """The 10th, 25th, 50th, 75th and 90th percentile, linearly interpolated between ordered numbers."""
        ranks = np.array(_PERCENTILES) / 100 * (self.size - 1)
        below = np.floor(ranks)
        ends = np.cumsum(self.counts)
        low, high = (
            self.values[np.searchsorted(ends, np.minimum(rank, self.size - 1), side="right")]
            for rank in (below, below + 1)
        )
        return dict(zip(_PERCENTILES, (low + (high - low) * (ranks - below)).tolist(), strict=True))

    def mean_absolute_deviation(self) -> float:
        return weighted_sum(self.counts, np.abs(self.deviations)) / self.size

    def robust_mean_absolute_deviation(self) -> float:
        """Mean absolute deviation of the numbers from the 10th to the 90th percentile, about their own mean.

        Not a number if there are none, e.g. between the percentiles of two numbers.
        """
        middle = (self.values >= self.percentiles[10]) & (self.values <= self.percentiles[90])
        values, counts = self.values[middle], self.counts[middle]
        size = float(counts.sum())
        if not size:
            return np.nan
        return weighted_sum(counts, np.abs(values - weighted_sum(counts, values) / size)) / size

    def median_absolute_deviation(self) -> float:
        """Mean absolute deviation from the median."""
        return weighted_sum(self.counts, np.abs(self.values - self.percentiles[50])) / self.size

    def skewness(self) -> float:
        """Third standardized moment; 0 if all numbers are equal."""
        return self.moment(3) / self.variance**1.5 if self.variance else 0.0

    def kurtosis(self) -> float:
        """Fourth standardized moment minus 3; 0 if all numbers are equal."""
        return self.moment(4) / self.variance**2 - 3 if self.variance else 0.0

    def energy(self) -> float:
        """Sum of squares."""
        return weighted_sum(self.counts, self.values**2)

    def coefficient_of_variation(self) -> float:
        return np.sqrt(self.variance) / self.mean if self.mean else np.nan

    def quartile_dispersion(self) -> float:
        low, high = self.percentiles[25], self.percentiles[75]
        return (high - low) / (high + low) if high + low else np.nan


def weighted_sum(weights: np.ndarray, values: np.ndarray) -> float:
    """Return the sum of weights times values, the same to the last bit however many threads BLAS may use.

    Unlike a dot product, which BLAS splits among its threads for more than some ten thousand numbers.
    """
    return float(np.einsum("i,i->", weights, values))
