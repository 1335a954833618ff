"""Discretization: from intensities to the gray levels that histograms and textures are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .definition import Undefined
from .settings import FeatureSettings

__all__ = ["MAXIMUM_LEVELS", "GrayLevels", "discretized", "fixed_bin_number", "fixed_bin_width"]

# A co-occurrence matrix of each direction holds the square of this many counts.
MAXIMUM_LEVELS = 2048


@dataclass(frozen=True, eq=False)
class GrayLevels:
    """Gray levels of voxels.

    Parameters
    ----------
    values : numpy.ndarray of uint8 or uint16
        1 to `count`.
    count : int
        The number of gray levels, those that no voxel has included.
    histogram : numpy.ndarray of float64, shape (count,)
        How many voxels have each level; counted if not given.
    """

    values: np.ndarray
    count: int
    histogram: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.histogram is None:
            counts = np.bincount(self.values, minlength=self.count + 1)[1:]
            object.__setattr__(self, "histogram", counts.astype(np.float64))


def discretized(intensities: np.ndarray, settings: FeatureSettings, counts: np.ndarray | None = None) -> GrayLevels:
    """Return the gray levels of `intensities`, each of which occurs once or `counts` times, as the settings say.

    Raises
    ------
    Undefined
        If there would be too many gray levels, or if intensities without bins are not whole numbers.
    """
    if settings.discretization == "bin-number":
        levels, count = fixed_bin_number(intensities, settings.bin_number)
    elif settings.discretization == "bin-width":
        levels, count = fixed_bin_width(intensities, settings.bin_width, _lowest(intensities, settings))
    else:
        levels, count = _as_they_are(intensities)
    if count > MAXIMUM_LEVELS:
        raise Undefined(
            f"The intensities would give {count} gray levels, but at most {MAXIMUM_LEVELS} are counted: "
            "choose a larger bin width or a fixed bin number."
        )
    levels = levels.astype(np.uint8 if count < 256 else np.uint16)
    histogram = None if counts is None else np.bincount(levels, counts, minlength=count + 1)[1:]
    return GrayLevels(levels, int(count), histogram)


def fixed_bin_number(intensities: np.ndarray, number: int) -> tuple[np.ndarray, int]:
    """Return levels 1 to `number` of equal width over the range of the intensities; all 1 if these are equal.

    level = floor(number (x - min) / (max - min)) + 1, and `number` for the maximum.
    """
    low, high = intensities.min(), intensities.max()
    if low == high:
        return np.ones(intensities.shape), 1
    # The order of operations is that of the standard: it decides on which side of a border an intensity falls.
    levels = np.floor(number * (intensities - low) / (high - low)) + 1
    return np.minimum(levels, number), number


def fixed_bin_width(intensities: np.ndarray, width: float, lowest: float) -> tuple[np.ndarray, int]:
    """Return levels of equal width from `lowest` upward: level = floor((x - lowest) / width) + 1."""
    levels = np.floor((intensities - lowest) / width) + 1
    return levels, int(levels.max())


def _lowest(intensities: np.ndarray, settings: FeatureSettings) -> float:
    """Return where the first bin begins."""
    if settings.profile == "pyradiomics":
        return float(np.floor(intensities.min() / settings.bin_width) * settings.bin_width)
    if settings.resegmentation_minimum is not None:
        return settings.resegmentation_minimum
    return float(intensities.min())


def _as_they_are(intensities: np.ndarray) -> tuple[np.ndarray, int]:
    """Return whole-numbered intensities as levels, shifted to begin at 1 if any is lower."""
    if (intensities != np.floor(intensities)).any():
        raise Undefined("The intensities are not whole numbers, so they need bins to become gray levels.")
    shift = min(intensities.min() - 1, 0)
    levels = intensities - shift
    return levels, int(levels.max())
