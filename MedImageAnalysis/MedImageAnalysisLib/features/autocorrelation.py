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
_CHUNK = 4
_ROWS = 256
_MEMORY = 20_000_000


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
    from scipy import fft

    # Twice the box, so that the far ends of the box do not meet around the corner.
    shape = [fft.next_fast_len(2 * n - 1, real=True) for n in mask.shape]
    half = shape[2] // 2 + 1
    width = max(_MEMORY // (3 * 16 * mask.shape[0] * mask.shape[1] * _CHUNK), 1) * _CHUNK
    blocks = [slice(first, min(first + width, half)) for first in range(0, half, width)]
    sums = sum(_block_sums(mask, values, spacing, shape, block) for block in blocks)
    weight, product, square = sums / np.prod(shape)
    return float(weight), float(product), float(square)


def _block_sums(
    mask: np.ndarray, values: np.ndarray, spacing: np.ndarray, shape: list[int], block: slice
) -> np.ndarray:
    """Return what a block of columns of the spectrum adds to the three sums."""
    from scipy import fft

    spectra = _spectra(mask, values, shape[2], block)
    weights = _weights(shape, spacing, block)
    sums = np.zeros(3)
    for start in range(0, weights.shape[2], _CHUNK):
        columns = slice(start, start + _CHUNK)
        m, x, s = (fft.fft2(part[:, :, columns], shape[:2], axes=(0, 1)) for part in spectra)
        kernel = fft.fft2(_mirrored(weights[:, :, columns], shape), axes=(0, 1)).real
        # The half spectrum stands for both halves, but for its first and (of an even length) last column.
        column = block.start + start + np.arange(kernel.shape[2])
        kernel *= np.where((column == 0) | (2 * column == shape[2]), 1.0, 2.0)
        for k, (one, other) in enumerate(((m, m), (x, x), (s, m))):
            sums[k] += np.einsum("ijk,ijk->", kernel, (one.conj() * other).real)
    return sums


def _spectra(mask: np.ndarray, values: np.ndarray, length: int, block: slice) -> np.ndarray:
    """Return a block of columns of the transforms along rows, of the mask, the values and their squares."""
    from scipy import fft

    rows = mask.reshape(-1, mask.shape[2])
    # Where the values of each row begin.
    starts = np.concatenate([[0], np.cumsum(rows.sum(axis=1))])
    found = np.empty((3, len(rows), block.stop - block.start), np.complex128)
    for top in range(0, len(rows), _ROWS):
        inside = rows[top : top + _ROWS]
        field = np.zeros(inside.shape)
        field[inside] = values[starts[top] : starts[top + len(inside)]]
        for part, each in zip(found, (inside.astype(np.float64), field, field**2), strict=True):
            part[top : top + _ROWS] = fft.rfft(each, length, axis=1)[:, block]
    return found.reshape(3, *mask.shape[:2], -1)


def _weights(shape: list[int], spacing: np.ndarray, block: slice) -> np.ndarray:
    """Return a block of columns of the transform along rows of 1 / distance, for offsets up to half `shape`.

    It is 0 at no distance.
    """
    from scipy import fft

    z, y = (np.arange(n // 2 + 1) * step for n, step in zip(shape[:2], spacing[:2], strict=True))
    x = np.minimum(np.arange(shape[2]), shape[2] - np.arange(shape[2])) * spacing[2]
    squares = (z[:, None] ** 2 + y**2).ravel()
    found = np.empty((squares.size, block.stop - block.start))
    for top in range(0, squares.size, _ROWS):
        distance = np.sqrt(squares[top : top + _ROWS, None] + x**2)
        if top == 0:
            distance[0, 0] = np.inf
        # The weights are even, so their transform is real.
        found[top : top + _ROWS] = fft.rfft(1 / distance, axis=1)[:, block].real
    return found.reshape(z.size, y.size, -1)


def _mirrored(half: np.ndarray, shape: list[int]) -> np.ndarray:
    """Return the weights for all offsets, negative ones wrapped around, from those for offsets of 0 and more."""
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape[:2])
    return half[rows[:, None], columns]


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
