"""The counts in numpy and scikit-image alone: always available, needs no compiler.

See the package's docstring for the contract. Flat offsets turn a neighbor into one addition; since the array is padded
with zeros, neither the borders nor the mask need tests.
"""

from __future__ import annotations

import numpy as np

from .types import Neighborhoods

__all__ = ["cooccurrences", "neighborhoods", "pairs_and_runs", "run_lengths", "zones", "zones_with_distances"]


def cooccurrences(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count pairs of levels; see the package's docstring."""
    flat = levels.ravel()
    voxels = np.flatnonzero(flat)
    width = level_count + 1
    rows = flat[voxels].astype(np.intp)
    rows *= width
    counts = np.empty((len(offsets), level_count, level_count), np.int64)
    pairs = np.empty_like(rows)
    for k, step in enumerate(_flat_offsets(levels, offsets)):
        np.add(rows, flat.take(voxels + step), out=pairs)
        counts[k] = np.bincount(pairs, minlength=width * width).reshape(width, width)[1:, 1:]
    return counts


def run_lengths(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count runs of equal levels; see the package's docstring."""
    flat = levels.ravel()
    voxels_per_level = np.bincount(flat[flat != 0], minlength=level_count + 1)
    by_direction = [_runs_along(flat, step, level_count, voxels_per_level) for step in _flat_offsets(levels, offsets)]
    longest = max((len(runs) for runs in by_direction), default=1)
    counts = np.zeros((len(by_direction), level_count, longest), np.int64)
    for k, runs in enumerate(by_direction):
        counts[k, :, : len(runs)] = np.stack(runs, axis=1)[1:]
    return counts


def _runs_along(flat: np.ndarray, step: int, level_count: int, voxels_per_level: np.ndarray) -> list[np.ndarray]:
    """Return the number of runs per level, for length 1, 2, ...

    A voxel goes on if its next neighbor has the same level. Only those voxels are looked at one by one: in most images
    they are few, and the runs of length 1 follow by subtraction.
    """
    width = level_count + 1
    goes_on = np.zeros(flat.shape, bool)
    np.equal(flat[:-step], flat[step:], out=goes_on[:-step])
    goes_on &= flat != 0
    going = np.flatnonzero(goes_on)
    going_levels = flat[going]
    starts = ~goes_on[going - step]
    ends, ends_levels = going[starts], going_levels[starts]
    # Each voxel that goes on has a successor that starts no run, so this is the number of runs of length 1.
    runs = [voxels_per_level - np.bincount(going_levels, minlength=width) - np.bincount(ends_levels, minlength=width)]
    while ends.size:
        ends = ends + step
        lasts = goes_on[ends]
        runs.append(np.bincount(ends_levels[~lasts], minlength=width))
        ends, ends_levels = ends[lasts], ends_levels[lasts]
    return runs


def pairs_and_runs(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count pairs and runs of the same offsets; see the package's docstring."""
    return cooccurrences(levels, level_count, offsets), run_lengths(levels, level_count, offsets)


def zones(levels: np.ndarray, level_count: int) -> np.ndarray:
    """List zones of equal level; see the package's docstring."""
    labels, sizes = _label(levels)
    return np.stack([_level_of_each(labels, levels, sizes.size), sizes], axis=1)[1:]


def zones_with_distances(levels: np.ndarray, level_count: int, distances: np.ndarray) -> np.ndarray:
    """List zones of equal level with their least distance; see the package's docstring."""
    labels, sizes = _label(levels)
    columns = [_level_of_each(labels, levels, sizes.size), sizes, np.zeros_like(sizes)]
    voxels = np.flatnonzero(labels)
    # The last of several assignments to one element stays, so the nearest voxels come last.
    voxels = voxels[np.argsort(-distances.ravel()[voxels], kind="stable")]
    columns[2][labels.ravel()[voxels]] = distances.ravel()[voxels]
    return np.stack(columns, axis=1)[1:]


def _label(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from skimage.measure import label

    labels = label(levels, background=0, connectivity=levels.ndim)
    return labels, np.bincount(labels.ravel()).astype(np.int64)


def _level_of_each(labels: np.ndarray, levels: np.ndarray, count: int) -> np.ndarray:
    level_of_each = np.zeros(count, np.int64)
    level_of_each[labels.ravel()] = levels.ravel()
    return level_of_each


def neighborhoods(levels: np.ndarray, level_count: int, offsets: np.ndarray, tolerance: int) -> Neighborhoods:
    """Sum over the neighbors of each voxel; see the package's docstring."""
    flat = levels.ravel()
    inside = flat != 0
    present = inside.view(np.uint8)
    neighbor_count = 2 * len(offsets)
    small = np.uint8 if neighbor_count < 256 else np.uint32
    total = np.zeros(flat.shape, np.uint16 if neighbor_count * level_count < 65536 else np.uint32)
    valid = np.zeros(flat.shape, small)
    alike = np.zeros(flat.shape, small)
    for step in _flat_offsets(levels, offsets):
        # The pair (voxel, next) is the pair (next, previous) seen from the other end.
        similar = _similar(flat[:-step], flat[step:], inside[:-step] & inside[step:], tolerance)
        for here, there in ((slice(None, -step), slice(step, None)), (slice(step, None), slice(None, -step))):
            total[here] += flat[there]
            valid[here] += present[there]
            alike[here] += similar
    voxels = np.flatnonzero(inside)
    level = flat[voxels].astype(np.int64)
    number = valid[voxels].astype(np.int64)
    difference = np.abs(level * number - total[voxels])
    width = neighbor_count + 1
    row = (level - 1) * width

    def histogram(column: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        sums = np.bincount(row + column, weights, minlength=level_count * width)
        # Weighted sums are floats, exact since they stay far below 2**53.
        return sums.astype(np.int64).reshape(level_count, width)

    return Neighborhoods(histogram(number), histogram(number, difference), histogram(alike[voxels]))


def _similar(first: np.ndarray, second: np.ndarray, both: np.ndarray, tolerance: int) -> np.ndarray:
    """Tell which pairs of voxels, both in the region, differ by at most `tolerance`."""
    if tolerance == 0:
        return (first == second) & both
    # max - min of unsigned numbers cannot wrap around.
    return (np.maximum(first, second) - np.minimum(first, second) <= tolerance) & both


def _flat_offsets(levels: np.ndarray, offsets: np.ndarray) -> list[int]:
    strides = np.array(levels.strides, np.int64) // levels.itemsize
    return [int(step) for step in offsets @ strides]
