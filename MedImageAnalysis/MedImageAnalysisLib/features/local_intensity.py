"""Local intensity: the mean intensity within a sphere of 1 cm3 around voxels of the segment."""

from __future__ import annotations

import numpy as np

from .definition import Family, Undefined, Values
from .region import Region

__all__ = ["FAMILY", "RADIUS", "LocalMeans", "compute"]

FAMILY = Family("local-intensity", "Local intensity")

RADIUS = 10 * (3 / (4 * np.pi)) ** (1 / 3)
"""Radius of a sphere of 1 cm3, in mm: about 6.2."""

# How many rows of voxels are worked on at a time, so that they stay in the processor's cache.
_BLOCK = 32


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(LocalMeans(region))


class LocalMeans:
    """Mean intensity within the sphere around each voxel of the segment; in a 2D image, within a disc of its radius.

    All voxels of the image count whose centers lie in the sphere, in the segment or not. Those that hold no number are
    left out.

    Parameters
    ----------
    region : Region
        Its surroundings reach as far as the sphere, or to the border of the image.
    """

    def __init__(self, region: Region) -> None:
        if region.length_unit != "mm":
            raise Undefined("The pixel spacing is unknown, so a sphere of 1 cm3 cannot be drawn.")
        self.intensities = region.intensities
        rows = _rows_of_sphere(region.spacing, region.dimension)
        reach = np.array([max(row[axis] for row in rows) for axis in range(3)])
        whole = sum(2 * half + 1 for _, _, half in rows)
        image, present = _extended(region, reach, whole)
        sums, counts = _running_sums(image), None if present is None else _running_sums(present.astype(np.int32))
        means = []
        for z, plane in enumerate(region.mask):
            for top in range(0, len(plane), _BLOCK):
                inside = plane[top : top + _BLOCK]
                place = (z, top, inside.shape)
                number = whole if counts is None else _sphere_sums(counts, rows, reach, *place)[inside]
                means.append(_sphere_sums(sums, rows, reach, *place)[inside] / number)
        self.means = np.concatenate(means)


def _rows_of_sphere(spacing: np.ndarray, dimension: int) -> list[tuple[int, int, int]]:
    """Return the sphere as rows of voxels: (slice, row) relative to its center, and half the length of the row."""
    # A little more than the radius, so that voxels at just this distance are in whatever the rounding.
    square = RADIUS**2 * (1 + 1e-9)
    slices, lines = (int(RADIUS / step) for step in spacing[:2])
    if dimension == 2:
        slices = 0
    rows = []
    for z in range(-slices, slices + 1):
        for y in range(-lines, lines + 1):
            left = square - (z * spacing[0]) ** 2 - (y * spacing[1]) ** 2
            if left >= 0:
                rows.append((z, y, int(np.sqrt(left) / spacing[2])))
    return rows


def _extended(region: Region, reach: np.ndarray, whole: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the image around the segment as far as the sphere reaches, and where it holds a number.

    The image is 0 where it does not; None says that it does everywhere. Its type holds the sums over `whole` voxels.
    """
    corner, size = np.array(region.corner), np.array(region.mask.shape)
    low, high = corner - reach, corner + size + reach
    limits = np.array(region.surroundings.shape)
    window = tuple(slice(a, b) for a, b in zip(np.maximum(low, 0), np.minimum(high, limits), strict=True))
    outside = list(zip(np.maximum(-low, 0), np.maximum(high - limits, 0), strict=True))
    image = region.surroundings[window]
    image = image.astype(_exact_type(image, max(whole, image.shape[2])))
    finite = np.isfinite(image) if image.dtype.kind == "f" else np.ones(image.shape, bool)
    if finite.all() and not np.any(outside):
        return image, None
    image[~finite] = 0
    return np.pad(image, outside), np.pad(finite, outside)


def _exact_type(image: np.ndarray, count: int) -> type:
    """Return int32 if it holds the sum of any `count` pixels of the image, else float64."""
    if image.dtype.kind not in "iu" or not image.size:
        return np.float64
    largest = max(abs(int(image.min())), abs(int(image.max())))
    return np.int32 if largest * count < 2**31 else np.float64


def _running_sums(image: np.ndarray) -> np.ndarray:
    """Return the sums along each row up to each voxel, which is not included itself."""
    sums = np.zeros((*image.shape[:2], image.shape[2] + 1), image.dtype)
    np.cumsum(image, axis=2, out=sums[:, :, 1:])
    return sums


def _sphere_sums(
    sums: np.ndarray, rows: list[tuple[int, int, int]], reach: np.ndarray, z: int, top: int, shape: tuple[int, int]
) -> np.ndarray:
    """Return the sum over the sphere around each voxel of some rows, from `top` on, of a slice of the segment's box."""
    total, added = np.zeros((2, *shape), sums.dtype)
    height, width = shape
    for dz, dy, half in rows:
        first = reach[1] + dy + top
        lines = sums[z + reach[0] + dz, first : first + height]
        end, start = reach[2] + half + 1, reach[2] - half
        total += np.subtract(lines[:, end : end + width], lines[:, start : start + width], out=added)
    return total


@FAMILY.feature("loc_peak_loc", "Local intensity peak", "VJGA", "{intensity}")
def local_peak(data: LocalMeans) -> float:
    """Mean intensity in 1 cm3 around the brightest voxel of the segment; of several, the highest mean."""
    return float(data.means[data.intensities == data.intensities.max()].max())


@FAMILY.feature("loc_peak_glob", "Global intensity peak", "0F91", "{intensity}")
def global_peak(data: LocalMeans) -> float:
    """Highest mean intensity in 1 cm3 around any voxel of the segment."""
    return float(data.means.max())
