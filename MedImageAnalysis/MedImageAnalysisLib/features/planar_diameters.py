"""The largest diameters of a segment within planes of the grid, without searching all planes.

The width of a set of points across any direction is at most its diameter, and across the best of many directions nearly
as large. So widths, which are fast to compute for all planes at once, tell in which few planes the largest diameter may
lie.
"""

from __future__ import annotations

import numpy as np

from .compiled import load
from .counts import is_compiled
from .hull import largest_distance
from .mesh import LineEnds, line_ends, outer_points, with_margin

__all__ = ["planar_diameters"]

# The bound exceeds the diameter by at most half a percent.
_ANGLES = np.arange(16) * np.pi / 16
_EXCESS = 1 / np.cos(np.pi / 32) * (1 + 1e-9)
# In a box of up to so many voxels the vertices are few.
_FEW_VOXELS = 500
# Per axis: what lies before and after in a padded array, and the other two axes.
_NEIGHBORS = tuple(
    tuple(tuple(part if other == axis else slice(None) for other in range(3)) for part in (slice(-1), slice(1, None)))
    for axis in range(3)
)
_OTHERS = ([1, 2], [0, 2], [0, 1])


def planar_diameters(mask: np.ndarray, ends: tuple[LineEnds, ...], spacing: np.ndarray) -> tuple[float, ...]:
    """Return, for each axis, the largest distance between two vertices of the surface mesh in one plane across it.

    Mesh vertices lie in the planes of the voxels, and in those halfway between.

    Parameters
    ----------
    mask : numpy.ndarray of bool, 3D
    ends : tuple of LineEnds
        Of the mask.
    spacing : numpy.ndarray of float, shape (3,)
    """
    if is_compiled(mask.size):
        return tuple(_compiled_diameter(mask, ends, spacing, axis) for axis in range(3))
    if mask.size <= _FEW_VOXELS:
        return _compared_diameters(mask, spacing)
    return tuple(_searched_diameter(mask, ends, spacing, axis) for axis in range(3))


def _compiled_diameter(mask: np.ndarray, ends: tuple[LineEnds, ...], spacing: np.ndarray, axis: int) -> float:
    mask = np.ascontiguousarray(mask)
    row, column = (other for other in range(3) if other != axis)
    # The lines along one of the two axes are indexed by the plane and by the other of them.
    rows, columns = (
        np.ascontiguousarray(np.moveaxis(np.stack(ends[along]), 1 + (axis > other), 1))
        for along, other in ((column, row), (row, column))
    )
    strides = np.array([mask.strides[each] for each in (axis, row, column)], np.int64)
    find = load(f"{__package__}.surface_kernels").largest_planar_diameter
    return float(find(mask.view(np.uint8).ravel(), strides, rows, columns, spacing[[row, column]]))


def _compared_diameters(mask: np.ndarray, spacing: np.ndarray) -> tuple[float, ...]:
    """Compare all vertices of the planes whose boxes are large enough: the fastest way if they are few."""
    padded = with_margin(mask)
    # Twice the position, which is a whole number.
    found = []
    for axis, (before, after) in enumerate(_NEIGHBORS):
        vertices = 2 * np.array(np.nonzero(padded[before] != padded[after]))
        vertices[axis] += 1
        found.append(vertices)
    vertices = np.concatenate(found, axis=1)
    points = (vertices * (spacing[:, None] / 2)).T
    return tuple(_compared_diameter(planes, points[:, _OTHERS[axis]]) for axis, planes in enumerate(vertices))


def _compared_diameter(planes: np.ndarray, points: np.ndarray) -> float:
    """Return the largest distance between points of the same plane, given the number of the plane of each."""
    from scipy.spatial.distance import cdist

    order = planes.argsort(kind="stable")
    planes, points = planes[order], points[order]
    starts = np.flatnonzero(planes[1:] != planes[:-1]) + 1
    starts = np.concatenate([[0], starts, [len(planes)]])
    boxes = np.maximum.reduceat(points, starts[:-1]) - np.minimum.reduceat(points, starts[:-1])
    diagonals = np.sqrt((boxes**2).sum(axis=1)) * (1 + 1e-9)
    best = 0.0
    for k in np.argsort(-diagonals):
        if diagonals[k] <= best:
            break
        plane = points[starts[k] : starts[k + 1]]
        best = max(best, float(cdist(plane, plane).max()))
    return best


