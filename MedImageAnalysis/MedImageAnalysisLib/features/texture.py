"""The gray levels of a region in their places, and their counts, each made once for all families that need it."""

from __future__ import annotations

import functools
import itertools
from functools import cached_property

import numpy as np

from ..imaging.masks import bounding_box
from . import counts
from .counts import Neighborhoods
from .levels import GrayLevels
from .settings import FeatureSettings

__all__ = ["Texture", "directions"]


@functools.lru_cache(maxsize=16)
def directions(distance: int, norm: str, in_plane: bool, exactly: bool) -> np.ndarray:
    """Return the forward half of the offsets (slice, row, column) at, or up to, a distance.

    Parameters
    ----------
    distance : int
    norm : {"chebyshev", "manhattan"}
        The largest, or the sum, of the absolute components.
    in_plane : bool
        Only offsets within the slice.
    exactly : bool
        Offsets at the distance; else all up to it.

    Returns
    -------
    numpy.ndarray of int64, shape (directions, 3)
    """
    reach = range(-distance, distance + 1)
    length = max if norm == "chebyshev" else sum
    offsets = [
        offset
        for offset in itertools.product([0] if in_plane else reach, reach, reach)
        if offset > (0, 0, 0)
        and (length(map(abs, offset)) == distance or not exactly)
        and length(map(abs, offset)) <= distance
    ]
    found = np.array(offsets, np.int64).reshape(-1, 3)
    found.flags.writeable = False  # shared between calls
    return found


class Texture:
    """Padded arrays of gray levels: one for the volume (3D), or one per slice (2D and 2.5D, and 2D images).

    Parameters
    ----------
    mask, shape_mask : numpy.ndarray of bool, shape (slices, rows, columns)
        The voxels that have levels, and the segment as drawn; the same array if all have.
    levels : GrayLevels
        Of the voxels of `mask`, in memory order.
    settings : FeatureSettings
    flat : bool
        A true 2D image, which has no neighbors across slices.
    """

    def __init__(
        self, mask: np.ndarray, shape_mask: np.ndarray, levels: GrayLevels, settings: FeatureSettings, flat: bool
    ) -> None:
        self.level_count = levels.count
        self.settings = settings
        self.by_slice = flat or settings.dimension != "3D"
        self._shape_mask = shape_mask
        # A segment fills its box, unless re-segmentation left some of it out.
        self._box = (slice(None),) * 3 if mask is shape_mask else bounding_box(mask)
        inner = mask[self._box]
        # A single slice has no neighbors across slices, so it needs no padding there.
        self._padding = [(0, 0) if self.by_slice and axis == 0 else (settings.distance,) * 2 for axis in range(3)]
        array = np.zeros(
            [n + sum(pads) for n, pads in zip(inner.shape, self._padding, strict=True)], levels.values.dtype
        )
        core = tuple(slice(low, low + n) for n, (low, _) in zip(inner.shape, self._padding, strict=True))
        array[core][inner] = levels.values
        self._slices = inner.any(axis=(1, 2)).nonzero()[0] if self.by_slice else None
        self.arrays = [array[k : k + 1] for k in self._slices] if self.by_slice else [array]

    @property
    def voxels(self) -> np.ndarray:
        """Number of voxels in each array."""
        return np.array([np.count_nonzero(array) for array in self.arrays])

    @cached_property
    def _steps(self) -> np.ndarray:
        return directions(1, "chebyshev", self.by_slice, exactly=True)

    @cached_property
    def _offsets(self) -> np.ndarray:
        return directions(self.settings.distance, self.settings.norm, self.by_slice, exactly=True)

    @cached_property
    def _pairs_and_runs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [counts.pairs_and_runs(array, self.level_count, self._steps) for array in self.arrays]

    @property
    def _counts_both(self) -> bool:
        """Whether pairs and runs are both asked for along the same directions, to be counted together."""
        return {"glcm", "glrlm"} <= set(self.settings.families) and np.array_equal(self._offsets, self._steps)

    def cooccurrences(self) -> list[np.ndarray]:
        """Return per array the pairs of levels in each direction; see :mod:`.counts`."""
        if self._counts_both:
            return [pairs for pairs, _ in self._pairs_and_runs]
        return [counts.cooccurrences(array, self.level_count, self._offsets) for array in self.arrays]

    def run_lengths(self) -> list[np.ndarray]:
        """Return per array the runs of levels in each direction; see :mod:`.counts`."""
        if self._counts_both:
            return [runs for _, runs in self._pairs_and_runs]
        return [counts.run_lengths(array, self.level_count, self._steps) for array in self.arrays]

    @cached_property
    def zones(self) -> list[np.ndarray]:
        """Per array the zones, columns level and size."""
        return [counts.zones(array, self.level_count) for array in self.arrays]

    @cached_property
    def zones_with_distances(self) -> list[np.ndarray]:
        """Per array the zones, columns level, size and distance to the border of the segment as drawn."""
        from scipy.ndimage import distance_transform_cdt

        mask = np.pad(self._shape_mask, 1)
        if self.by_slice:
            distances = np.stack([distance_transform_cdt(plane, "taxicab") for plane in mask])
        else:
            distances = distance_transform_cdt(mask, "taxicab")
        distances = np.pad(distances[1:-1, 1:-1, 1:-1][self._box], self._padding).astype(np.int32)
        parts = [distances[k : k + 1] for k in self._slices] if self.by_slice else [distances]
        return [
            counts.zones_with_distances(array, self.level_count, part)
            for array, part in zip(self.arrays, parts, strict=True)
        ]

    @cached_property
    def neighborhoods(self) -> list[Neighborhoods]:
        """Per array the sums over the neighborhood of each voxel."""
        offsets = directions(self.settings.distance, self.settings.norm, self.by_slice, exactly=False)
        tolerance = self.settings.dependence_tolerance
        return [counts.neighborhoods(array, self.level_count, offsets, tolerance) for array in self.arrays]
