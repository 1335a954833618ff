"""The counts in numpy and scikit-image alone: always available, needs no compiler.

See the package's docstring for the contract. Flat offsets turn a neighbor into one addition; since the array is padded
with zeros, neither the borders nor the mask need tests.
"""

from __future__ import annotations

import numpy as np

from .types import Neighborhoods

__all__ = ["cooccurrences", "neighborhoods", "pairs_and_runs", "run_lengths", "zones", "zones_with_distances"]


# So many numbers are worked on at once: a small region in a few calls, a large one piece by piece within the caches.
_PIECE = 2**18


def cooccurrences(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count pairs of levels; see the package's docstring."""
    flat = levels.ravel()
    voxels = np.flatnonzero(flat)
    width = level_count + 1
    rows = flat[voxels].astype(np.intp)
    rows *= width
    counts = np.empty((len(offsets), level_count, level_count), np.int64)
    steps = _flat_offsets(levels, offsets)
    # Read, written and counted: a quarter of what fits is fastest.
    for some in _pieces(len(steps), 4 * max(voxels.size, width * width)):
        pairs = voxels + steps[some, None]
        np.add(rows, flat.take(pairs), out=pairs)
        if len(pairs) > 1:
            # Each direction counts in a table of its own.
            pairs += np.arange(len(pairs))[:, None] * (width * width)
        tables = np.bincount(pairs.ravel(), minlength=len(pairs) * width * width)
        counts[some] = tables.reshape(-1, width, width)[:, 1:, 1:]
    return counts


def run_lengths(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count runs of equal levels; see the package's docstring."""
    flat = levels.ravel()
    inside = flat != 0
    voxels_per_level = np.bincount(flat[inside], minlength=level_count + 1)
    steps = _flat_offsets(levels, offsets)
    pieces = [_runs_along(flat, inside, steps[some], voxels_per_level) for some in _pieces(len(steps), flat.size)]
    counts = np.zeros((len(steps), level_count, max((runs.shape[2] for runs in pieces), default=1)), np.int64)
    start = 0
    for runs in pieces:
        counts[start : start + len(runs), :, : runs.shape[2]] = runs
        start += len(runs)
    return counts


def _runs_along(flat: np.ndarray, inside: np.ndarray, steps: np.ndarray, voxels_per_level: np.ndarray) -> np.ndarray:
    """Return the number of runs along each step, per level and length.

    A voxel goes on if its next neighbor has the same level. Only those voxels are looked at one by one: in most images
    they are few, and the runs of length 1 follow by subtraction.
    """
    goes_on = np.zeros((len(steps), flat.size), bool)
    for row, step in zip(goes_on, steps, strict=True):
        np.equal(flat[:-step], flat[step:], out=row[:-step])
    goes_on &= inside
    counted = [np.count_nonzero(row) for row in goes_on]
    goes_on = goes_on.ravel()
    going = np.flatnonzero(goes_on)
    # All directions are worked on together, one after the other in memory, each with a table of its own.
    several = len(steps) > 1
    direction = np.arange(len(steps))
    of_each, table_of_each, strides = (
        each.repeat(counted) if several else each
        for each in (direction * flat.size, direction * voxels_per_level.size, steps)
    )
    cells = flat.take(going - of_each if several else going)
    cells = cells + table_of_each if several else cells
    size = len(steps) * voxels_per_level.size
    starts = ~goes_on[going - strides]
    ends, cells_of_ends, strides = going[starts], cells[starts], strides[starts] if several else strides
    # Each voxel that goes on has a successor that starts no run, so this is the number of runs of length 1.
    runs = [
        np.tile(voxels_per_level, len(steps))
        - np.bincount(cells, minlength=size)
        - np.bincount(cells_of_ends, minlength=size)
    ]
    while ends.size:
        ends = ends + strides
        lasts = goes_on[ends]
        runs.append(np.bincount(cells_of_ends[~lasts], minlength=size))
        ends, cells_of_ends, strides = ends[lasts], cells_of_ends[lasts], strides[lasts] if several else strides
    return np.array(runs).reshape(len(runs), len(steps), -1)[:, :, 1:].transpose(1, 2, 0)


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
    steps = _flat_offsets(levels, offsets)
    steps = np.concatenate([steps, -steps])[:, None]
    width = len(steps) + 1
    small = np.uint8 if width <= 256 else np.uint16
    voxels = np.flatnonzero(flat)
    total = np.empty(voxels.shape, np.uint16 if width * level_count < 65536 else np.uint32)
    number, alike = np.empty((2, voxels.size), small)
    for some in _pieces(voxels.size, len(steps)):
        around = flat.take(voxels[some] + steps)
        present = around != 0
        np.add.reduce(around, axis=0, dtype=total.dtype, out=total[some])
        np.add.reduce(present, axis=0, dtype=small, out=number[some])
        similar = _similar(around, flat.take(voxels[some]), present, tolerance)
        np.add.reduce(similar, axis=0, dtype=small, out=alike[some])
    level = flat.take(voxels).astype(np.int64)
    difference = np.abs(level * number - total)
    row = (level - 1) * width
    row_of_number = row + number

    def histogram(rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        sums = np.bincount(rows, weights, minlength=level_count * width)
        # Weighted sums are floats, exact since they stay far below 2**53.
        return sums.astype(np.int64).reshape(level_count, width)

    return Neighborhoods(histogram(row_of_number), histogram(row_of_number, difference), histogram(row + alike))


def _similar(around: np.ndarray, level: np.ndarray, present: np.ndarray, tolerance: int) -> np.ndarray:
    """Tell which neighbors, those that are in the region, differ by at most `tolerance` from the level amid them."""
    if tolerance == 0:
        return around == level
    # max - min of unsigned numbers cannot wrap around.
    return (np.maximum(around, level) - np.minimum(around, level) <= tolerance) & present


def _flat_offsets(levels: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return offsets @ (np.array(levels.strides, np.int64) // levels.itemsize)


def _pieces(count: int, size: int) -> list[slice]:
    """Cut `count` things of `size` numbers each into pieces of bounded size, of at least one thing."""
    together = max(1, _PIECE // max(size, 1))
    return [slice(start, start + together) for start in range(0, count, together)]
