"""The surface of a segment: area and volume of its triangle mesh, and the outermost points of it.

The mesh is that of marching cubes at the level between inside and outside, as the standard asks. Its vertices lie
halfway between neighboring voxels, so each cube of eight voxels adds one of only 256 small patches. Area and volume
follow from how often each patch occurs: no vertex is ever stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from .compiled import load
from .counts import is_compiled

__all__ = ["LineEnds", "Surface", "area_and_volume", "end_points", "line_ends", "outer_points", "with_margin"]

_MIRROR_BIT = 0x40
# Per axis: what lies before and after in a padded array.
_NEIGHBORS = tuple(
    tuple(tuple(part if other == axis else slice(None) for other in range(3)) for part in (slice(-1), slice(1, None)))
    for axis in range(3)
)
# In a box of up to so many voxels the vertices are few enough to look at all of them.
_FEW_VOXELS = 50_000
# Fewer points than this are not worth the search for those that stand out.
_FEW_POINTS = 100


def area_and_volume(mask: np.ndarray, spacing: np.ndarray, pairing: str = "closed") -> tuple[float, float]:
    """Return area and volume of the surface mesh of a 3D mask.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (slices, rows, columns)
    spacing : numpy.ndarray of float, shape (3,)
    pairing : {"closed", "mirrored"}
        How cubes are meshed whose voxels touch only along an edge or at a corner: such that the surface is closed, or
        alike for inside and outside, as in pyradiomics, whose surface may have holes there.

    Returns
    -------
    area, volume : float
        In the square and the cube of the unit of `spacing`.
    """
    counts, *positions = _patch_sums(mask)
    measures = _patch_measures(pairing, tuple(spacing.tolist()))
    volume = counts @ measures.flux
    for position, normals, side in zip(positions, measures.normals, spacing, strict=True):
        volume += position @ normals * side
    return float(counts @ measures.areas), float(abs(volume) / 3)


class PatchMeasures(NamedTuple):
    """What each of the 256 patches adds to area and volume.

    Divergence theorem: the volume is a third of the integral of position times normal over the surface. `flux` is that
    integral over a patch in the first cube, and `normals` (3, 256) what it grows by per unit of length along each axis.
    """

    areas: np.ndarray
    flux: np.ndarray
    normals: np.ndarray


@lru_cache(maxsize=8)
def _patch_measures(pairing: str, spacing: tuple[float, ...]) -> PatchMeasures:
    triangles, patch_of = _patches(pairing)
    corners = triangles * spacing
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    flux = (normals * corners.mean(axis=1)).sum(axis=1)
    weights = (np.linalg.norm(normals, axis=1), flux, *normals.T)
    areas, flux, *sums = (np.bincount(patch_of, weight, minlength=256) for weight in weights)
    return PatchMeasures(areas, flux, np.array(sums))


def _patch_sums(mask: np.ndarray) -> np.ndarray:
    """Return for each patch how many cubes have it, and the sums of their positions along each axis, shape (4, 256).

    Sums of whole numbers, so that they are exact.
    """
    if is_compiled(mask.size):
        sums = np.zeros((4, 256), np.int64)
        load(f"{__package__}.surface_kernels").patch_sums(np.ascontiguousarray(mask).view(np.uint8), sums)
        return sums.astype(np.float64)
    codes = _cube_codes(with_margin(mask))
    # Cubes that are all outside (0) or all inside (255) hold no surface; -1 and +0 wrap around in uint8.
    surface = np.flatnonzero((codes - np.uint8(1)).ravel() < 254)
    patches = codes.ravel()[surface]
    weights = (None, *np.unravel_index(surface, codes.shape))
    return np.array([np.bincount(patches, weight, minlength=256) for weight in weights], np.float64)


def with_margin(mask: np.ndarray) -> np.ndarray:
    """Return a mask with one voxel of nothing around it."""
    wider = np.zeros([n + 2 for n in mask.shape], bool)
    wider[(slice(1, -1),) * mask.ndim] = mask
    return wider


def _cube_codes(mask: np.ndarray) -> np.ndarray:
    """Return for each cube of eight voxels which of them are inside, one bit each."""
    codes = mask.view(np.uint8)
    codes = codes[:, :, :-1] | codes[:, :, 1:] << 1
    codes = codes[:, :-1] | codes[:, 1:] << 2
    return codes[:-1] | codes[1:] << 4


@lru_cache(maxsize=2)
def _patches(pairing: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all triangles of the 256 patches, shape (triangles, 3 corners, 3), and the code of the patch of each."""
    triangles, codes = _marched()
    if pairing == "mirrored":
        # A cube whose next-to-last voxel is inside takes the patch of its negative, seen from the other side.
        own = codes & _MIRROR_BIT == 0
        triangles = np.concatenate([triangles[own], triangles[own][:, ::-1]])
        codes = np.concatenate([codes[own], 255 - codes[own]])
    return triangles, codes


