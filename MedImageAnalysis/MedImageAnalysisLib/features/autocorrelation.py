"""Spatial autocorrelation: whether near voxels have similar intensities (Moran's I, Geary's C).

Both are sums over all pairs of voxels, weighted by the inverse of their distance. On a grid the weight depends on the
offset alone, so the sum over pairs is a sum over offsets of a correlation, which Fourier transforms give exactly, up to
rounding: n log n steps in place of n squared.
"""

from __future__ import annotations

import numpy as np

from .definition import Family, Undefined, Values
from .region import Region

__all__ = ["FAMILY", "PairSums", "compute"]

FAMILY = Family("autocorrelation", "Spatial autocorrelation")

# How many columns of the spectrum are transformed at a time: bounds the memory.
_CHUNK = 4


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
        self.variation = float(deviations @ deviations)
        self.weights, self.products, self.squares = _weighted_pair_sums(region.mask, deviations, region.spacing)


def _weighted_pair_sums(mask: np.ndarray, values: np.ndarray, spacing: np.ndarray) -> tuple[float, float, float]:
    """Return the sums over ordered pairs of voxels of w, w x x' and w x x, where x are the `values` of the mask."""
    from scipy import fft

    # Twice the box, so that the far ends of the box do not meet around the corner.
    shape = [fft.next_fast_len(2 * n - 1, real=True) for n in mask.shape]
    # One after the other, so that no more than one of them is there beside its transform.
    spectra = [fft.rfft(_filled(mask, each), shape[2], axis=2) for each in (1.0, values, values**2)]
    weights = _weights(shape, spacing)
    sums = np.zeros(3)
    for start in range(0, spectra[0].shape[2], _CHUNK):
        columns = slice(start, start + _CHUNK)
        m, x, s = (fft.fft2(part[:, :, columns], shape[:2], axes=(0, 1)) for part in spectra)
        kernel = fft.fft2(_mirrored(weights[:, :, columns], shape), axes=(0, 1)).real
        # The half spectrum stands for both halves, but for its first and (of an even length) last column.
        column = np.arange(start, start + kernel.shape[2])
        kernel *= np.where((column == 0) | (2 * column == shape[2]), 1.0, 2.0)
        for k, (first, second) in enumerate(((m, m), (x, x), (s, m))):
            sums[k] += np.einsum("ijk,ijk->", kernel, (first.conj() * second).real)
    weight, product, square = sums / np.prod(shape)
    return float(weight), float(product), float(square)


def _filled(mask: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    field = np.zeros(mask.shape)
    field[mask] = values
    return field


def _weights(shape: list[int], spacing: np.ndarray) -> np.ndarray:
    """Return the transform along the last axis of 1 / distance (0 at no distance), for offsets up to half `shape`."""
    from scipy import fft

    z, y = (np.arange(n // 2 + 1) * step for n, step in zip(shape[:2], spacing[:2], strict=True))
    x = np.minimum(np.arange(shape[2]), shape[2] - np.arange(shape[2])) * spacing[2]
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    distance[0, 0, 0] = np.inf
    # The weights are even, so their transform is real.
    return np.ascontiguousarray(fft.rfft(1 / distance, axis=2).real)


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
