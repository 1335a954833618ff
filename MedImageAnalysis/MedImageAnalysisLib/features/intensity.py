"""Intensity statistics: the distribution of intensities, without regard to place (first-order features)."""

from __future__ import annotations

import numpy as np

from .definition import Family, Values
from .distribution import Distribution
from .region import Region

__all__ = ["FAMILY", "compute"]

FAMILY = Family("intensity", "Intensity statistics")


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(region.distribution)


@FAMILY.feature("stat_mean", "Mean intensity", "Q4LE", "{intensity}")
def mean(data: Distribution) -> float:
    """Average of the intensities: F = (1/N) sum_k X_k."""
    return data.mean


@FAMILY.feature("stat_var", "Intensity variance", "ECT3", "{intensity}2")
def variance(data: Distribution) -> float:
    """Spread about the mean: F = (1/N) sum_k (X_k - mean)^2."""
    return data.variance


@FAMILY.feature("stat_skew", "Intensity skewness", "KE2A")
def skewness(data: Distribution) -> float:
    """Asymmetry: F = (1/N) sum_k (X_k - mean)^3 / variance^(3/2); 0 if all intensities are equal."""
    return data.skewness()


@FAMILY.feature("stat_kurt", "Intensity kurtosis (excess)", "IPH6")
def kurtosis(data: Distribution) -> float:
    """Weight of the tails: F = (1/N) sum_k (X_k - mean)^4 / variance^2 - 3; 0 if all intensities are equal."""
    return data.kurtosis()


@FAMILY.feature("stat_median", "Median intensity", "Y12H", "{intensity}")
def median(data: Distribution) -> float:
    """Middle of the ordered intensities: F = P50."""
    return data.percentiles[50]


@FAMILY.feature("stat_min", "Minimum intensity", "1GSF", "{intensity}")
def minimum(data: Distribution) -> float:
    """Lowest intensity: F = min_k X_k."""
    return data.minimum


@FAMILY.feature("stat_p10", "10th intensity percentile", "QG58", "{intensity}")
def percentile_10(data: Distribution) -> float:
    """Intensity below which a tenth of the voxels lie: F = P10."""
    return data.percentiles[10]


@FAMILY.feature("stat_p90", "90th intensity percentile", "8DWT", "{intensity}")
def percentile_90(data: Distribution) -> float:
    """Intensity below which nine tenths of the voxels lie, a maximum that noise moves less: F = P90."""
    return data.percentiles[90]


@FAMILY.feature("stat_max", "Maximum intensity", "84IY", "{intensity}")
def maximum(data: Distribution) -> float:
    """Highest intensity: F = max_k X_k."""
    return data.maximum


@FAMILY.feature("stat_iqr", "Intensity interquartile range", "SALO", "{intensity}")
def interquartile_range(data: Distribution) -> float:
    """Range of the middle half of the intensities: F = P75 - P25."""
    return data.percentiles[75] - data.percentiles[25]


@FAMILY.feature("stat_range", "Intensity range", "2OJQ", "{intensity}")
def intensity_range(data: Distribution) -> float:
    """Distance of the extremes: F = max_k X_k - min_k X_k."""
    return data.maximum - data.minimum


@FAMILY.feature("stat_mad", "Intensity mean absolute deviation", "4FUA", "{intensity}")
def mean_absolute_deviation(data: Distribution) -> float:
    """Mean distance from the mean: F = (1/N) sum_k |X_k - mean|."""
    return data.mean_absolute_deviation()


@FAMILY.feature("stat_rmad", "Intensity robust mean absolute deviation", "1128", "{intensity}")
def robust_mean_absolute_deviation(data: Distribution) -> float:
    """Mean absolute deviation of the intensities from P10 to P90 about their own mean."""
    return data.robust_mean_absolute_deviation()


@FAMILY.feature("stat_medad", "Intensity median absolute deviation", "N72L", "{intensity}")
def median_absolute_deviation(data: Distribution) -> float:
    """Mean distance from the median: F = (1/N) sum_k |X_k - median|."""
    return data.median_absolute_deviation()


@FAMILY.feature("stat_cov", "Intensity coefficient of variation", "7TET")
def coefficient_of_variation(data: Distribution) -> float:
    """Spread relative to the mean: F = standard deviation / mean. Has no value if the mean is 0."""
    return data.coefficient_of_variation()


@FAMILY.feature("stat_qcod", "Intensity quartile coefficient of dispersion", "9S40")
def quartile_dispersion(data: Distribution) -> float:
    """Robust spread relative to the level: F = (P75 - P25) / (P75 + P25). Has no value if the sum is 0."""
    return data.quartile_dispersion()


@FAMILY.feature("stat_energy", "Intensity energy", "N8CA", "{intensity}2")
def energy(data: Distribution) -> float:
    """Sum of squares: F = sum_k X_k^2."""
    return data.energy()


@FAMILY.feature("stat_rms", "Root mean square intensity", "5ZWQ", "{intensity}")
def root_mean_square(data: Distribution) -> float:
    """Square root of the mean of squares: F = sqrt((1/N) sum_k X_k^2)."""
    return np.sqrt(data.energy() / data.size)
