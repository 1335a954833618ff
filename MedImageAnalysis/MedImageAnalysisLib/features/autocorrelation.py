"""Spatial autocorrelation: whether near voxels have similar intensities (Moran's I, Geary's C).

Both are sums over all pairs of voxels, weighted by the inverse of their distance. On a grid the weight depends on the
offset alone, so the sum over pairs is a sum over offsets of a correlation, which Fourier transforms give exactly, up to
rounding: n log n steps in place of n squared.
"""

from __future__ import annotations

import numpy as np

from .definition import Family, Undefined, Values
from .distribution import weighted_sum
from .region import Region

__all__ = ["FAMILY", "PairSums", "compute"]

FAMILY = Family("autocorrelation", "Spatial autocorrelation")

# What bounds the memory: how many columns of the spectrum are transformed at a time, how many rows, and how many bytes
# of transformed rows are kept. Beyond these, rows are transformed again for the next block of columns.
_CHUNK = 8
_ROWS = 64
_MEMORY = 40_000_000


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(PairSums(region))


class PairSums:
    """Sums over all ordered pairs of different voxels, weighted by w = 1 / distance.

    Attributes
    ----------
    count : int
        Number of voxels.
    variation : float
        sum_k (X_k - mean)^2.
    weights, products, squares : float
        sum w, sum w x_1 x_2 and sum w x_1^2, where x are the deviations from the mean.

    Raises
    ------
    Undefined
        If there is one voxel only, or if all intensities are equal.
    """

    def __init__(self, region: Region) -> None:
        intensities = region.intensities
        if intensities.size < 2:
            raise Undefined("The segment is a single voxel, so there are no pairs of voxels.")
        if intensities.min() == intensities.max():
            raise Undefined("All intensities are equal, so they do not vary in space.")
        deviations = intensities - intensities.mean()
        self.count = intensities.size
        self.variation = weighted_sum(deviations, deviations)
        self.weights, self.products, self.squares = _weighted_pair_sums(region.mask, deviations, region.spacing)


def _weighted_pair_sums(mask: np.ndarray, values: np.ndarray, spacing: np.ndarray) -> tuple[float, float, float]:
    """Return the sums over ordered pairs of voxels of w, w x x' and w x x, where x are the `values` of the mask."""
    # At least twice the box, so that its far ends do not meet around the corner, and even for the cosine transforms.
    shape = [_padded(n) for n in mask.shape]
    half = shape[2] // 2 + 1
    width = max(_MEMORY // (3 * 16 * mask.shape[0] * mask.shape[1] * _CHUNK), 1) * _CHUNK
    blocks = [slice(first, min(first + width, half)) for first in range(0, half, width)]
    sums = sum(_block_sums(mask, values, spacing, shape, block) for block in blocks)
    weight, product, square = sums / np.prod(shape)
    return float(weight), float(product), float(square)


def _padded(length: int) -> int:
    from scipy import fft

    return 2 * fft.next_fast_len(length, real=True) if length > 1 else 1


def _block_sums(
    mask: np.ndarray, values: np.ndarray, spacing: np.ndarray, shape: list[int], block: slice
) -> np.ndarray:
    """Return what a block of columns of the spectrum adds to the three sums."""
    from scipy import fft

    spectra = _spectra(mask, values, shape[2], block)
    weights = _weights(shape, spacing, block)
    axes = [axis for axis in (1, 2) if shape[axis - 1] > 1]
    sums = np.zeros(3)
    for start in range(0, len(weights), _CHUNK):
        columns = slice(start, start + _CHUNK)
        m, x, s = (fft.fftn(part[columns], [shape[axis - 1] for axis in axes], axes) for part in spectra)
        kernel = fft.dctn(weights[columns], type=1, axes=axes)
        # The half spectrum stands for both halves, but for its first and its last column.
        column = block.start + start + np.arange(len(kernel))
        kernel *= np.where((column == 0) | (2 * column == shape[2]), 1.0, 2.0)[:, None, None]
        for k, (one, other) in enumerate(((m, m), (x, x), (s, m))):
            sums[k] += np.vdot(kernel, _folded(one.real * other.real + one.imag * other.imag))
    return sums


def _spectra(mask: np.ndarray, values: np.ndarray, length: int, block: slice) -> np.ndarray:
    """Return a block of columns of the transforms along rows, of the mask, the values and their squares.

    Its shape is (3, columns, z, y), so that what is transformed next lies together.
    """
    from scipy import fft

    rows = mask.reshape(-1, mask.shape[2])
    # Where the values of each row begin.
    starts = np.concatenate([[0], np.cumsum(rows.sum(axis=1))])
    found = np.empty((3, block.stop - block.start, len(rows)), np.complex128)
    for top in range(0, len(rows), _ROWS):
        inside = rows[top : top + _ROWS]
        field = np.zeros(inside.shape)
        field[inside] = values[starts[top] : starts[top + len(inside)]]
        for part, each in zip(found, (inside.astype(np.float64), field, field**2), strict=True):
            part[:, top : top + _ROWS] = fft.rfft(each, length, axis=1)[:, block].T
    return found.reshape(3, -1, *mask.shape[:2])


def _weights(shape: list[int], spacing: np.ndarray, block: slice) -> np.ndarray:
    """Return a block of columns of the transform along rows of 1 / distance, 0 at no distance.

    Its shape is (columns, z, y), for offsets of 0 up to half of `shape`. The weights are even, so their Fourier
    transform is the cosine transform of those for offsets of 0 and more.
    """
    from scipy import fft

    z, y, x = (np.arange(n // 2 + 1) * step for n, step in zip(shape, spacing, strict=True))
    squares = (z[:, None] ** 2 + y**2).ravel()
    found = np.empty((block.stop - block.start, squares.size))
    for top in range(0, squares.size, _ROWS):
        distance = np.sqrt(squares[top : top + _ROWS, None] + x**2)
        if top == 0:
            distance[0, 0] = np.inf
        weights = 1 / distance
        transformed = fft.dct(weights, type=1) if x.size > 1 else weights
        found[:, top : top + _ROWS] = transformed[:, block].T
    return found.reshape(-1, z.size, y.size)


def _folded(power: np.ndarray) -> np.ndarray:
    """Add what belongs to negative frequencies of the last two axes to the positive ones; writes into `power`."""
    for axis in (1, 2):
        moved = np.moveaxis(power, axis, 0)
        half = len(moved) // 2
        moved[1:half] += moved[:half:-1]
        power = np.moveaxis(moved[: half + 1], 0, axis)
    return power


@FAMILY.feature("morph_moran_i", "Moran's I index", "N365")
def moran_i(pairs: PairSums) -> float:
    """Whether near voxels deviate from the mean alike: 0 for none, up to 1.

    F = N / sum_(k1 != k2) w * sum_(k1 != k2) w (X_k1 - mean) (X_k2 - mean) / sum_k (X_k - mean)^2, w = 1 / distance.
    """
    return pairs.count / pairs.weights * pairs.products / pairs.variation


@FAMILY.feature("morph_geary_c", "Geary's C measure", "NPT7")
def geary_c(pairs: PairSums) -> float:
    """Whether near voxels differ less than distant ones: below 1 if they do.

    F = (N - 1) / (2 sum_(k1 != k2) w) * sum_(k1 != k2) w (X_k1 - X_k2)^2 / sum_k (X_k - mean)^2, w = 1 / distance.
    """
    return (pairs.count - 1) / pairs.weights * (pairs.squares - pairs.products) / pairs.variation
