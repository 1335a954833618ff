"""Neighborhood gray tone difference matrix (NGTDM): how voxels differ from the mean of their neighbors."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .definition import Family, Undefined, Values
from .region import Region

__all__ = ["FAMILY", "NeighborhoodDifference", "compute", "matrices"]

FAMILY = Family("ngtdm", "Neighborhood gray tone difference", reference="doi:10.1109/21.44046")


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(*matrices(region))


def matrices(region: Region) -> list[NeighborhoodDifference]:
    """Return the difference matrices: of the volume, of all slices together (2.5D) or of each slice (2D)."""
    found = region.texture.neighborhoods
    voxels = [around.voxels for around in found]
    differences = [around.differences for around in found]
    if region.settings.dimension == "2.5D":
        voxels, differences = [sum(voxels)], [sum(differences)]
    return [NeighborhoodDifference(*pair) for pair in zip(voxels, differences, strict=True)]


class NeighborhoodDifference:
    """One difference matrix, of the gray levels that occur among voxels with neighbors.

    Parameters
    ----------
    voxels, differences : numpy.ndarray of int64, shape (levels, neighbors + 1)
        As in :class:`.counts.Neighborhoods`.
    """

    def __init__(self, voxels: np.ndarray, differences: np.ndarray) -> None:
        number = np.arange(1, voxels.shape[1])
        counts = voxels[:, 1:].sum(axis=1)
        occurs = np.flatnonzero(counts)
        self.i = occurs + 1.0
        self.n = counts[occurs].astype(np.float64)
        self.s = (differences[occurs, 1:] / number).sum(axis=1)

    @cached_property
    def total(self) -> float:
        """N, the number of voxels with neighbors."""
        if not self.n.size:
            raise Undefined("No voxel has a neighbor in the segment.")
        return float(self.n.sum())

    @cached_property
    def p(self) -> np.ndarray:
        return self.n / self.total

    @cached_property
    def weighted(self) -> float:
        """sum_i p_i s_i."""
        return float(self.p @ self.s)

    @cached_property
    def level_differences(self) -> np.ndarray:
        """i - j of all pairs of levels that occur."""
        return self.i[:, None] - self.i


@FAMILY.feature("ngt_coarseness", "Coarseness", "QCDE")
def coarseness(m: NeighborhoodDifference) -> float:
    """How little voxels differ from their neighborhoods: F = 1 / sum_i p_i s_i."""
    if m.total and m.weighted == 0:
        raise Undefined("No voxel differs from its neighborhood, so coarseness has no upper limit.")
    return 1 / m.weighted


@FAMILY.feature("ngt_contrast", "Neighborhood contrast", "65HE")
def contrast(m: NeighborhoodDifference) -> float:
    """Range of levels times their local change; 0 if only one level occurs.

    F = sum_ij p_i p_j (i - j)^2 / (N_g (N_g - 1)) * (1/N) sum_i s_i over the N_g levels that occur.
    """
    if m.total and len(m.i) == 1:
        return 0.0
    spread = m.p @ m.level_differences**2 @ m.p / (len(m.i) * (len(m.i) - 1))
    return spread * m.s.sum() / m.total


@FAMILY.feature("ngt_busyness", "Busyness", "NQ30")
def busyness(m: NeighborhoodDifference) -> float:
    """How rapidly levels change between neighbors; 0 if only one level occurs.

    F = sum_i p_i s_i / sum_ij |i p_i - j p_j|.
    """
    if m.total and len(m.i) == 1:
        return 0.0
    products = m.i * m.p
    spread = np.abs(products[:, None] - products).sum()
    if spread == 0:
        raise Undefined("All levels weigh the same, so busyness has no upper limit.")
    return m.weighted / spread


@FAMILY.feature("ngt_complexity", "Complexity", "HDEZ")
def complexity(m: NeighborhoodDifference) -> float:
    """How many rapid changes there are: F = (1/N) sum_ij |i - j| (p_i s_i + p_j s_j) / (p_i + p_j)."""
    changes = m.p * m.s
    shares = (changes[:, None] + changes) / (m.p[:, None] + m.p)
    return float((np.abs(m.level_differences) * shares).sum() / m.total)


@FAMILY.feature("ngt_strength", "Strength", "1X9X")
def strength(m: NeighborhoodDifference) -> float:
    """How distinct the levels are: F = sum_ij (p_i + p_j) (i - j)^2 / sum_i s_i; 0 if no voxel differs."""
    changes = m.s.sum()
    if m.total and changes == 0:
        return 0.0
    return float(((m.p[:, None] + m.p) * m.level_differences**2).sum() / changes)
