"""Convex hulls, and the largest distance between points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Hull", "convex_hull", "far_points", "largest_distance"]

# From point to farthest point: the distance grows with each step, but hardly after the second.
_STEPS = 2
# So few points are compared without importing SciPy for it, which takes 0.2 s and 20 MB.
_FEW_POINTS = 128


@dataclass(frozen=True, eq=False)
class Hull:
    """A convex hull in 2D or 3D.

    Parameters
    ----------
    points : numpy.ndarray of float, shape (corners, dimension)
    normals : numpy.ndarray of float, shape (facets, dimension)
        Outward unit normals.
    facet_areas : numpy.ndarray of float, shape (facets,)
        Area in 3D, length in 2D, of each facet.
    volume, area : float
        Volume and area in 3D; area and perimeter in 2D.
    edges, sides : numpy.ndarray of int, shape (edges, 2)
        In 3D, the two corners of each edge, and the two facets that meet there; in 2D there are none.
    """

    points: np.ndarray
    normals: np.ndarray
    facet_areas: np.ndarray
    volume: float
    area: float
    edges: np.ndarray
    sides: np.ndarray


def convex_hull(points: np.ndarray) -> Hull:
    """Return the convex hull of points that span their space."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    corners = points[hull.simplices]
    edges = corners[:, 1:] - corners[:, :1]
    solid = points.shape[1] == 3
    sizes = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]) / 2 if solid else edges[:, 0], axis=1)
    edges, sides = _edges(hull.simplices, hull.neighbors) if solid else (np.empty((0, 2), int),) * 2
    return Hull(
        points[hull.vertices],
        hull.equations[:, :-1],
        sizes,
        float(hull.volume),
        float(hull.area),
        np.searchsorted(hull.vertices, edges),
        sides,
    )


def _edges(triangles: np.ndarray, neighbors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of each edge, and its two triangles; neighbor k of a triangle lies opposite its corner k."""
    edges = np.concatenate([triangles[:, [1, 2]], triangles[:, [2, 0]], triangles[:, [0, 1]]])
    own = np.tile(np.arange(len(triangles)), 3)
    other = neighbors.T.ravel()
    once = own < other
    return edges[once], np.stack([own[once], other[once]], axis=1)


def far_points(points: np.ndarray) -> np.ndarray:
    """Return the points, hardly ever many, that the largest distance between any two of them may belong to.

    A point is no further from any other than its distance from the center plus the largest such distance. That must
    reach the distance of some pair that is far apart, which a few steps from point to farthest point find.
    """
    # One array per coordinate: whole arrays are squared and added faster than the rows of one.
    columns = np.ascontiguousarray(points.T)
    radii = np.sqrt(_squares(columns, (columns.min(axis=1) + columns.max(axis=1)) / 2))
    farthest = int(radii.argmax())
    found = 0.0
    for _ in range(_STEPS):
        squares = _squares(columns, columns[:, farthest])
        farthest = int(squares.argmax())
        found = max(found, float(squares[farthest]))
    return points[radii + radii.max() >= np.sqrt(found) * (1 - 1e-9)]


def _squares(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distance of each point from another, or from each of others."""
    return sum((column - other) ** 2 for column, other in zip(columns, others, strict=True))


def largest_distance(points: np.ndarray) -> float:
    """Return the largest distance between any two of the points; 0 for a single point.

    Memory stays bounded: many points are compared in blocks.
    """
    if len(points) <= _FEW_POINTS:
        columns = np.ascontiguousarray(points.T)
        return float(np.sqrt(_squares(columns[:, :, None], columns).max(initial=0.0)))
    from scipy.spatial.distance import cdist

    block = max(1, 4_000_000 // max(len(points), 1))
    starts = range(0, len(points), block)
    return max((float(cdist(points[i : i + block], points[i:]).max()) for i in starts), default=0.0)
