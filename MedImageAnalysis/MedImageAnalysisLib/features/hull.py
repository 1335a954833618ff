"""Convex hulls and what follows from them: diameters and the least enclosing bodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Hull", "convex_hull", "largest_distance", "largest_distance_in_planes"]

# Support directions for the bound on planar diameters: the bound exceeds the diameter by at most half a percent.
_DIRECTIONS = 16


@dataclass(frozen=True, eq=False)
class Hull:
    """A convex hull in 2D or 3D.

    Parameters
    ----------
    points : numpy.ndarray of float, shape (corners, dimension)
    normals : numpy.ndarray of float, shape (facets, dimension)
        Outward unit normals.
    volume, area : float
        Volume and area in 3D; area and perimeter in 2D.
    """

    points: np.ndarray
    normals: np.ndarray
    volume: float
    area: float


def convex_hull(points: np.ndarray) -> Hull:
    """Return the convex hull of points that span their space."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    return Hull(points[hull.vertices], hull.equations[:, :-1], float(hull.volume), float(hull.area))


def largest_distance(points: np.ndarray) -> float:
    """Return the largest distance between any two of the points; 0 for a single point.

    Memory stays bounded: the points are compared in blocks.
    """
    from scipy.spatial.distance import cdist

    block = max(1, 4_000_000 // max(len(points), 1))
    starts = range(0, len(points), block)
    return max((float(cdist(points[i : i + block], points[i:]).max()) for i in starts), default=0.0)


def largest_distance_in_planes(planes: np.ndarray, points: np.ndarray) -> float:
    """Return the largest distance between two points of the same plane.

    The width of a set of points across any direction is at most its diameter, and in the best of many directions nearly
    as large. Only planes that may hold the largest diameter by this bound are searched.

    Parameters
    ----------
    planes : numpy.ndarray of int
        Plane of each point, ascending.
    points : numpy.ndarray of float, shape (points, 2)
    """
    if not len(points):
        return 0.0
    starts = np.flatnonzero(np.diff(planes, prepend=planes[0] - 1))
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    heights = points @ np.stack([np.cos(angles), np.sin(angles)])
    widths = (np.maximum.reduceat(heights, starts) - np.minimum.reduceat(heights, starts)).max(axis=1)
    bounds = widths / np.cos(np.pi / 2 / _DIRECTIONS) * (1 + 1e-12)
    stops = np.append(starts[1:], len(points))
    return max(largest_distance(points[starts[k] : stops[k]]) for k in np.flatnonzero(bounds >= widths.max()))
