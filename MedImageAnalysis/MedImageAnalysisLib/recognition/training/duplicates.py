"""Which images of a collection are near-duplicates: found without rounding, so that every machine finds the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import SimpleITK as sitk

__all__ = ["SIMILARITY", "near_duplicates"]

SIMILARITY = Fraction(19, 20)
SIDE = 24
_LEVELS = 65535
_BLOCK = 256


def near_duplicates(images: Sequence[sitk.Image]) -> list[str]:
    """Return the group of each image; images whose thumbnails correlate at 0.95 or more end up in one group.

    Thumbnails (24 x 24 means over areas) are ranked, so that a change of contrast does not hide a duplicate (Spearman's
    rank correlation); left-right mirrored ones count too. Similarity is passed on: a chain of similar slices is one
    group.

    Sums of pixels, ranks, their products and the comparison with the threshold are whole numbers below 2**63, and those
    that pass through floating point below 2**53: nothing is rounded. A group is named after what its images show (the
    least of their checksums), so neither order nor names of the files matter, nor what other groups there are.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ranks = np.stack([_ranks(_area_sums(_whole_numbers(sitk.GetArrayViewFromImage(image)))) for image in images])
    rows, columns = _similar_pairs(ranks)
    links = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(images),) * 2)
    _, component = connected_components(links, directed=False)
    names: dict[int, str] = {}
    for index, checksum in zip(component.tolist(), map(_checksum, ranks), strict=True):
        names[index] = min(checksum, names.get(index, checksum))
    return [names[index] for index in component.tolist()]


def _whole_numbers(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as whole numbers of at most 16 bits; what is no such number is brought to 65536 levels."""
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return pixels
    values = pixels.astype(np.float64)
    low = values.min()
    extent = values.max() - low
    # Pixel by pixel, each operation rounded as IEEE 754 demands: the same everywhere.
    return np.rint((values - low) / extent * _LEVELS) if extent > 0 else np.zeros_like(values)


def _area_sums(pixels: np.ndarray) -> np.ndarray:
    """Return the sum of the pixels under each cell of a grid of SIDE x SIDE, times SIDE squared, as whole numbers."""
    height, width = pixels.shape
    return _overlaps(height) @ pixels.astype(np.float64) @ _overlaps(width).T


def _overlaps(length: int) -> np.ndarray:
    """Return how much of each pixel lies in each cell, shape (SIDE, length), in units of 1/SIDE of a pixel."""
    lower = np.maximum(length * np.arange(SIDE)[:, None], SIDE * np.arange(length))
    upper = np.minimum(length * np.arange(1, SIDE + 1)[:, None], SIDE * np.arange(1, length + 1))
    return np.maximum(upper - lower, 0).astype(np.float64)


def _ranks(sums: np.ndarray) -> np.ndarray:
    """Return twice the rank of each cell about the mean rank, a whole number; equal cells share the mean of theirs."""
    from scipy.stats import rankdata

    return (2 * rankdata(sums, method="average") - (sums.size + 1)).reshape(sums.shape)


def _similar_pairs(ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of pairs that correlate at SIMILARITY or more, as they are or with one of them mirrored.

    The square of a correlation is dot² / (norm² norm²), and dot² is below 2**52 for ranks of 24 x 24 cells.
    """
    plain = ranks.reshape(len(ranks), -1)
    mirrored = ranks[:, :, ::-1].reshape(len(ranks), -1)
    norms = (plain * plain).sum(axis=1).astype(np.int64)
    least, whole = SIMILARITY.numerator**2, SIMILARITY.denominator**2
    first, second = [], []
    for start in range(0, len(plain), _BLOCK):
        block = plain[start : start + _BLOCK]
        dots = np.maximum(block @ plain.T, block @ mirrored.T)
        rows, columns = np.nonzero(dots > 0.9 * np.sqrt(np.outer(norms[start : start + _BLOCK], norms)))
        dot = dots[rows, columns].astype(np.int64)
        # Only whole numbers decide; the line above just spares most pairs the way to here.
        close = (dot > 0) & (whole * (dot * dot) >= least * (norms[rows + start] * norms[columns]))
        first.append(rows[close] + start)
        second.append(columns[close])
    return np.concatenate(first), np.concatenate(second)


def _checksum(ranks: np.ndarray) -> str:
    """Return a name for what a thumbnail shows; a mirrored one has the same."""
    both = (each.astype("<i4").tobytes() for each in (ranks, ranks[:, ::-1]))
    return hashlib.sha256(min(both)).hexdigest()[:16]
