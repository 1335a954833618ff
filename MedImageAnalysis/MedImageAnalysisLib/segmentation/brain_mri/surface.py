"""A closed surface that grows from inside the brain to its boundary (Smith's brain extraction tool).

Points and lengths are in millimeters in the physical space of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...imaging.pixels import view
from ...progress import Progress

__all__ = ["HeadIntensities", "ball_of", "brain_surface", "head_intensities", "inside"]

# Smith 2002: radii of curvature between which smoothing sets in, and how far inward the intensities are searched.
_LEAST_RADIUS_MM = 3.33
_MOST_RADIUS_MM = 10.0
_MINIMUM_DEPTH_MM = 20.0
_MAXIMUM_DEPTH_MM = 10.0
_SAMPLE_STEP_MM = 1.5
_ITERATIONS = 700
_SUBDIVISIONS = 4
_STEPS_PER_REPORT = 20
# What lies farther below the top of the head is neck: it must not pull the center down.
_HEAD_HEIGHT_MM = 150.0


@dataclass(frozen=True)
class HeadIntensities:
    """Robust intensities of a head, and the ball that stands for it.

    Parameters
    ----------
    lowest, highest : float
        2nd and 98th percentile.
    threshold : float
        Between background and head: a tenth of the way from `lowest` to `highest`.
    median : float
        Median within the ball: about that of the brain.
    center : tuple of float
        Center of gravity in mm.
    radius : float
        Radius of the ball with the volume of the head, in mm.
    """

    lowest: float
    highest: float
    threshold: float
    median: float
    center: tuple[float, float, float]
    radius: float


def head_intensities(image: sitk.Image) -> HeadIntensities:
    """Estimate the intensities of an upright head on an axis-aligned grid (third axis from feet to head).

    Raises
    ------
    UnsupportedImageError
        If nothing stands out from the background.
    """
    values = view(image)
    lowest, highest = (float(value) for value in np.percentile(values, (2, 98)))
    threshold = lowest + 0.1 * (highest - lowest)
    head = values > threshold
    if highest <= lowest or not head.any():
        raise UnsupportedImageError("No head stands out from the background of this image.")
    spacing = image.GetSpacing()
    # The top: where a section is more than a few specks of noise.
    area = head.sum(axis=(1, 2)) * spacing[0] * spacing[1]
    top = int(np.flatnonzero(area > 0.1 * area.max())[-1])
    bottom = max(0, top + 1 - round(_HEAD_HEIGHT_MM / spacing[2]))
    head[:bottom] = False
    positions = np.argwhere(head)
    weights = np.minimum(values[head], highest) - lowest
    center, radius = ball_of(positions, image, weights)
    points = np.array(image.GetOrigin()) + positions[:, ::-1] * np.array(spacing)
    near = values[head][((points - center) ** 2).sum(axis=1) < radius**2]
    near = near[near < highest]
    median = float(np.median(near)) if near.size else highest
    return HeadIntensities(lowest, highest, threshold, median, center, radius)


def ball_of(
    positions: np.ndarray, image: sitk.Image, weights: np.ndarray | None = None
) -> tuple[tuple[float, float, float], float]:
    """Return the center of gravity of voxels (array indices) and the radius of the ball with their volume, in mm."""
    center = image.TransformContinuousIndexToPhysicalPoint(
        tuple(float(index) for index in np.average(positions, axis=0, weights=weights)[::-1])
    )
    return center, float((0.75 / np.pi * len(positions) * np.prod(image.GetSpacing())) ** (1 / 3))


def brain_surface(
    image: sitk.Image, head: HeadIntensities, fraction: float, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Grow the surface to the boundary of the brain.

    Parameters
    ----------
    image : sitk.Image
        Axis-aligned.
    head : HeadIntensities
    fraction : float
        Where, between background (0) and brain (1), the boundary lies: smaller gives a larger brain.
    progress : Progress

    Returns
    -------
    tuple of numpy.ndarray
        Vertices, shape (vertices, 3), in mm; triangles, shape (triangles, 3), counterclockwise seen from outside.

    References
    ----------
    Smith 2002, doi:10.1002/hbm.10062.
    """
    sphere, triangles = _sphere(_SUBDIVISIONS)
    mean_of_neighbors, to_vertices = _mesh_operators(len(sphere), triangles)
    vertices = np.array(head.center) + 0.5 * head.radius * sphere
    sampler = _Sampler(image)
    for iteration in range(_ITERATIONS):
        if iteration % _STEPS_PER_REPORT == 0:
            progress.step("Growing the surface of the brain", iteration / _ITERATIONS)
        normals = _normals(vertices, triangles, to_vertices)
        toward = mean_of_neighbors @ vertices - vertices
        along = (toward * normals).sum(axis=1, keepdims=True)
        tangential = toward - along * normals
        edge = float(np.linalg.norm(vertices[triangles[:, 0]] - vertices[triangles[:, 1]], axis=1).mean())
        stiffness = _stiffness(along, edge)
        push = 0.05 * edge * _push(sampler, vertices, normals, head, fraction)
        vertices = vertices + 0.5 * tangential + stiffness * along * normals + push[:, None] * normals
    return vertices, triangles


def _stiffness(along: np.ndarray, edge: float) -> np.ndarray:
    """Return how strongly curvature is smoothed: little where the surface is flat, fully where it is sharp."""
    middle = (1 / _LEAST_RADIUS_MM + 1 / _MOST_RADIUS_MM) / 2
    steepness = 6 / (1 / _LEAST_RADIUS_MM - 1 / _MOST_RADIUS_MM)
    curvature = 2 * np.abs(along) / edge**2
    return (1 + np.tanh(steepness * (curvature - middle))) / 2


