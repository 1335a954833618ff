"""The surface of a segment: area and volume of its triangle mesh, and the outermost points of it.

The mesh is that of marching cubes at the level between inside and outside, as the standard asks. Its vertices lie
halfway between neighboring voxels, so each cube of eight voxels adds one of only 256 small patches. Area and volume
follow from how often each patch occurs: no vertex is ever stored.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["area_and_volume", "outer_points", "outer_points_by_plane"]


def area_and_volume(mask: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """Return area and volume of the surface mesh of a 3D mask.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (slices, rows, columns)
    spacing : numpy.ndarray of float, shape (3,)

    Returns
    -------
    area, volume : float
        In the square and the cube of the unit of `spacing`.
    """
    codes = _cube_codes(np.pad(mask, 1))
    # Cubes that are all outside (0) or all inside (255) hold no surface; -1 and +0 wrap around in uint8.
    surface = np.flatnonzero((codes - np.uint8(1)).ravel() < 254)
    patches = codes.ravel()[surface]
    rows = surface // (codes.shape[1] * codes.shape[2])
    triangles, patch_of = _patches()
    corners = triangles * spacing
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    area_of = np.bincount(patch_of, np.linalg.norm(normals, axis=1), minlength=256)
    # Divergence theorem along the first axis: the volume is the integral of that coordinate times the normal.
    flux_of = np.bincount(patch_of, normals[:, 0], minlength=256)
    local_of = np.bincount(patch_of, normals[:, 0] * corners[:, :, 0].mean(axis=1), minlength=256)
    counts = np.bincount(patches, minlength=256)
    flux = np.dot(np.bincount(patches, rows, minlength=256), flux_of) * spacing[0]
    return float(counts @ area_of), float(abs(flux + counts @ local_of))


def _cube_codes(mask: np.ndarray) -> np.ndarray:
    """Return for each cube of eight voxels which of them are inside, one bit each."""
    codes = mask.view(np.uint8)
    codes = codes[:, :, :-1] | codes[:, :, 1:] << 1
    codes = codes[:, :-1] | codes[:, 1:] << 2
    return codes[:-1] | codes[1:] << 4


@lru_cache(maxsize=1)
def _patches() -> tuple[np.ndarray, np.ndarray]:
    """Return all triangles of the 256 patches, shape (triangles, 3 corners, 3), and the code of the patch of each.

    All cubes are meshed in one call, stacked along the first axis; every second cube of the stack is one of the 256.
    """
    from skimage.measure import marching_cubes

    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    stack = bits.reshape(512, 2, 2).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(stack, 0.5)
    triangles = vertices[faces].astype(np.float64)
    cube = np.floor(triangles[:, :, 0].mean(axis=1)).astype(int)
    chosen = cube % 2 == 0
    triangles = triangles[chosen]
    triangles[:, :, 0] -= cube[chosen, None]
    return triangles, cube[chosen] // 2


def outer_points(mask: np.ndarray) -> np.ndarray:
    """Return mesh vertices of which the mesh's convex hull is also the hull, shape (points, 3), in voxels.

    Along each line of voxels only the first and the last vertex can be a corner of the hull.
    """
    points = []
    for axis in range(mask.ndim):
        first, last, line = _extremes(mask, axis)
        for position in (first - 0.5, last + 0.5):
            points.append(np.insert(line, axis, position, axis=1))
    return np.concatenate(points)


def _extremes(mask: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first and last voxel of each line along `axis` that meets the mask, and the lines' other indices."""
    lines = np.moveaxis(mask, axis, -1)
    line = np.argwhere(lines.any(axis=-1))
    lines = lines[tuple(line.T)]
    first = lines.argmax(axis=-1)
    last = lines.shape[-1] - 1 - lines[:, ::-1].argmax(axis=-1)
    return first, last, line.astype(np.float64)


def outer_points_by_plane(mask: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the outermost mesh vertices within each plane across `axis`, in voxels.

    Returns
    -------
    planes : numpy.ndarray of int
        The plane of each point, ascending. Mesh vertices lie in the planes of the voxels and halfway between them.
    points : numpy.ndarray of float, shape (points, 2)
        Position within the plane.
    """
    lines = np.moveaxis(mask, axis, 0)
    padded = np.pad(lines, ((1, 1), (0, 0), (0, 0)))
    parts = [(lines, 0.5, 0), (padded[1:] ^ padded[:-1], 0.0, -1)]
    planes, points = [], []
    for masks, reach, shift in parts:
        for other in (1, 2):
            first, last, line = _extremes(masks, other)
            for position in (first - reach, last + reach):
                planes.append(2 * line[:, 0].astype(int) + shift)
                points.append(np.insert(line[:, 1:], other - 1, position, axis=1))
    plane, point = np.concatenate(planes), np.concatenate(points)
    order = np.argsort(plane, kind="stable")
    return plane[order], point[order]
