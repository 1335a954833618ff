"""The counts compiled by numba: the same integers as :mod:`vectorized`, several times faster on large regions.

See the package's docstring for the contract. One thread.
"""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np

from ..compiled import load
from .types import Neighborhoods

__all__ = ["cooccurrences", "neighborhoods", "pairs_and_runs", "run_lengths", "zones", "zones_with_distances"]


def cooccurrences(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count pairs of levels; see the package's docstring."""
    flat, ranges, steps = _rows(levels, offsets)
    width = level_count + 1
    counts = np.zeros((len(steps), width * width), np.uint32)
    _kernels().cooccurrence_counts(flat, ranges, steps, width, counts)
    return counts.reshape(len(steps), width, width)[:, 1:, 1:].astype(np.int64)


def run_lengths(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count runs of equal levels; see the package's docstring."""
    return pairs_and_runs(levels, level_count, offsets)[1]


def pairs_and_runs(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``cooccurrences`` and ``run_lengths`` of the same offsets, counted together."""
    flat, ranges, steps = _rows(levels, offsets)
    width = level_count + 1
    stride = max(levels.shape) + 1
    counts = np.zeros((len(steps), width * (width + stride)), np.uint32)
    planes = int(offsets[:, 0].max(initial=0)) + 1
    lengths = np.empty((len(steps), planes * levels[0].size), np.uint16 if stride < 65536 else np.uint32)
    _kernels().pair_and_run_counts(flat, ranges, levels.shape[1], steps, width, lengths, counts)
    cells = counts[:, : width * width].reshape(len(steps), width, width)
    pairs = cells[:, 1:, 1:].astype(np.int64)
    # Number of runs of at least r voxels; those of at least 1 are the voxels that follow another level.
    reaching = counts[:, width * width :].reshape(len(steps), width, stride)[:, 1:]
    longest = max(int(reaching.any(axis=(0, 1)).nonzero()[0].max(initial=1)), 1)
    runs = reaching[:, :, 1 : longest + 1].astype(np.int64)
    pairs[:, np.arange(level_count), np.arange(level_count)] = runs.sum(axis=2)
    runs[:, :, 0] = cells.sum(axis=1, dtype=np.int64)[:, 1:]
    runs[:, :, :-1] -= runs[:, :, 1:].copy()
    return pairs, runs


def zones(levels: np.ndarray, level_count: int) -> np.ndarray:
    """List zones of equal level; see the package's docstring."""
    return _zones(levels, np.empty(0, np.int32))


def zones_with_distances(levels: np.ndarray, level_count: int, distances: np.ndarray) -> np.ndarray:
    """List zones of equal level with their least distance; see the package's docstring."""
    return _zones(levels, distances.ravel())


def _zones(levels: np.ndarray, distances: np.ndarray) -> np.ndarray:
    directions, representatives, lowest_bit = _backward_neighbors(flat=len(levels) == 1)
    flat, ranges, steps = _rows(levels, directions)
    parents, count = _kernels().zone_labels(flat, ranges, steps, representatives, lowest_bit)
    return _kernels().zone_table(flat, ranges, parents, count, distances)


@functools.cache
def _backward_neighbors(flat: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions whose opposites precede a voxel, and which of a set of neighbors stand for all.

    Neighbors that touch each other and have the same level have been united before, so of each group of them one is
    enough. The middle of the slice before touches all others.
    """
    steps = [(z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]
    directions = np.array([step for step in steps if not (flat and step[0])], np.int64)
    touching = np.abs(directions[:, np.newaxis] - directions).max(axis=2) <= 1
    representatives = np.zeros(1 << len(directions), np.uint16)
    lowest_bit = np.zeros_like(representatives, np.uint8)
    for group in range(1, representatives.size):
        lowest_bit[group] = (group & -group).bit_length() - 1
        left = [k for k in range(len(directions)) if group >> k & 1]
        while left:
            reached = [left[0]]
            for k in reached:
                reached += [other for other in left if touching[k, other] and other not in reached]
            representatives[group] |= 1 << left[0]
            left = [k for k in left if k not in reached]
    return directions, representatives, lowest_bit


def neighborhoods(levels: np.ndarray, level_count: int, offsets: np.ndarray, tolerance: int) -> Neighborhoods:
    """Sum over the neighbors of each voxel; see the package's docstring."""
    flat, ranges, steps = _rows(levels, offsets)
    neighbor_count = 2 * len(steps)
    row_length = levels.shape[2]
    total = np.zeros(row_length, np.uint16 if neighbor_count * level_count < 65536 else np.uint32)
    number, alike = np.zeros((2, row_length), np.uint8 if neighbor_count < 256 else np.uint16)
    counts = np.zeros((3, level_count + 1, neighbor_count + 1), np.int64)
    _kernels().neighborhood_counts(flat, ranges, steps, tolerance, total, number, alike, counts)
    return Neighborhoods(*counts[:, 1:])


def _rows(levels: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the levels as a flat array, the range of each row that holds voxels, and the offsets as flat steps."""
    flat = levels.ravel()
    strides = np.array(levels.strides, np.int64) // levels.itemsize
    return flat, _kernels().row_ranges(flat, levels.shape[2]), np.ascontiguousarray(offsets @ strides)


def _kernels() -> ModuleType:
    return load(f"{__package__}.numba_kernels")
