"""Matrices that count gray levels against a second property, and the formulas that they share.

Run lengths (GLRLM), zone sizes (GLSZM), zone distances (GLDZM) and dependences (NGLDM) are such matrices; their
features differ in name and code only. In the docstrings, {item} and {property} stand for what a family counts, and for
what it measures.
"""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np

from .definition import Family

__all__ = ["EmphasisMatrices", "register"]

# The powers of level and property in the means that formulas ask for.
_POWERS = (-2, 0, 1, 2)
_FEW_ENTRIES = 1000
# A table of so many counts takes less time than sorting even a few numbers.
_SMALL_TABLE = 4096


class EmphasisMatrices:
    """A stack of sparse matrices: `counts` items with gray level i and property j.

    Parameters
    ----------
    index : numpy.ndarray of int
        Which matrix an entry belongs to, 0 to `len(voxels) - 1`.
    i, j : numpy.ndarray of int
        Gray level and property of an entry, from 1 on.
    counts : numpy.ndarray of int
        Number of items; each (index, i, j) stands once.
    voxels : numpy.ndarray of int
        Number of voxels that each matrix counts.
    """

    def __init__(self, index: np.ndarray, i: np.ndarray, j: np.ndarray, counts: np.ndarray, voxels: np.ndarray) -> None:
        self.index = index
        self.i = i.astype(np.float64)
        self.j = j.astype(np.float64)
        self._level, self._property = i, j
        self.counts = counts
        self.voxels = voxels

    @classmethod
    def from_items(cls, items: list[np.ndarray], voxels: np.ndarray) -> EmphasisMatrices:
        """Count items given one a row, columns gray level and property, as one array per matrix."""
        entries = []
        for index, rows in enumerate(items):
            widest = int(rows[:, 1].max(initial=0)) + 1
            codes, counts = _counted(rows[:, 0] * widest + rows[:, 1])
            entries.append((np.full(codes.size, index), codes // widest, codes % widest, counts))
        return cls(*(np.concatenate(column) for column in zip(*entries, strict=True)), voxels)

    @classmethod
    def from_dense(cls, counts: np.ndarray, voxels: np.ndarray) -> EmphasisMatrices:
        """Take dense counts of shape (matrices, levels, properties), both from 1 on."""
        index, i, j = np.nonzero(counts)
        return cls(index, i + 1, j + 1, counts[index, i, j], voxels)

    @cached_property
    def totals(self) -> np.ndarray:
        """N, the number of items of each matrix."""
        return self.sums(self.counts)

    def mean(self, level_power: int, property_power: int) -> np.ndarray:
        """(1/N) sum_ij i^a j^b n_ij of each matrix, for the powers a and b."""
        if self.counts.size <= _FEW_ENTRIES:
            return self._means[level_power, property_power]
        weights = self.counts
        for values, power in ((self.i, level_power), (self.j, property_power)):
            if power:
                weights = weights * _power(values, power)
        return self.sums(weights) / self.totals

    def variance(self, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """(1/N) sum_ij (value_ij - mean)^2 n_ij of each matrix."""
        return self.sums((values - mean[self.index]) ** 2 * self.counts) / self.totals

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum of the weights of the entries of each matrix."""
        return np.bincount(self.index, weights, minlength=len(self.voxels))

    @cached_property
    def _means(self) -> dict[tuple[int, int], np.ndarray]:
        """All means at once: of few entries they take less time than a few of them one by one."""
        levels, properties = (np.array([_power(values, power) for power in _POWERS]) for values in (self.i, self.j))
        weights = (levels[:, None] * properties * self.counts).ravel()
        pairs = list(itertools.product(_POWERS, _POWERS))
        size = len(self.voxels)
        places = (np.arange(len(pairs))[:, None] * size + self.index).ravel()
        sums = np.bincount(places, weights, minlength=len(pairs) * size).reshape(-1, size)
        return dict(zip(pairs, sums / self.totals, strict=True))

    @cached_property
    def p(self) -> np.ndarray:
        """Share of each entry in its matrix."""
        return self.counts / self.totals[self.index]

    @cached_property
    def level_squares(self) -> np.ndarray:
        """sum_i (sum_j n_ij)^2 of each matrix."""
        return self._squares(self._level)

    @cached_property
    def property_squares(self) -> np.ndarray:
        """sum_j (sum_i n_ij)^2 of each matrix."""
        return self._squares(self._property)

    def _squares(self, values: np.ndarray) -> np.ndarray:
        width = int(values.max(initial=0)) + 1
        if width > max(10 * values.size, _SMALL_TABLE):
            distinct, values = np.unique(values, return_inverse=True)
            width = len(distinct)
        sums = np.bincount(self.index * width + values, self.counts, minlength=width * len(self.voxels))
        return (sums.reshape(-1, width) ** 2).sum(axis=1)


def _power(values: np.ndarray, power: int) -> np.ndarray:
    return 1 / values**-power if power < 0 else values**power if power else np.ones(values.shape)


def _counted(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct codes, ascending, and how often each occurs."""
    # A table of small numbers is faster than sorting them.
    if codes.max(initial=0) < max(4 * codes.size, _SMALL_TABLE):
        table = np.bincount(codes)
        distinct = np.flatnonzero(table)
        return distinct, table[distinct]
    return np.unique(codes, return_counts=True)


def small_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of small {property}: F = (1/N) sum_ij n_ij / j^2."""
    return m.mean(0, -2)


def large_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of large {property}: F = (1/N) sum_ij j^2 n_ij."""
    return m.mean(0, 2)


def low_level_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of low gray levels: F = (1/N) sum_ij n_ij / i^2."""
    return m.mean(-2, 0)


def high_level_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of high gray levels: F = (1/N) sum_ij i^2 n_ij."""
    return m.mean(2, 0)


def small_low_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of small {property} at low gray levels: F = (1/N) sum_ij n_ij / (i^2 j^2)."""
    return m.mean(-2, -2)


def small_high_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of small {property} at high gray levels: F = (1/N) sum_ij i^2 n_ij / j^2."""
    return m.mean(2, -2)


def large_low_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of large {property} at low gray levels: F = (1/N) sum_ij j^2 n_ij / i^2."""
    return m.mean(-2, 2)


def large_high_emphasis(m: EmphasisMatrices) -> np.ndarray:
    """Weight of large {property} at high gray levels: F = (1/N) sum_ij i^2 j^2 n_ij."""
    return m.mean(2, 2)


def level_nonuniformity(m: EmphasisMatrices) -> np.ndarray:
    """How unevenly the {item} spread over gray levels: F = (1/N) sum_i (sum_j n_ij)^2."""
    return m.level_squares / m.totals


def normalized_level_nonuniformity(m: EmphasisMatrices) -> np.ndarray:
    """How unevenly the {item} spread over gray levels: F = (1/N^2) sum_i (sum_j n_ij)^2."""
    return m.level_squares / m.totals**2


def property_nonuniformity(m: EmphasisMatrices) -> np.ndarray:
    """How unevenly the {item} spread over {property}: F = (1/N) sum_j (sum_i n_ij)^2."""
    return m.property_squares / m.totals


def normalized_property_nonuniformity(m: EmphasisMatrices) -> np.ndarray:
    """How unevenly the {item} spread over {property}: F = (1/N^2) sum_j (sum_i n_ij)^2."""
    return m.property_squares / m.totals**2


def percentage(m: EmphasisMatrices) -> np.ndarray:
    """Number of {item} relative to the largest possible, that of voxels: F = N / N_v."""
    return m.totals / m.voxels


def level_variance(m: EmphasisMatrices) -> np.ndarray:
    """Variance of the gray level of the {item}: F = sum_ij (i - mu)^2 p_ij, with p = n / N and mu = sum_ij i p_ij."""
    return m.variance(m.i, m.mean(1, 0))


def property_variance(m: EmphasisMatrices) -> np.ndarray:
    """Variance of the {property} of the {item}: F = sum_ij (j - mu)^2 p_ij, with p = n / N and mu = sum_ij j p_ij."""
    return m.variance(m.j, m.mean(0, 1))


def entropy(m: EmphasisMatrices) -> np.ndarray:
    """Disorder of the {item}: F = -sum_ij p_ij log2 p_ij, with p = n / N."""
    return -m.sums(m.p * np.log2(m.p))


def energy(m: EmphasisMatrices) -> np.ndarray:
    """Order of the {item}: F = sum_ij p_ij^2, with p = n / N."""
    return m.sums(m.p**2)


_FORMULAS = (
    small_emphasis,
    large_emphasis,
    low_level_emphasis,
    high_level_emphasis,
    small_low_emphasis,
    small_high_emphasis,
    large_low_emphasis,
    large_high_emphasis,
    level_nonuniformity,
    normalized_level_nonuniformity,
    property_nonuniformity,
    normalized_property_nonuniformity,
    percentage,
    level_variance,
    property_variance,
    entropy,
    energy,
)


def register(family: Family, columns: tuple[tuple[str, str, str], ...]) -> None:
    """Register the shared formulas, in their order, under the names, titles and codes of one family."""
    for compute, (name, title, code) in zip(_FORMULAS, columns, strict=False):
        family.feature(name, title, code)(compute)
