"""One segment, cut out of its image: what all families compute from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .definition import Undefined
from .distribution import Distribution
from .levels import GrayLevels, discretized
from .settings import FeatureSettings
from .texture import Texture

__all__ = ["Region"]

# A table of intensities with more entries than this costs more than it saves.
_LARGEST_TABLE = 2**18
_PIECE = 2**20


@dataclass(frozen=True, eq=False)
class Region:
    """A segment within its box. Arrays are indexed (slice, row, column); a 2D image has one slice.

    Parameters
    ----------
    image : numpy.ndarray
        Intensities of the box, in the pixel type of the image or as resampled.
    shape_mask : numpy.ndarray of bool
        The segment as drawn (the standard's morphological mask).
    mask : numpy.ndarray of bool
        The voxels whose intensities count: without those that re-segmentation leaves out (the intensity mask).
    spacing : numpy.ndarray of float, shape (3,)
        Size of a voxel along (slice, row, column). For a 2D image the first is 1 and means nothing.
    settings : FeatureSettings
    surroundings : numpy.ndarray
        Intensities of a larger box, or of the whole image.
    corner : tuple of int
        Where the segment's box begins in the surroundings.
    dimension : int
        2 for a true 2D image, else 3.
    length_unit : str
        "mm", or "px" if the spacing is unknown.
    """

    image: np.ndarray
    shape_mask: np.ndarray
    mask: np.ndarray
    spacing: np.ndarray
    settings: FeatureSettings
    surroundings: np.ndarray
    corner: tuple[int, ...]
    dimension: int = 3
    length_unit: str = "mm"

    @cached_property
    def _pixels(self) -> np.ndarray:
        """Values of the voxels of `mask` in memory order; all are numbers, and integers if all are whole."""
        values = self.image[self.mask]
        if not values.size:
            raise Undefined("No voxel of the segment is left after re-segmentation.")
        if values.dtype.kind == "f":
            bad = values.size - np.count_nonzero(np.isfinite(values))
            if bad:
                raise Undefined(
                    f"{bad} of {values.size} voxels hold no number (NaN or infinity): "
                    "set a re-segmentation range to leave them out."
                )
            return _as_integers(values)
        return values

    @cached_property
    def intensities(self) -> np.ndarray:
        """Intensities of the voxels of `mask` as float64, in memory order.

        Raises
        ------
        Undefined
            If no voxel is left, or if one of them holds no number.
        """
        return self._pixels.astype(np.float64)

    @cached_property
    def _offsets(self) -> np.ndarray | None:
        """Whole-numbered intensities above their minimum, if their range is small enough for a table; else None."""
        if self._table_size is None:
            return None
        # Small numbers: as indices they are needed for a moment only.
        wide = np.int32 if self._pixels.dtype.itemsize < 4 else np.int64
        kind = np.uint16 if self._table_size <= 65536 else np.int32
        return (self._pixels.astype(wide) - int(self._pixels.min())).astype(kind)

    @cached_property
    def _table_size(self) -> int | None:
        """How many whole numbers the range of the intensities holds; None if they are none, or too many for a table."""
        if self._pixels.dtype.kind not in "iu":
            return None
        size = int(self._pixels.max()) - int(self._pixels.min()) + 1
        return size if size <= _LARGEST_TABLE else None

    @cached_property
    def distribution(self) -> Distribution:
        """The intensities of `mask`, without their places. May be undefined, as `intensities`."""
        if self._table_size is None:
            return Distribution(*np.unique(self.intensities, return_counts=True))
        counts = np.zeros(self._table_size, np.int64)
        low = int(self._pixels.min())
        # In pieces, because counting needs 64-bit indices.
        for start in range(0, self._pixels.size, _PIECE):
            piece = self._pixels[start : start + _PIECE].astype(np.int64)
            piece -= low
            counts += np.bincount(piece, minlength=counts.size)
        occurs = np.flatnonzero(counts)
        return Distribution(occurs + float(self._pixels.min()), counts[occurs])

    def center_of_mass_shift(self) -> float:
        """Return the distance of the center of the segment from the center of its intensities."""
        total = self.intensities.sum()
        if total == 0:
            raise Undefined("The intensities sum to zero, so they have no center of mass.")
        masses = np.zeros(self.mask.shape)
        masses[self.mask] = self.intensities
        centers = _center(masses, total), _center(self.shape_mask, np.count_nonzero(self.shape_mask))
        return float(np.linalg.norm((centers[0] - centers[1]) * self.spacing))

    @cached_property
    def levels(self) -> GrayLevels:
        """Gray level of each voxel of `mask`, in memory order."""
        if self._offsets is None:
            return discretized(self.intensities, self.settings)
        distinct = discretized(self.distribution.values, self.settings, self.distribution.counts)
        table = np.zeros(int(self._offsets.max()) + 1, distinct.values.dtype)
        table[(self.distribution.values - self.distribution.minimum).astype(np.intp)] = distinct.values
        return GrayLevels(table.take(self._offsets), distinct.count, distinct.histogram)

    @cached_property
    def texture(self) -> Texture:
        """The gray levels in their places, ready to be counted."""
        return Texture(self.mask, self.shape_mask, self.levels, self.settings, self.dimension == 2)


def _as_integers(values: np.ndarray) -> np.ndarray:
    """Return whole numbers as integers, which are counted faster; files often hold them as floats. Else `values`."""
    if np.abs(values).max() >= 2**31:
        return values
    whole = values.astype(np.int32)
    return whole if (whole == values).all() else values


def _center(masses: np.ndarray, total: float) -> np.ndarray:
    """Return the mean position, weighted by masses, in voxels."""
    axes = range(masses.ndim)
    sums = (masses.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes)
    return np.array([line @ np.arange(line.size) / total for line in sums])