def _marched() -> tuple[np.ndarray, np.ndarray]:
    """Mesh all 256 cubes in one call, stacked along the first axis: every second cube of the stack is one of them.

    The method is that of Lorensen and Cline (1987, doi:10.1145/37401.37422). Lewiner's, the default of scikit-image, is
    meant for smooth images: of a mask, whose values all tie, it leaves the surface open here and there.
    """
    from skimage.measure import marching_cubes

    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    stack = bits.reshape(512, 2, 2).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(stack, 0.5, method="lorensen")
    triangles = vertices[faces].astype(np.float64)
    cube = np.floor(triangles[:, :, 0].mean(axis=1)).astype(int)
    chosen = cube % 2 == 0
    triangles = triangles[chosen]
    triangles[:, :, 0] -= cube[chosen, None]
    return triangles, cube[chosen] // 2


def _mesh_vertices(mask: np.ndarray) -> np.ndarray:
    """Return twice the positions of all vertices, in voxels of the mask with a margin of one, shape (3, vertices)."""
    padded = with_margin(mask)
    found = []
    for axis, (before, after) in enumerate(_NEIGHBORS):
        vertices = 2 * np.array((padded[before] != padded[after]).nonzero())
        vertices[axis] += 1
        found.append(vertices)
    return np.concatenate(found, axis=1)


class LineEnds(NamedTuple):
    """First and last voxel of the mask on each line along one axis, indexed by the other axes; none: first > last."""

    first: np.ndarray
    last: np.ndarray


class Surface:
    """The points of the mesh of a 3D mask, each kind found when first asked for."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.is_small = mask.size <= _FEW_VOXELS

    @cached_property
    def vertices(self) -> np.ndarray:
        """Twice the positions of all vertices, which are whole numbers, shape (3, vertices); for small surfaces."""
        return _mesh_vertices(self.mask)

    @cached_property
    def ends(self) -> tuple[LineEnds, ...]:
        """Where the lines along each axis enter and leave the mask."""
        return line_ends(self.mask)

    def points(self) -> np.ndarray:
        """Return the vertices, shape (vertices, 3), in voxels: all of them, or of many those at the ends of lines."""
        return self.vertices.T / 2 if self.is_small else end_points(self.ends)


def line_ends(mask: np.ndarray) -> tuple[LineEnds, ...]:
    """Return where the lines along each axis enter and leave a 2D or 3D mask."""
    return tuple(_line_ends(mask, axis) for axis in range(mask.ndim))


def _line_ends(mask: np.ndarray, axis: int) -> LineEnds:
    size = mask.shape[axis]
    # The largest rank of a voxel inside, counted from either end; small numbers and whole rows keep this fast.
    ranks = np.arange(1, size + 1, dtype=np.uint8 if size < 256 else np.uint32)
    ranks = ranks.reshape([-1 if other == axis else 1 for other in range(mask.ndim)])
    last, first = ((mask * each).max(axis=axis).astype(np.int64) for each in (ranks, np.flip(ranks, axis)))
    return LineEnds(size - first, last - 1)


def outer_points(ends: tuple[LineEnds, ...], reach: float = 0.5) -> np.ndarray:
    """Return the ends of lines, moved outward by `reach`, that the convex hull of all of them may have as corners.

    With a reach of half a voxel these are mesh vertices, and the hull is the mesh's: along each line of voxels only
    the first and the last vertex can be a corner of it, and only if it stands out from the ends of the lines beside.

    Returns
    -------
    numpy.ndarray of float, shape (points, dimension), in voxels
    """
    found = []
    for axis, outward, points in _ends(ends, reach):
        for along in range(len(ends)):
            if along != axis and len(points) > _FEW_POINTS:
                points = points[_standing_out(points, axis, along, outward)]
        found.append(points)
    return np.concatenate(found)


def end_points(ends: tuple[LineEnds, ...], reach: float = 0.5) -> np.ndarray:
    """Return all ends of lines, moved outward by `reach`: as :func:`outer_points`, more of them, but in less time."""
    return np.concatenate([points for _, _, points in _ends(ends, reach)])


def _ends(ends: tuple[LineEnds, ...], reach: float) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield axis, outward direction and points of the ends on one side of all lines along one axis."""
    for axis, (first, last) in enumerate(ends):
        lines = np.nonzero(first <= last)
        for position, outward in ((first[lines] - reach, -1.0), (last[lines] + reach, 1.0)):
            points = np.empty((position.size, len(ends)))
            others = [other for other in range(len(ends)) if other != axis]
            points[:, axis] = position
            for other, index in zip(others, lines, strict=True):
                points[:, other] = index
            yield axis, outward, points


def _standing_out(points: np.ndarray, axis: int, along: int, outward: float) -> np.ndarray:
    """Return which points are corners of the hull of their plane, spanned by `axis` and `along`, to the side `outward`.

    A point that does not stand out from its two neighbors is no corner; dropping such points is repeated until all do.
    """
    across = [other for other in range(points.shape[1]) if other not in (axis, along)]
    kept = np.lexsort([points[:, along], *(points[:, other] for other in across)])
    while len(kept) > 2:
        plane = points[kept][:, across]
        inner = ((plane[1:-1] == plane[:-2]) & (plane[1:-1] == plane[2:])).all(axis=1)
        steps = np.diff(points[kept, along])
        rises = np.diff(outward * points[kept, axis])
        drop = inner & (rises[:-1] * steps[1:] <= rises[1:] * steps[:-1])
        if not drop.any():
            break
        kept = kept[np.concatenate([[True], ~drop, [True]])]
    return kept