class _Sampler:
    """Looks up the voxel nearest to points in mm on an axis-aligned grid; outside it is the least value."""

    def __init__(self, image: sitk.Image) -> None:
        values = view(image)
        self._values = np.pad(values, 1, constant_values=values.min())
        self._origin = np.array(image.GetOrigin())
        self._scale = 1 / np.array(image.GetSpacing())
        self._last = np.array(self._values.shape[::-1]) - 1

    def __call__(self, points: np.ndarray) -> np.ndarray:
        index = np.rint((points - self._origin) * self._scale).astype(np.intp) + 1
        np.clip(index, 0, self._last, out=index)
        return self._values[index[..., 2], index[..., 1], index[..., 0]]


def _push(
    sampler: _Sampler, vertices: np.ndarray, normals: np.ndarray, head: HeadIntensities, fraction: float
) -> np.ndarray:
    """Return the outward push of each vertex, from about -1 to 1, by the intensities inward of it."""
    depths = np.arange(0, _MINIMUM_DEPTH_MM + _SAMPLE_STEP_MM / 2, _SAMPLE_STEP_MM)
    samples = sampler(vertices[:, None] - depths[:, None] * normals[:, None])
    least = np.clip(samples.min(axis=1), head.lowest, head.median)
    shallow = samples[:, depths <= _MAXIMUM_DEPTH_MM]
    most = np.clip(shallow.max(axis=1), head.threshold, max(head.median, head.threshold))
    local = (most - head.lowest) * fraction + head.lowest
    return 2 * (least - local) / np.maximum(most - head.lowest, 1e-6)


def _normals(vertices: np.ndarray, triangles: np.ndarray, to_vertices) -> np.ndarray:
    corners = vertices[triangles]
    normals = to_vertices @ np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _mesh_operators(count: int, triangles: np.ndarray):
    """Return the sparse matrices that average the neighbors of each vertex and add up its triangles."""
    from scipy.sparse import csr_matrix

    starts, ends = triangles.ravel(), np.roll(triangles, 1, axis=1).ravel()
    # A closed mesh holds each edge once in either direction.
    neighbors = csr_matrix((np.ones(starts.size), (starts, ends)), shape=(count, count))
    mean = csr_matrix(neighbors.multiply(1 / neighbors.sum(axis=1)))
    rows = np.repeat(np.arange(len(triangles)), 3)
    incidence = csr_matrix((np.ones(rows.size), (triangles.ravel(), rows)), shape=(count, len(triangles)))
    return mean, incidence


@cache
def _sphere(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit sphere as an icosahedron whose triangles were cut in four, `subdivisions` times."""
    golden = (1 + 5**0.5) / 2
    corners = [(0.0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([np.roll(corner, shift) for shift in range(3) for corner in corners])
    points /= np.linalg.norm(points[0])
    # The faces of a convex body with corners at equal distances: the nearest triples, turned outward.
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    side = np.unique(distance.round(9))[1]
    near = np.isclose(distance, side)
    faces = [
        (i, j, k)
        for i in range(12) for j in range(i + 1, 12) for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]  # fmt: skip
    triangles = np.array([f if np.linalg.det(points[list(f)]) > 0 else f[::-1] for f in faces])
    for _ in range(subdivisions):
        points, triangles = _subdivided(points, triangles)
    return points, triangles


def _subdivided(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    middles = points[unique].sum(axis=1)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    ab, bc, ca = inverse.reshape(3, -1) + len(points)
    a, b, c = triangles.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([points, middles]), np.concatenate([np.stack(part, axis=1) for part in parts])


def inside(vertices: np.ndarray, triangles: np.ndarray, reference: sitk.Image) -> np.ndarray:
    """Return the voxels of an axis-aligned grid that a closed surface encloses, by its winding number.

    A line along the third axis through each voxel counts the triangles that it enters by and leaves by.
    """
    scale = 1 / np.array(reference.GetSpacing())
    # A shift by less than a millionth of a voxel keeps corners off the lines.
    corners = ((vertices - reference.GetOrigin()) * scale + (1.7e-7, 2.9e-7, 0))[triangles]
    shape = reference.GetSize()[::-1]
    low = np.floor(corners[..., :2].min(axis=1)).astype(np.intp)
    extent = int((corners[..., :2].max(axis=1) - low).max()) + 2
    offsets = np.stack(np.meshgrid(np.arange(extent), np.arange(extent), indexing="ij"), axis=-1).reshape(-1, 2)
    crossings = np.zeros((shape[0] + 1, *shape[1:]), np.int16)
    a, b, c = (corners[:, i, None, :] for i in range(3))
    double_area = _cross(b[..., :2] - a[..., :2], c[..., :2] - a[..., :2])
    columns = low[:, None] + offsets
    with np.errstate(divide="ignore", invalid="ignore"):
        share_b = _cross(columns - a[..., :2], c[..., :2] - a[..., :2]) / double_area
        share_c = _cross(b[..., :2] - a[..., :2], columns - a[..., :2]) / double_area
    hit = (share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1)
    hit &= (columns >= 0).all(axis=-1) & (columns[..., 0] < shape[2]) & (columns[..., 1] < shape[1])
    height = a[..., 2] + share_b * (b[..., 2] - a[..., 2]) + share_c * (c[..., 2] - a[..., 2])
    level = np.clip(np.ceil(height[hit]), 0, shape[0]).astype(np.intp)
    sign = np.broadcast_to(np.sign(double_area), hit.shape)[hit].astype(np.int16)
    np.add.at(crossings, (level, columns[..., 1][hit], columns[..., 0][hit]), sign)
    return np.cumsum(crossings[:-1], axis=0, dtype=np.int16) != 0


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