def _searched_diameter(mask: np.ndarray, ends: tuple[LineEnds, ...], spacing: np.ndarray, axis: int) -> float:
    planes = np.moveaxis(mask, axis, 0)
    sides = np.delete(spacing, axis)
    used, tops, bottoms = _supports(ends, spacing, axis)
    widths = (tops - bottoms).max(axis=0)
    best = 0.0
    for k in np.argsort(-widths, kind="stable"):
        if widths[k] * _EXCESS > best:
            best = max(best, largest_distance(outer_points(_within(ends, axis, used[k])) * sides))
    nothing = np.zeros_like(planes[0])
    halfway, bounds = _between(used, tops, bottoms)
    for k in np.argsort(-bounds, kind="stable"):
        plane = halfway[k]
        if bounds[k] * _EXCESS > best:
            before = planes[plane] if plane >= 0 else nothing
            after = planes[plane + 1] if plane + 1 < len(planes) else nothing
            best = max(best, largest_distance(outer_points(line_ends(before ^ after), reach=0.0) * sides))
    return best


def _within(ends: tuple[LineEnds, ...], axis: int, plane: int) -> tuple[LineEnds, ...]:
    """Return the ends of the lines of one plane across `axis`, from those of the whole segment."""
    found = []
    for along in range(3):
        if along != axis:
            # The lines are indexed by the two other axes, in their order.
            index = (plane, slice(None)) if axis < 3 - axis - along else (slice(None), plane)
            found.append(LineEnds(ends[along].first[index], ends[along].last[index]))
    return tuple(found)


def _supports(ends: tuple[LineEnds, ...], spacing: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which planes meet the segment, and how far each of them reaches along each direction, to both sides.

    Returns
    -------
    used : numpy.ndarray of int
    tops, bottoms : numpy.ndarray of float, shape (directions, planes)
    """
    tops, bottoms = [], []
    for along in range(3):
        if along == axis:
            continue
        side = 3 - axis - along
        first, last = (np.moveaxis(end, 0 if axis < side else 1, 0) for end in ends[along])
        plane, line = np.nonzero(first <= last)
        starts = np.flatnonzero(np.diff(plane, prepend=-1))
        low, high = (first[plane, line] - 0.5) * spacing[along], (last[plane, line] + 0.5) * spacing[along]
        rise, run = (np.sin(_ANGLES), np.cos(_ANGLES)) if along < side else (np.cos(_ANGLES), np.sin(_ANGLES))
        across = np.multiply.outer(run, line * spacing[side])
        one, other = across + np.multiply.outer(rise, high), across + np.multiply.outer(rise, low)
        tops.append(np.maximum.reduceat(np.maximum(one, other), starts, axis=1))
        bottoms.append(np.minimum.reduceat(np.minimum(one, other), starts, axis=1))
    return plane[starts], np.maximum(*tops), np.minimum(*bottoms)


def _between(used: np.ndarray, tops: np.ndarray, bottoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each plane that has one halfway after it with vertices, and a bound on its diameter there.

    A vertex halfway belongs to a voxel on either side, so it reaches no further than the two planes do.
    """
    alone = (tops - bottoms).max(axis=0)
    both = (np.maximum(tops[:, :-1], tops[:, 1:]) - np.minimum(bottoms[:, :-1], bottoms[:, 1:])).max(axis=0)
    adjacent = np.diff(used) == 1
    after = np.append(np.where(adjacent, both, alone[:-1]), alone[-1])
    begins = np.append(True, ~adjacent)
    return np.append(used, used[begins] - 1), np.append(after, alone[begins])
