"""Bodies that enclose a segment: the least box at any angle, the least ellipsoid, and the ellipsoid's area."""

from __future__ import annotations

import numpy as np

from .hull import Hull

__all__ = ["ellipsoid_area", "minimum_bounding_box", "minimum_ellipsoid"]

# The ellipsoid's volume then exceeds the least by less than two tenths of a percent in 3D.
_ELLIPSOID_TOLERANCE = 1e-3
_ELLIPSOID_ITERATIONS = 20_000
# More sides than this have only hulls that are nearly round, whose boxes hardly differ.
_LARGEST_SIDES = 200
_SERIES_TERMS = 21
# A facet faces the light if the cosine of its angle with it is larger; upright ones differ from 0 by rounding.
_FACING = 1e-9


def minimum_bounding_box(hull: Hull) -> np.ndarray:
    """Return the edge lengths of the least box, at any angle, that encloses a 3D convex hull.

    Each side of the hull is tried as the one on which the box stands, the 200 largest if it has more; the base is then
    the least rectangle, one of whose sides lies along a side of the hull's shadow (Freeman and Shapira 1975,
    doi:10.1145/360881.360919).

    Returns
    -------
    numpy.ndarray of float, shape (3,)
    """
    best = np.ptp(hull.points, axis=0)
    # Opposite facets and the triangles of one side give the same box.
    upward = np.where(np.round(hull.normals, 9) < 0, -1, 1)
    first = (np.round(hull.normals, 9) != 0).argmax(axis=1)
    normals = hull.normals * np.take_along_axis(upward, first[:, None], axis=1)
    sides, side = np.unique(np.round(normals, 9), axis=0, return_inverse=True)
    areas = np.bincount(side.ravel(), hull.facet_areas)
    edges = hull.points[hull.edges[:, 1]] - hull.points[hull.edges[:, 0]]
    for normal in sides[np.argsort(-areas, kind="stable")[:_LARGEST_SIDES]]:
        height = np.ptp(hull.points @ normal)
        facing = hull.normals @ normal > _FACING
        outline = facing[hull.sides[:, 0]] != facing[hull.sides[:, 1]]
        base = _minimum_rectangle(hull.points, normal, edges[outline])
        if height * base.prod() < best.prod():
            best = np.append(base, height)
    return best


def _minimum_rectangle(points: np.ndarray, normal: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the sides of the least rectangle that encloses the shadow of points along `normal`.

    `edges` are those along the outline of the side that faces the light: the sides of the shadow.
    """
    x, y, z = normal
    turned = edges @ np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]])
    lengths = np.sqrt((turned**2).sum(axis=1))
    # The cross product with the normal leaves out what of an edge is upright; the other direction must be rid of it.
    across = turned @ points.T
    along = (edges - (edges @ normal)[:, None] * normal) @ points.T
    sides = np.stack([across.max(axis=1) - across.min(axis=1), along.max(axis=1) - along.min(axis=1)]) / lengths
    return sides[:, sides.prod(axis=0).argmin()]


def minimum_ellipsoid(points: np.ndarray) -> np.ndarray:
    """Return the semi-axes, longest first, of the least ellipsoid that encloses points which span their space.

    Khachiyan's algorithm with the away steps of Todd and Yildirim (doi:10.1016/j.dam.2007.02.013), started from the
    points that are extreme along the axes.

    Returns
    -------
    numpy.ndarray of float, shape (dimension,)
    """
    count, dimension = points.shape
    center = points.mean(axis=0)
    scale = np.abs(points - center).max()
    lifted = np.column_stack([(points - center) / scale, np.ones(count)])
    weights = _initial_weights(lifted[:, :-1])
    inverse = np.linalg.inv(lifted.T * weights @ lifted)
    size = dimension + 1
    distances = np.einsum("ij,jk,ik->i", lifted, inverse, lifted)
    for _ in range(_ELLIPSOID_ITERATIONS):
        used = np.flatnonzero(weights > 0)
        far, near = int(distances.argmax()), int(used[distances[used].argmin()])
        excess, lack = distances[far] / size - 1, 1 - distances[near] / size
        if max(excess, lack) <= _ELLIPSOID_TOLERANCE:
            break
        chosen = far if excess >= lack else near
        step = (distances[chosen] - size) / (size * (distances[chosen] - 1))
        if chosen == near and excess < lack:
            step = max(step, -weights[near] / (1 - weights[near]))
        inverse, distances = _stepped(lifted, inverse, distances, chosen, step)
        weights *= 1 - step
        weights[chosen] = max(weights[chosen] + step, 0.0)
    middle = weights @ lifted[:, :-1]
    spread = lifted[:, :-1].T * weights @ lifted[:, :-1] - np.outer(middle, middle)
    semi_axes = np.sqrt(np.linalg.eigvalsh(spread)[::-1] * dimension)
    # Widen by what is left of the tolerance, so that all points are inside.
    offsets = lifted[:, :-1] - middle
    reach = np.einsum("ij,jk,ik->i", offsets, np.linalg.inv(spread), offsets).max() / dimension
    return semi_axes * np.sqrt(max(reach, 1.0)) * scale


def _initial_weights(points: np.ndarray) -> np.ndarray:
    """Return equal weights on the points that are extreme along each axis, or on all if these do not span the space."""
    extremes = np.unique(np.concatenate([points.argmin(axis=0), points.argmax(axis=0)]))
    spanned = np.linalg.matrix_rank(points[extremes] - points[extremes].mean(axis=0))
    chosen = extremes if spanned == points.shape[1] else np.arange(len(points))
    weights = np.zeros(len(points))
    weights[chosen] = 1 / len(chosen)
    return weights


def _stepped(
    lifted: np.ndarray, inverse: np.ndarray, distances: np.ndarray, chosen: int, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return inverse and distances after the weights moved by `step` toward the `chosen` point (rank-one update)."""
    direction = inverse @ lifted[chosen]
    gain = step / (1 - step + step * distances[chosen])
    inverse = (inverse - gain * np.outer(direction, direction)) / (1 - step)
    distances = (distances - gain * (lifted @ direction) ** 2) / (1 - step)
    return inverse, distances


def ellipsoid_area(semi_axes: np.ndarray) -> float:
    """Return the surface area of an ellipsoid by the standard's series, cut off after 20 terms as it says.

    The series is the IBSI's definition, and its reference values rest on it. It is not the area of the ellipsoid to the
    last digit: that of the digital phantom's ellipsoid is 4 % larger by elliptic integrals (https://dlmf.nist.gov/19.33#E1).

    With a >= b >= c, p^2 = 1 - b^2 / a^2 and q^2 = 1 - c^2 / a^2, the area is
    4 pi a b sum_n (p q)^n / (1 - 4 n^2) P_n((p^2 + q^2) / (2 p q)) with Legendre polynomials P_n.
    """
    a, b, c = semi_axes
    p, q = 1 - (b / a) ** 2, 1 - (c / a) ** 2
    # The recurrence of (p q)^n P_n, which needs no division by p q.
    before, term, total = 0.0, 1.0, 0.0
    for n in range(_SERIES_TERMS):
        total += term / (1 - 4 * n * n)
        before, term = term, ((2 * n + 1) * (p + q) / 2 * term - n * p * q * before) / (n + 1)
    return float(4 * np.pi * a * b * total)
