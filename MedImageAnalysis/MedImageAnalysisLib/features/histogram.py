"""Intensity histogram: the distribution of gray levels after discretization."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .definition import Family, Values
from .distribution import Distribution
from .levels import GrayLevels
from .region import Region

__all__ = ["FAMILY", "Histogram", "compute"]

FAMILY = Family("histogram", "Intensity histogram")


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(Histogram(region.levels))


class Histogram(Distribution):
    """Gray levels as a distribution, and as a histogram that has an entry for each level, empty or not."""

    def __init__(self, levels: GrayLevels) -> None:
        self.histogram = levels.histogram
        occurs = np.flatnonzero(self.histogram)
        super().__init__(occurs + 1.0, self.histogram[occurs])
        self.p = self.counts / self.size

    @cached_property
    def gradient(self) -> np.ndarray:
        """Central differences of the counts, one-sided at both ends; a single level has none."""
        return np.gradient(self.histogram) if self.histogram.size > 1 else np.zeros(1)

    @property
    def mode(self) -> float:
        """Most frequent level; of several the one nearest to the mean."""
        modes = self.values[self.counts == self.counts.max()]
        return float(modes[np.abs(modes - self.mean).argmin()])


@FAMILY.feature("ih_mean", "Mean gray level", "X6K6")
def mean(data: Histogram) -> float:
    """Average of the gray levels: F = (1/N) sum_k X_k."""
    return data.mean


@FAMILY.feature("ih_var", "Gray level variance", "CH89")
def variance(data: Histogram) -> float:
    """Spread about the mean: F = (1/N) sum_k (X_k - mean)^2."""
    return data.variance


@FAMILY.feature("ih_skew", "Gray level skewness", "88K1")
def skewness(data: Histogram) -> float:
    """Asymmetry: F = (1/N) sum_k (X_k - mean)^3 / variance^(3/2); 0 if all levels are equal."""
    return data.skewness()


@FAMILY.feature("ih_kurt", "Gray level kurtosis (excess)", "C3I7")
def kurtosis(data: Histogram) -> float:
    """Weight of the tails: F = (1/N) sum_k (X_k - mean)^4 / variance^2 - 3; 0 if all levels are equal."""
    return data.kurtosis()


@FAMILY.feature("ih_median", "Median gray level", "WIFQ")
def median(data: Histogram) -> float:
    """Middle of the ordered gray levels: F = P50."""
    return data.percentiles[50]


@FAMILY.feature("ih_min", "Minimum gray level", "1PR8")
def minimum(data: Histogram) -> float:
    """Lowest gray level: F = min_k X_k."""
    return data.minimum


@FAMILY.feature("ih_p10", "10th gray level percentile", "GPMT")
def percentile_10(data: Histogram) -> float:
    """Gray level below which a tenth of the voxels lie: F = P10."""
    return data.percentiles[10]


@FAMILY.feature("ih_p90", "90th gray level percentile", "OZ0C")
def percentile_90(data: Histogram) -> float:
    """Gray level below which nine tenths of the voxels lie: F = P90."""
    return data.percentiles[90]


@FAMILY.feature("ih_max", "Maximum gray level", "3NCY")
def maximum(data: Histogram) -> float:
    """Highest gray level: F = max_k X_k."""
    return data.maximum


@FAMILY.feature("ih_mode", "Gray level mode", "AMMC")
def mode(data: Histogram) -> float:
    """Most frequent gray level; of several, the one nearest to the mean."""
    return data.mode


@FAMILY.feature("ih_iqr", "Gray level interquartile range", "WR0O")
def interquartile_range(data: Histogram) -> float:
    """Range of the middle half of the gray levels: F = P75 - P25."""
    return data.percentiles[75] - data.percentiles[25]


@FAMILY.feature("ih_range", "Gray level range", "5Z3W")
def level_range(data: Histogram) -> float:
    """Distance of the extremes: F = max_k X_k - min_k X_k."""
    return data.maximum - data.minimum


@FAMILY.feature("ih_mad", "Gray level mean absolute deviation", "D2ZX")
def mean_absolute_deviation(data: Histogram) -> float:
    """Mean distance from the mean: F = (1/N) sum_k |X_k - mean|."""
    return data.mean_absolute_deviation()


@FAMILY.feature("ih_rmad", "Gray level robust mean absolute deviation", "WRZB")
def robust_mean_absolute_deviation(data: Histogram) -> float:
    """Mean absolute deviation of the gray levels from P10 to P90 about their own mean."""
    return data.robust_mean_absolute_deviation()


@FAMILY.feature("ih_medad", "Gray level median absolute deviation", "4RNL")
def median_absolute_deviation(data: Histogram) -> float:
    """Mean distance from the median: F = (1/N) sum_k |X_k - median|."""
    return data.median_absolute_deviation()


@FAMILY.feature("ih_cov", "Gray level coefficient of variation", "CWYJ")
def coefficient_of_variation(data: Histogram) -> float:
    """Spread relative to the mean: F = standard deviation / mean."""
    return data.coefficient_of_variation()


@FAMILY.feature("ih_qcod", "Gray level quartile coefficient of dispersion", "SLWD")
def quartile_dispersion(data: Histogram) -> float:
    """Robust spread relative to the level: F = (P75 - P25) / (P75 + P25)."""
    return data.quartile_dispersion()


@FAMILY.feature("ih_entropy", "Gray level entropy", "TLU2")
def entropy(data: Histogram) -> float:
    """Disorder of the gray levels: F = -sum_i p_i log2 p_i."""
    # Adding zero turns the -0 of a single level into 0.
    return float(-(data.p @ np.log2(data.p))) + 0.0


@FAMILY.feature("ih_uniformity", "Gray level uniformity", "BJ5W")
def uniformity(data: Histogram) -> float:
    """Order of the gray levels: F = sum_i p_i^2."""
    return float(data.p @ data.p)


@FAMILY.feature("ih_max_grad", "Maximum histogram gradient", "12CE")
def maximum_gradient(data: Histogram) -> float:
    """Steepest rise of the histogram: F = max_i (n_(i+1) - n_(i-1)) / 2, one-sided at both ends."""
    return float(data.gradient.max())


@FAMILY.feature("ih_max_grad_g", "Maximum histogram gradient gray level", "8E6O")
def maximum_gradient_level(data: Histogram) -> float:
    """Gray level of the steepest rise of the histogram, the first of several."""
    return float(data.gradient.argmax() + 1)


@FAMILY.feature("ih_min_grad", "Minimum histogram gradient", "VQB3")
def minimum_gradient(data: Histogram) -> float:
    """Steepest fall of the histogram: F = min_i (n_(i+1) - n_(i-1)) / 2, one-sided at both ends."""
    return float(data.gradient.min())


@FAMILY.feature("ih_min_grad_g", "Minimum histogram gradient gray level", "RHQZ")
def minimum_gradient_level(data: Histogram) -> float:
    """Gray level of the steepest fall of the histogram, the first of several."""
    return float(data.gradient.argmin() + 1)
