"""Intensity-volume histogram (IVH): how much of the segment is at least how bright."""

from __future__ import annotations

import numpy as np

from .definition import IBSI, Family, Undefined, Values
from .levels import fixed_bin_number, fixed_bin_width
from .region import Region

__all__ = ["FAMILY", "VolumeHistogram", "compute"]

FAMILY = Family("ivh", "Intensity-volume histogram", reference=IBSI)


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(VolumeHistogram(region))


class VolumeHistogram:
    """Intensities i on a grid, the share of voxels that are at least as bright, and the share of the range below them.

    Attributes
    ----------
    grid : numpy.ndarray of float
        Intensities, ascending.
    volume : numpy.ndarray of float
        Share of the voxels with intensity i or more.
    fraction : numpy.ndarray of float
        (i - lowest) / (highest - lowest).
    beyond : float
        The intensity after the last of the grid.
    """

    def __init__(self, region: Region) -> None:
        settings = region.settings
        values = region.intensities
        low, high = settings.resegmentation_minimum, settings.resegmentation_maximum
        low = float(values.min()) if low is None else low
        high = float(values.max()) if high is None else high
        if settings.ivh_discretization == "bin-number":
            values, count = fixed_bin_number(values, settings.ivh_bin_number)
            self.grid = np.arange(1.0, count + 1)
            self.beyond = count + 1.0
        elif settings.ivh_discretization == "bin-width":
            width = settings.ivh_bin_width
            levels, _ = fixed_bin_width(values, width, low)
            # A range that the bins do not divide evenly ends within its last bin.
            self.grid = low + (np.arange(1, np.ceil((high - low) / width) + 1) - 0.5) * width
            values = low + (levels - 0.5) * width
            self.beyond = float(self.grid[-1] + width) if self.grid.size else low
        else:
            self.grid, self.beyond = _natural_grid(values, low, high)
        first, last = (self.grid[0], self.grid[-1]) if self.grid.size > 1 else (0.0, 0.0)
        if first == last:
            raise Undefined("All intensities are equal, so there is no range to divide.")
        self.fraction = (self.grid - first) / (last - first)
        # Bin centers carry rounding: a tenth of a step below each grid point keeps them on the right side.
        edges = self.grid - 0.1 * np.diff(self.grid, append=self.beyond)
        self.volume = 1 - np.searchsorted(np.sort(values), edges) / values.size

    def volume_at(self, fraction: float) -> float:
        """Return the largest share of voxels among the intensities with at least this share of the range."""
        return float(self.volume[np.searchsorted(self.fraction, fraction)])

    def intensity_at(self, volume: float) -> float:
        """Return the least intensity that at most this share of the voxels reach."""
        reached = np.flatnonzero(self.volume <= volume)
        return float(self.grid[reached[0]]) if reached.size else self.beyond


def _natural_grid(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, float]:
    """Return the grid of intensities without bins: whole numbers, or else the intensities that occur."""
    if (values == np.floor(values)).all() and high - low < 1e7:
        grid = np.arange(np.ceil(low), np.floor(high) + 1)
        return grid, float(grid[-1] + 1)
    grid = np.unique(values)
    return grid, float(np.nextafter(grid[-1], np.inf))


@FAMILY.feature("ivh_v10", "Volume at 10 % of the intensity range", "NK6P")
def volume_at_10(data: VolumeHistogram) -> float:
    """Share of the segment whose intensity is at least the lowest plus 10 % of the range: F = V10."""
    return data.volume_at(0.10)


@FAMILY.feature("ivh_v90", "Volume at 90 % of the intensity range", "4279")
def volume_at_90(data: VolumeHistogram) -> float:
    """Share of the segment whose intensity is at least the lowest plus 90 % of the range: F = V90."""
    return data.volume_at(0.90)


@FAMILY.feature("ivh_i10", "Intensity at 10 % of the volume", "PWN1", "{ivh_intensity}")
def intensity_at_10(data: VolumeHistogram) -> float:
    """Least intensity that at most 10 % of the segment reach: F = I10. A bin number if bins are counted."""
    return data.intensity_at(0.10)


@FAMILY.feature("ivh_i90", "Intensity at 90 % of the volume", "BOHI", "{ivh_intensity}")
def intensity_at_90(data: VolumeHistogram) -> float:
    """Least intensity that at most 90 % of the segment reach: F = I90. A bin number if bins are counted."""
    return data.intensity_at(0.90)


@FAMILY.feature("ivh_diff_v10_v90", "Volume difference between 10 % and 90 % intensity", "WITY")
def volume_difference(data: VolumeHistogram) -> float:
    """Share of the segment between the two intensities: F = V10 - V90."""
    return data.volume_at(0.10) - data.volume_at(0.90)


@FAMILY.feature("ivh_diff_i10_i90", "Intensity difference between 10 % and 90 % volume", "JXJA", "{ivh_intensity}")
def intensity_difference(data: VolumeHistogram) -> float:
    """Range of intensities between the two volumes: F = I10 - I90."""
    return data.intensity_at(0.10) - data.intensity_at(0.90)


@FAMILY.feature("ivh_auc", "Area under the IVH curve", "9CMM")
def area_under_curve(data: VolumeHistogram) -> float:
    """Integral of the volume share over the share of the range, by trapezoids."""
    steps = np.diff(data.fraction)
    return float(steps @ (data.volume[1:] + data.volume[:-1]) / 2)
