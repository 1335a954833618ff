"""The loops of the compiled backend. Imported only by :mod:`numba_backend`; compiled at the first call, then cached.

All take the levels as one flat array, the steps to neighbors as flat offsets, and the range of each row from its first
voxel of the region to its last. Within that range every neighbor exists in the array (the package's docstring promises
it for both ends), so that whole rows are worked on without tests for borders or mask; the background, level 0, is
counted in cells of its own that nobody reads. Loops are over slices, without negative indices, such that the compiler
turns them into vector instructions; only the histograms go voxel by voxel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "cooccurrence_counts",
    "neighborhood_counts",
    "pair_and_run_counts",
    "row_ranges",
    "zone_labels",
    "zone_table",
]


@njit(cache=True, nogil=True)
def row_ranges(flat, row_length):
    """Return for each row its first voxel of the region and one past its last (flat indices, equal if it has none)."""
    ranges = np.empty((flat.size // row_length, 2), np.int64)
    for row in range(ranges.shape[0]):
        start, stop = row * row_length, (row + 1) * row_length
        while start < stop and flat[start] == 0:
            start += 1
        while stop > start and flat[stop - 1] == 0:
            stop -= 1
        ranges[row, 0], ranges[row, 1] = start, stop
    return ranges


@njit(cache=True, nogil=True)
def cooccurrence_counts(flat, ranges, steps, width, counts):
    """Add to `counts` (direction, level * width + level of the neighbor) each voxel and its neighbor."""
    width = np.uint32(width)
    for row in range(ranges.shape[0]):
        start, stop = ranges[row]
        here = flat[start:stop]
        for k in range(steps.size):
            after = flat[start + steps[k] : stop + steps[k]]
            table = counts[k]
            for x in range(stop - start):
                table[np.uint32(here[x]) * width + np.uint32(after[x])] += np.uint32(1)


@njit(cache=True, nogil=True)
def pair_and_run_counts(flat, ranges, plane_rows, steps, width, lengths, counts):
    """Count unlike pairs, and how far runs of like voxels have come, with one increment per voxel and direction.

    A voxel of level a that follows a voxel of another level b adds to cell b * width + a of its direction in `counts`.
    If it follows a voxel of its own level, as the r-th voxel of a run (r > 1), it adds to cell
    width^2 + a * stride + r instead: this cell ends up with the number of runs of a that have at least r voxels.

    Parameters
    ----------
    width : int
        Number of levels, the background included. `counts` has width^2 cells for pairs, then `width` rows of `stride`
        cells for runs in each direction.
    lengths : numpy.ndarray of shape (directions, voxels of some planes)
        Room for a ring that remembers how far the run has come in this plane and those before, as far as steps reach.
    """
    pairs = width * width
    stride = np.uint32((counts.shape[1] - pairs) // width)
    runs_start = np.uint32(pairs)
    width = np.uint32(width)
    ring = lengths.shape[1]
    one = lengths.dtype.type(1)
    cells = np.empty(flat.size // ranges.shape[0], np.uint32)
    for first in range(0, ranges.shape[0], plane_rows):
        for k in range(steps.size):
            table = counts[k]
            for row in range(first, first + plane_rows):
                start, stop = ranges[row]
                size = stop - start
                if size == 0:
                    continue
                here = flat[start:stop]
                before = flat[start - steps[k] : stop - steps[k]]
                now, then = start % ring, (start - steps[k]) % ring
                length = lengths[k, now : now + size]
                length_before = lengths[k, then : then + size]
                for x in range(size):
                    length[x] = length_before[x] + one if here[x] == before[x] else one
                for x in range(size):
                    run = runs_start + np.uint32(here[x]) * stride + np.uint32(length[x])
                    pair = np.uint32(before[x]) * width + np.uint32(here[x])
                    cells[x] = run if (here[x] == before[x]) & (here[x] != 0) else pair
                for x in range(size):
                    table[cells[x]] += np.uint32(1)


@njit(cache=True, nogil=True)
def neighborhood_counts(flat, ranges, steps, tolerance, total, number, alike, counts):
    """Add to `counts` (quantity, level, number of neighbors) what :class:`Neighborhoods` holds.

    Parameters
    ----------
    total, number, alike : numpy.ndarray of unsigned integers
        Room for one row: sum, number and number of similar neighbors; their types are wide enough for any voxel.
    """
    for row in range(ranges.shape[0]):
        start, stop = ranges[row]
        here = flat[start:stop]
        total[:] = 0
        number[:] = 0
        alike[:] = 0
        for k in range(2 * steps.size):
            step = steps[k] if k < steps.size else -steps[k - steps.size]
            there = flat[start + step : stop + step]
            for x in range(stop - start):
                total[x] += there[x]
            for x in range(stop - start):
                number[x] += np.uint8(there[x] != 0)
            if tolerance == 0:
                for x in range(stop - start):
                    alike[x] += np.uint8(here[x] == there[x])
            else:
                for x in range(stop - start):
                    difference = max(here[x], there[x]) - min(here[x], there[x])
                    alike[x] += np.uint8((difference <= tolerance) & (there[x] != 0))
        for x in range(stop - start):
            level, neighbors = np.int64(here[x]), np.int64(number[x])
            counts[0, level, neighbors] += 1
            counts[1, level, neighbors] += abs(level * neighbors - np.int64(total[x]))
            counts[2, level, alike[x]] += 1


@njit(cache=True, nogil=True)
def zone_labels(flat, ranges, steps, representatives, lowest_bit):
    """Unite like neighbors; return each voxel's parent (an earlier voxel of its zone, or itself) and the zone count.

    Parameters
    ----------
    representatives : numpy.ndarray
        For each set of like backward neighbors (one bit per direction) a subset that reaches all of them, given that
        neighbors that touch each other have been united before.
    lowest_bit : numpy.ndarray
        Index of the lowest bit of each number.
    """
    parents = np.empty(flat.size, np.int32)
    alike = np.empty(flat.size // ranges.shape[0], np.uint16)
    zones = 0
    for row in range(ranges.shape[0]):
        start, stop = ranges[row]
        here = flat[start:stop]
        alike[:] = 0
        for k in range(steps.size):
            before = flat[start - steps[k] : stop - steps[k]]
            bit = np.uint16(1 << k)
            for x in range(stop - start):
                alike[x] |= bit if here[x] == before[x] else np.uint16(0)
        for x in range(stop - start):
            if here[x] == 0:
                continue
            voxel = start + x
            parents[voxel] = voxel
            zones += 1
            left = representatives[alike[x]]
            while left:
                neighbor = voxel - steps[lowest_bit[left]]
                left &= left - np.uint16(1)
                first, second = _root(parents, voxel), _root(parents, neighbor)
                if first != second:
                    parents[max(first, second)] = min(first, second)
                    zones -= 1
    return parents, zones


@njit(cache=True, nogil=True)
def _root(parents, voxel):
    while parents[voxel] != voxel:
        parents[voxel] = parents[parents[voxel]]
        voxel = parents[voxel]
    return voxel


@njit(cache=True, nogil=True)
def zone_table(flat, ranges, parents, zones, distances):
    """Return level, size and, if `distances` are given, least distance of each zone; overwrites `parents`.

    A parent comes before its child, so that one pass in order finds the zone of each voxel at its parent.
    """
    measured = distances.size > 0
    table = np.empty((zones, 3 if measured else 2), np.int64)
    found = 0
    for row in range(ranges.shape[0]):
        for voxel in range(ranges[row, 0], ranges[row, 1]):
            if flat[voxel] == 0:
                continue
            parent = parents[voxel]
            if parent == voxel:
                zone = found
                found += 1
                table[zone, 0], table[zone, 1] = flat[voxel], 1
                if measured:
                    table[zone, 2] = distances[voxel]
            else:
                zone = ~parents[parent]
                table[zone, 1] += 1
                if measured:
                    table[zone, 2] = min(table[zone, 2], distances[voxel])
            parents[voxel] = ~zone
    return table
