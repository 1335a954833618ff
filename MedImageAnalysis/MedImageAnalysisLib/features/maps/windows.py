"""The neighborhoods of many voxels at once, cut out of an image and laid side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..levels import GrayLevels
from ..settings import FeatureSettings

__all__ = ["WindowReader", "Windows"]

# Neighborhoods worked on at once: enough to amortize the calls, few enough to stay in tens of megabytes.
_CHUNK = 2048
# Levels of all neighborhoods of a chunk are made distinct, within 16 bits.
_MOST_LEVELS = 65535


@dataclass(frozen=True, eq=False)
class Windows:
    """Some neighborhoods, each the part of a box that lies in the region.

    Parameters
    ----------
    intensities : numpy.ndarray of float64, shape (windows, voxels of the box)
        NaN outside of the region.
    levels : numpy.ndarray of uint8 or uint16, shape (windows, slices, rows, columns)
        Gray levels; 0 outside of the region.
    level_count : int
    settings : FeatureSettings
    by_slice : bool
        Whether texture is counted within slices only.
    """

    intensities: np.ndarray
    levels: np.ndarray
    level_count: int
    settings: FeatureSettings
    by_slice: bool

    @property
    def merged(self) -> bool:
        """Whether the counts of all directions are one matrix; else features are averaged over directions."""
        return self.settings.aggregation in ("merged", "slice-merged")

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of voxels of each window."""
        return np.count_nonzero(self.levels, axis=(1, 2, 3))

    @cached_property
    def side_by_side(self) -> np.ndarray:
        """All windows in one array of levels, apart by zeros as wide as neighbors reach.

        Window w holds its levels plus w times the number of levels, so that whatever is counted by level is counted
        by window too: :meth:`split` takes the counts apart again. uint16, as :mod:`..counts` asks for.
        """
        padding = self.settings.distance
        count, slices, rows, columns = self.levels.shape
        across = 0 if self.by_slice else padding
        tiled = np.zeros((slices + 2 * across, padding + count * (rows + padding), columns + 2 * padding), np.uint16)
        inner = tiled[across : across + slices, padding:, padding : padding + columns]
        inner = inner.reshape(slices, count, rows + padding, columns)[:, :, :rows]
        shifts = (np.arange(count, dtype=np.uint16) * np.uint16(self.level_count))[:, None, None, None]
        inner[...] = np.where(self.levels, self.levels + shifts, 0).transpose(1, 0, 2, 3)
        return tiled

    @property
    def tiled_level_count(self) -> int:
        """Number of levels of `side_by_side`."""
        return len(self.levels) * self.level_count

    def split(self, counts: np.ndarray, axis: int = 0) -> np.ndarray:
        """Turn the axis of levels of counts of `side_by_side` into two: windows and levels."""
        shape = counts.shape
        return counts.reshape(*shape[:axis], len(self.levels), self.level_count, *shape[axis + 1 :])


class WindowReader:
    """Yields the neighborhoods of all voxels of a region, in memory order.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (slices, rows, columns)
    mask : numpy.ndarray of bool, same shape
        The region: centers, and the voxels that neighborhoods take in.
    levels : GrayLevels
        Of the voxels of `mask`, in memory order.
    radius : tuple of int
        Reach of the box along (slice, row, column).
    settings : FeatureSettings
    by_slice : bool
        Whether texture is counted within slices only; the radius across slices is then 0.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        mask: np.ndarray,
        levels: GrayLevels,
        radius: tuple[int, int, int],
        settings: FeatureSettings,
        by_slice: bool,
    ) -> None:
        margin = [(reach, reach) for reach in radius]
        inside = np.pad(mask, margin)
        self._intensities = np.full(inside.shape, np.nan)
        self._intensities[inside] = pixels[mask]
        self._levels = np.zeros(inside.shape, levels.values.dtype)
        self._levels[inside] = levels.values
        self._level_count = levels.count
        self._settings = settings
        self._by_slice = by_slice
        self._box = tuple(2 * reach + 1 for reach in radius)
        self._centers = np.flatnonzero(inside)
        grid = np.meshgrid(*(np.arange(-reach, reach + 1) for reach in radius), indexing="ij")
        strides = np.array(inside.strides) // inside.itemsize
        self._steps = sum(axis.ravel() * stride for axis, stride in zip(grid, strides, strict=True))
        self._chunk = max(1, min(_CHUNK, _MOST_LEVELS // levels.count))

    def __len__(self) -> int:
        """Return the number of chunks."""
        return -(-self._centers.size // self._chunk)

    def __iter__(self) -> Iterator[Windows]:
        for start in range(0, self._centers.size, self._chunk):
            places = self._centers[start : start + self._chunk, None] + self._steps
            levels = self._levels.ravel()[places].reshape(-1, *self._box)
            intensities = self._intensities.ravel()[places]
            yield Windows(intensities, levels, self._level_count, self._settings, self._by_slice)
