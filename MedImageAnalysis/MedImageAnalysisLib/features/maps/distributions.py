"""Many small sets of numbers at once, with the moments and order statistics of :class:`..intensity.Distribution`."""

from __future__ import annotations

from functools import cached_property

import numpy as np

__all__ = ["Distributions"]


class Distributions:
    """Stands in for a :class:`..intensity.Distribution`: each attribute holds one number per set.

    Parameters
    ----------
    values : numpy.ndarray of float64, shape (sets, numbers)
        NaN where a set has fewer numbers; each has at least one.
    """

    def __init__(self, values: np.ndarray) -> None:
        # NaN sorts last: the numbers of a set are its first `size` entries.
        self.values = np.sort(values, axis=1)
        self.valid = np.isfinite(self.values)

    @cached_property
    def size(self) -> np.ndarray:
        return np.count_nonzero(self.valid, axis=1)

    def _mean_of(self, numbers: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
        chosen = self.valid if chosen is None else chosen
        return np.where(chosen, numbers, 0.0).sum(axis=1) / np.count_nonzero(chosen, axis=1)

    @cached_property
    def mean(self) -> np.ndarray:
        return self._mean_of(self.values)

    @cached_property
    def deviations(self) -> np.ndarray:
        """Deviations from the mean, 0 where there is no number."""
        return np.where(self.valid, self.values - self.mean[:, None], 0.0)

    @cached_property
    def variance(self) -> np.ndarray:
        return np.where(self.minimum == self.maximum, 0.0, (self.deviations**2).sum(axis=1) / self.size)

    @property
    def minimum(self) -> np.ndarray:
        return self.values[:, 0]

    @cached_property
    def maximum(self) -> np.ndarray:
        return np.take_along_axis(self.values, self.size[:, None] - 1, axis=1)[:, 0]

    @cached_property
    def percentiles(self) -> dict[int, np.ndarray]:
        """The 10th, 25th, 50th, 75th and 90th percentile, linearly interpolated between ordered values."""
        return {wanted: self._percentile(wanted) for wanted in (10, 25, 50, 75, 90)}

    def _percentile(self, wanted: int) -> np.ndarray:
        place = (self.size - 1) * (wanted / 100)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, self.size - 1)
        low, high = np.take_along_axis(self.values, np.stack([below, above], axis=1), axis=1).T
        return low + (place - below) * (high - low)

    def mean_absolute_deviation(self) -> np.ndarray:
        return np.abs(self.deviations).sum(axis=1) / self.size

    def robust_mean_absolute_deviation(self) -> np.ndarray:
        low, high = self.percentiles[10][:, None], self.percentiles[90][:, None]
        middle = self.valid & (self.values >= low) & (self.values <= high)
        center = self._mean_of(self.values, middle)[:, None]
        return self._mean_of(np.abs(self.values - center), middle)

    def median_absolute_deviation(self) -> np.ndarray:
        return self._mean_of(np.abs(self.values - self.percentiles[50][:, None]))

    def skewness(self) -> np.ndarray:
        return self._standardized((self.deviations**3).sum(axis=1), 1.5)

    def kurtosis(self) -> np.ndarray:
        flat = self.variance == 0
        return np.where(flat, 0.0, self._standardized((self.deviations**4).sum(axis=1), 2.0) - 3)

    def _standardized(self, moment: np.ndarray, power: float) -> np.ndarray:
        flat = self.variance == 0
        return np.where(flat, 0.0, moment / self.size / np.where(flat, 1.0, self.variance) ** power)

    def energy(self) -> np.ndarray:
        return np.where(self.valid, self.values**2, 0.0).sum(axis=1)

    def coefficient_of_variation(self) -> np.ndarray:
        return np.where(self.mean == 0, np.nan, np.sqrt(self.variance) / self.mean)

    def quartile_dispersion(self) -> np.ndarray:
        low, high = self.percentiles[25], self.percentiles[75]
        return np.where(low + high == 0, np.nan, (high - low) / (high + low))
