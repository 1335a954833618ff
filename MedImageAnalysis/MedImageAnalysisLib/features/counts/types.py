"""What the counting functions return beside plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Neighborhoods"]


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """Counts over the neighborhood of each voxel, by the voxel's level and its number of neighbors.

    A neighbor is a voxel of the region within the neighborhood, the voxel itself excluded. The second axis of each
    array has `2 * directions + 1` entries, for 0 neighbors up to all of them. Integers only, so that each backend and
    each order of summation gives the same numbers.

    Parameters
    ----------
    voxels : numpy.ndarray of int64, shape (level_count, 2 * directions + 1)
        Entry (i-1, n): the number of voxels of level i that have n neighbors.
    differences : numpy.ndarray of int64, same shape
        Entry (i-1, n): the sum of `abs(i * n - s)` over these voxels, s the sum of the neighbors' levels.
        Divided by n it is the sum of the absolute differences between a level and the mean of its neighbors.
    dependences : numpy.ndarray of int64, same shape
        Entry (i-1, k): the number of voxels of level i with k neighbors whose level differs by at most `tolerance`.
    """

    voxels: np.ndarray
    differences: np.ndarray
    dependences: np.ndarray
