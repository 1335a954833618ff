"""Counting of gray levels: the part of texture analysis that takes the time, behind one narrow interface.

Six functions turn an array of gray levels into counts; the formulas of the features work on the counts alone. A
backend is a module with these functions, and :mod:`.backend` chooses one at each call. All backends return the same
integers, so results never depend on which one ran: the tests hold the one in numpy against plain loops, and the
compiled one against that in numpy.

The array of levels
-------------------
`levels` is a C-contiguous 3D array (slice, row, column) of uint8 or uint16. A voxel of the region holds its gray level,
1 to `level_count`; every other voxel holds 0. The array is padded with zeros such that each neighbor of each voxel of
the region, as far as `offsets` reach, exists in it: a kernel then needs neither bounds checks nor a mask. A 2D image or
a single slice has one slice and no padding along the first axis, and is used with in-plane offsets only.

`offsets` is an int64 array of shape (directions, 3): the step from a voxel to its neighbor in (slice, row, column).
Each offset points forward in memory (its flat offset is positive): of each pair of opposite directions there is one.

The functions
-------------
``cooccurrences(levels, level_count, offsets)``
    int64 array of shape (directions, level_count, level_count): entry (k, i-1, j-1) is the number of voxels with level
    i whose neighbor at `offsets[k]` has level j. Not symmetric: the caller adds the transpose.

``run_lengths(levels, level_count, offsets)``
    int64 array of shape (directions, level_count, longest): entry (k, i-1, r-1) is the number of runs of exactly r
    consecutive voxels of level i along `offsets[k]`, where `longest` is the length of the longest run found in any
    direction (at least 1).

``pairs_and_runs(levels, level_count, offsets)``
    Both of the above for the same offsets: a compiled backend counts them together.

``zones(levels, level_count)``
    int64 array of shape (zones, 2), columns level and size: the connected components of equal level, where all 26
    neighbors of a voxel (8 in a single slice) count as connected. The order of the rows is not defined.

``zones_with_distances(levels, level_count, distances)``
    int64 array of shape (zones, 3), columns level, size and distance: as ``zones``, with the least value that
    `distances` (int32, the shape of `levels`) has in each zone.

``neighborhoods(levels, level_count, offsets, tolerance)``
    A :class:`Neighborhoods`, from one pass over the neighborhood made of all `offsets` and their opposites.
"""

from .backend import (
    cooccurrences,
    describe_backend,
    is_compiled,
    neighborhoods,
    pairs_and_runs,
    run_lengths,
    zones,
    zones_with_distances,
)
from .types import Neighborhoods

__all__ = [
    "Neighborhoods",
    "cooccurrences",
    "describe_backend",
    "is_compiled",
    "neighborhoods",
    "pairs_and_runs",
    "run_lengths",
    "zones",
    "zones_with_distances",
]
