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
from .mesh import LineEnds, Surface, line_ends, outer_points

__all__ = ["planar_diameters"]

# The bound exceeds the diameter by at most half a percent.
_ANGLES = np.arange(16) * np.pi / 16
_EXCESS = 1 / np.cos(np.pi / 32) * (1 + 1e-9)
_AXES = np.arange(3)[:, None]
# First and second coordinate in the planes across each axis.
_COORDINATES = np.array([[1, 0, 0], [2, 2, 1]])
# So many points are compared with others at once: memory stays bounded.
_BLOCK = 512


def planar_diameters(surface: Surface, spacing: np.ndarray) -> tuple[float, ...]:
    """Return, for each axis, the largest distance between two vertices of the surface mesh in one plane across it.

    Mesh vertices lie in the planes of the voxels, and in those halfway between.

    Parameters
    ----------
    surface : Surface
    spacing : numpy.ndarray of float, shape (3,)
    """
    if is_compiled(surface.mask.size):
        return tuple(_compiled_diameter(surface.mask, surface.ends, spacing, axis) for axis in range(3))
    if surface.is_small:
        return _compared_diameters(surface.vertices, spacing)
    return tuple(_searched_diameter(surface.mask, surface.ends, spacing, axis) for axis in range(3))


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


def _compared_diameters(vertices: np.ndarray, spacing: np.ndarray) -> tuple[float, ...]:
    """Compare the vertices that are far out in their plane, of all planes at once."""
    # The planes across all three axes are numbered on, and each vertex lies in one of each.
    width = int(vertices.max()) + 1
    planes = (vertices + _AXES * width).ravel()
    # Small numbers are sorted fastest.
    order = planes.astype(np.uint16 if 3 * width < 65536 else np.int64).argsort(kind="stable")
    points = (vertices * (spacing / 2)[:, None]).take(_COORDINATES, axis=0).reshape(2, -1).take(order, axis=1)
    planes = planes.take(order)
    axes = planes // width
    far = _far_in_plane(points, planes, axes)
    (x, y), planes, axes = points[:, far], planes[far], axes[far]
    squares = []
    for start in range(0, len(planes), _BLOCK):
        block = slice(start, start + _BLOCK)
        rest = slice(start, planes.searchsorted(planes[block][-1], "right"))
        apart = (x[block, None] - x[rest]) ** 2 + (y[block, None] - y[rest]) ** 2
        squares.append((apart * (planes[block, None] == planes[rest])).max(axis=1))
    # Across each axis some plane has points that are far out.
    return tuple(np.sqrt(np.maximum.reduceat(np.concatenate(squares), axes.searchsorted((0, 1, 2)))).tolist())


def _far_in_plane(points: np.ndarray, planes: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Tell which points the largest distance within a plane may belong to, of all planes across one axis.

    Two points of a plane are no further apart than the sum of their distances from its center, and those of the
    largest distance at least as far as any two that are known.

    Parameters
    ----------
    points : numpy.ndarray of float, shape (2, points)
        Coordinates in their plane.
    planes, axes : numpy.ndarray of int, shape (points,), ascending
        Number of the plane, and of the axis across it.
    """
    starts = np.concatenate([[0], (planes[1:] != planes[:-1]).nonzero()[0] + 1])
    sizes = np.concatenate([starts[1:], [len(planes)]]) - starts
    centers = (np.maximum.reduceat(points, starts, axis=1) + np.minimum.reduceat(points, starts, axis=1)) / 2
    radii = _lengths(points - centers.repeat(sizes, axis=1))
    farthest = np.maximum.reduceat(radii, starts).repeat(sizes)
    # The point of each plane that is farthest from its center, and how far others are from that.
    outermost = (radii == farthest).nonzero()[0]
    outermost = outermost[outermost.searchsorted(starts)]
    apart = _lengths(points - points[:, outermost].repeat(sizes, axis=1))
    found = np.maximum.reduceat(apart, axes.searchsorted((0, 1, 2)))
    return radii + farthest >= found[axes] * (1 - 1e-9)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of the columns."""
    return np.sqrt((vectors**2).sum(axis=0))


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
