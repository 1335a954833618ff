"""The largest diameter of a segment within any plane of the grid, without searching all planes.

The width of a set of points across any direction is at most its diameter, and across the best of many directions nearly
as large. So widths, which are fast to compute for all planes at once, tell in which few planes the largest diameter may
lie.
"""

from __future__ import annotations

import numpy as np

from .hull import largest_distance
from .mesh import line_ends

__all__ = ["planar_diameter"]

# The bound exceeds the diameter by at most half a percent.
_ANGLES = np.arange(16) * np.pi / 16
_EXCESS = 1 / np.cos(np.pi / 32) * (1 + 1e-9)


def planar_diameter(mask: np.ndarray, spacing: np.ndarray, axis: int) -> float:
    """Return the largest distance between two vertices of the surface mesh in one plane across `axis`.

    Mesh vertices lie in the planes of the voxels, and in those halfway between.

    Parameters
    ----------
    mask : numpy.ndarray of bool, 3D
    spacing : numpy.ndarray of float, shape (3,)
    axis : int
    """
    planes = np.moveaxis(mask, axis, 0)
    sides = np.delete(spacing, axis)
    used = np.flatnonzero(planes.any(axis=(1, 2)))
    tops, bottoms = _supports(planes, sides)
    widths = (tops - bottoms).max(axis=0)
    best = 0.0
    for k in np.flatnonzero(widths * _EXCESS >= widths.max()):
        best = max(best, largest_distance(_outline(planes[used[k]], 0.5) * sides))
    for plane, bound in _between(used, tops, bottoms):
        if bound * _EXCESS > best:
            faces = planes[plane] if plane >= 0 else np.zeros_like(planes[0])
            following = planes[plane + 1] if plane + 1 < len(planes) else np.zeros_like(planes[0])
            best = max(best, largest_distance(_outline(faces ^ following, 0.0) * sides))
    return best


def _supports(planes: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each plane that meets the segment reaches along each direction, to both sides.

    Returns
    -------
    tops, bottoms : numpy.ndarray of float, shape (directions, planes)
    """
    tops, bottoms = [], []
    for along in (1, 2):
        first, last, (plane, line) = line_ends(planes, along)
        starts = np.flatnonzero(np.diff(plane, prepend=-1))
        # From 0 to 180 degrees the sine is positive, so the last voxel reaches highest; the cosine takes both signs.
        rise, run = (np.sin(_ANGLES), np.cos(_ANGLES)) if along == 1 else (np.cos(_ANGLES), np.sin(_ANGLES))
        across = np.multiply.outer(run, line * sides[2 - along])
        low, high = ((end + shift) * sides[along - 1] for end, shift in ((first, -0.5), (last, 0.5)))
        upper, lower = np.multiply.outer(rise, high), np.multiply.outer(rise, low)
        if along == 2:
            upper, lower = np.maximum(upper, lower), np.minimum(upper, lower)
        tops.append(np.maximum.reduceat(across + upper, starts, axis=1))
        bottoms.append(np.minimum.reduceat(across + lower, starts, axis=1))
    return np.maximum(*tops), np.minimum(*bottoms)


def _between(used: np.ndarray, tops: np.ndarray, bottoms: np.ndarray) -> list[tuple[int, float]]:
    """Return each plane that has one halfway after it with vertices, and a bound on its diameter there.

    A vertex halfway belongs to a voxel on either side, so it reaches no further than the two planes do.
    """
    rank = {int(plane): k for k, plane in enumerate(used)}
    found = []
    for plane in sorted({plane + shift for plane in rank for shift in (-1, 0)}):
        beside = [rank[other] for other in (plane, plane + 1) if other in rank]
        width = tops[:, beside].max(axis=1) - bottoms[:, beside].min(axis=1)
        found.append((plane, float(width.max())))
    return found


def _outline(plane: np.ndarray, reach: float) -> np.ndarray:
    """Return the ends of the rows and columns of a 2D mask, moved outward by `reach`."""
    points = []
    for along in (0, 1):
        first, last, (line,) = line_ends(plane, along)
        for position in (first - reach, last + reach):
            points.append(np.stack((position, line) if along == 0 else (line, position), axis=1))
    return np.concatenate(points)
