"""Compiled loops over the surface of a segment. Imported only by :func:`.compiled.load`, as those of :mod:`.counts`.

The sums are of whole numbers, the same as in numpy. Diameters may differ in the last bit, where pairs of points that
are equally far apart are rounded differently.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["largest_planar_diameter", "patch_sums"]

# Farther than this relative margin, rounding cannot make up for a bound.
_MARGIN = 1e-9


@njit(cache=True, nogil=True)
def patch_sums(mask, sums):
    """Add up, for each of the 256 patches of marching cubes, how often it occurs and at which positions.

    Parameters
    ----------
    mask : numpy.ndarray of uint8, shape (slices, rows, columns), C-contiguous
    sums : numpy.ndarray of int64, shape (4, 256)
        Number of cubes, and the sums of their slices, rows and columns, counted from the one before the first.
        Cubes all outside (0) or all inside (255) are left out.
    """
    slices, rows, columns = mask.shape
    empty = np.zeros(columns, np.uint8)
    corners = np.zeros(columns + 2, np.uint8)
    inner = corners[1:-1]
    codes = np.empty(columns + 1, np.uint8)
    for z in range(slices + 1):
        for y in range(rows + 1):
            a = mask[z - 1, y - 1] if z > 0 and y > 0 else empty
            b = mask[z - 1, y] if z > 0 and y < rows else empty
            c = mask[z, y - 1] if z < slices and y > 0 else empty
            d = mask[z, y] if z < slices and y < rows else empty
            for x in range(columns):
                inner[x] = a[x] | b[x] << 2 | c[x] << 4 | d[x] << 6
            for x in range(columns + 1):
                codes[x] = corners[x] | corners[x + 1] << 1
            for x in range(columns + 1):
                code = codes[x]
                if code != 0 and code != 255:
                    sums[0, code] += 1
                    sums[1, code] += z
                    sums[2, code] += y
                    sums[3, code] += x


@njit(cache=True, nogil=True)
def largest_planar_diameter(flat, strides, rows, columns, sides):
    """Return the largest distance between two vertices of the mesh in one plane across an axis.

    Parameters
    ----------
    flat : numpy.ndarray of uint8
        The mask.
    strides : numpy.ndarray of int64, shape (3,)
        Steps in `flat` from plane to plane, row to row and column to column of the planes.
    rows, columns : numpy.ndarray of int64, shape (2, planes, lines)
        First and last voxel along each row (and each column) of each plane; first > last where there is none.
    sides : numpy.ndarray of float, shape (2,)
        Distance of two rows, and of two columns.
    """
    planes = rows.shape[1]
    points = np.empty((2, 2 * (rows.shape[2] + columns.shape[2])))
    widest, bound = 0, 0.0
    for plane in range(planes):
        count = _vertices(rows[:, plane], columns[:, plane], 0.5, sides, points)
        reach = _reach(points[:, :count], *_center(points[:, :count]))
        if reach > bound:
            widest, bound = plane, reach
    count = _vertices(rows[:, widest], columns[:, widest], 0.5, sides, points)
    best = _farthest(points[:, :count], 0.0)
    for plane in range(planes):
        count = _vertices(rows[:, plane], columns[:, plane], 0.5, sides, points)
        best = _farthest(points[:, :count], best)
    between_rows, between_columns = np.empty_like(rows[:, 0]), np.empty_like(columns[:, 0])
    for plane in range(-1, planes):
        before, after = max(plane, 0), min(plane + 1, planes - 1)
        _unite(rows[:, before], rows[:, after], between_rows)
        _unite(columns[:, before], columns[:, after], between_columns)
        # Vertices halfway belong to a voxel on either side, so they reach no further than the voxels of both.
        count = _vertices(between_rows, between_columns, 0.0, sides, points)
        if 2 * _reach(points[:, :count], *_center(points[:, :count])) * (1 + _MARGIN) <= best:
            continue
        if before != after:
            _differ(flat, before * strides[0], after * strides[0], strides, between_rows, between_columns)
            count = _vertices(between_rows, between_columns, 0.0, sides, points)
        best = _farthest(points[:, :count], best)
    return best


@njit(cache=True, nogil=True)
def _vertices(rows, columns, outward, sides, points):
    """Write the ends of all lines of a plane, moved outward, to `points`; return how many there are."""
    count = 0
    for line in range(rows.shape[1]):
        if rows[0, line] <= rows[1, line]:
            points[0, count : count + 2] = line * sides[0]
            points[1, count] = (rows[0, line] - outward) * sides[1]
            points[1, count + 1] = (rows[1, line] + outward) * sides[1]
            count += 2
    for line in range(columns.shape[1]):
        if columns[0, line] <= columns[1, line]:
            points[1, count : count + 2] = line * sides[1]
            points[0, count] = (columns[0, line] - outward) * sides[0]
            points[0, count + 1] = (columns[1, line] + outward) * sides[0]
            count += 2
    return count


@njit(cache=True, nogil=True)
def _unite(one, other, ends):
    for line in range(one.shape[1]):
        ends[0, line] = min(one[0, line], other[0, line])
        ends[1, line] = max(one[1, line], other[1, line])


@njit(cache=True, nogil=True)
def _differ(flat, before, after, strides, rows, columns):
    """Write the ends of the lines of those voxels that are inside in one of two planes only."""
    rows[0], rows[1] = columns.shape[1], -1
    columns[0], columns[1] = rows.shape[1], -1
    for row in range(rows.shape[1]):
        for column in range(columns.shape[1]):
            voxel = row * strides[1] + column * strides[2]
            if flat[before + voxel] != flat[after + voxel]:
                rows[0, row] = min(rows[0, row], column)
                rows[1, row] = column
                columns[0, column] = min(columns[0, column], row)
                columns[1, column] = row


@njit(cache=True, nogil=True)
def _center(points):
    if points.shape[1] == 0:
        return 0.0, 0.0
    return (points[0].min() + points[0].max()) / 2, (points[1].min() + points[1].max()) / 2


@njit(cache=True, nogil=True)
def _reach(points, x, y):
    """Return the largest distance of the points from (x, y): half of a bound on their diameter."""
    largest = 0.0
    for k in range(points.shape[1]):
        largest = max(largest, (points[0, k] - x) ** 2 + (points[1, k] - y) ** 2)
    return np.sqrt(largest)


@njit(cache=True, nogil=True)
def _far_points(points, x, y, best):
    """Move the points that may be further than `best` from any other to the front; return how many there are."""
    bound = best / (1 + _MARGIN) - _reach(points, x, y)
    count = 0
    for k in range(points.shape[1]):
        if np.sqrt((points[0, k] - x) ** 2 + (points[1, k] - y) ** 2) >= bound:
            points[0, count], points[1, count] = points[0, k], points[1, k]
            count += 1
    return count


@njit(cache=True, nogil=True)
def _farthest(points, best):
    """Return the largest distance between two of the points, or `best` if that is larger; reorders the points."""
    if points.shape[1] == 0:
        return best
    x, y = _center(points)
    points = points[:, : _far_points(points, x, y, best)]
    # The point farthest from the center, and the one farthest from that, are far apart.
    start_x, start_y, square = x, y, 0.0
    for _ in range(2):
        start_x, start_y, square = x, y, -1.0
        for k in range(points.shape[1]):
            apart = (points[0, k] - start_x) ** 2 + (points[1, k] - start_y) ** 2
            if apart > square:
                square, x, y = apart, points[0, k], points[1, k]
    best = max(best, np.sqrt(max(square, 0.0)))
    # The middle between these two is nearly as far from all ends of the segment.
    points = points[:, : _far_points(points, (start_x + x) / 2, (start_y + y) / 2, best)]
    largest = 0.0
    for k in range(points.shape[1]):
        for other in range(k):
            square = (points[0, k] - points[0, other]) ** 2 + (points[1, k] - points[1, other]) ** 2
            largest = max(largest, square)
    return max(best, np.sqrt(largest))
