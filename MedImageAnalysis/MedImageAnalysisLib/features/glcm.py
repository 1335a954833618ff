"""Gray level co-occurrence matrix (GLCM): how often two gray levels are neighbors."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .definition import Family, Undefined, Values
from .region import Region

__all__ = ["FAMILY", "Cooccurrence", "compute", "matrices"]

FAMILY = Family("glcm", "Gray level co-occurrence", reference="doi:10.1109/TSMC.1973.4309314")


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(*matrices(region))


def matrices(region: Region) -> list[Cooccurrence]:
    """Return the co-occurrence matrices, merged as the settings say; a feature is the mean over all of them.

    Raises
    ------
    Undefined
        If the segment has no pair of voxels to count.
    """
    found = region.texture.cooccurrences()
    if region.settings.dimension == "2.5D":
        found = [sum(found[1:], start=found[0])]
    if region.settings.aggregation in ("merged", "slice-merged"):
        found = [stack.sum(axis=0, keepdims=True) for stack in found]
    filled = [Cooccurrence(stack + stack.transpose(0, 2, 1)) for stack in found if stack.any()]
    if not filled:
        raise Undefined("The segment has no two neighboring voxels to compare.")
    return filled


def _entropy(p: np.ndarray) -> np.ndarray:
    """Return -sum p log2 p of each matrix or histogram of the stack."""
    flat = p.reshape(len(p), -1)
    # The logarithm of 1 is 0, as p log2 p is of no share at all.
    return -(flat * np.log2(flat + (flat == 0))).sum(axis=1)


class Cooccurrence:
    """A stack of symmetric co-occurrence matrices as probabilities, and the sums that features share.

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (matrices, levels, levels)
        Empty matrices are left out; not all are empty.
    """

    def __init__(self, counts: np.ndarray) -> None:
        totals = counts.sum(axis=(1, 2))
        filled = totals > 0
        self.p = counts[filled] / totals[filled, None, None]
        self.level_count = counts.shape[1]
        self.levels = np.arange(1, self.level_count + 1, dtype=np.float64)
        self.sums = np.arange(2, 2 * self.level_count + 1, dtype=np.float64)
        self.differences = np.arange(self.level_count, dtype=np.float64)

    @cached_property
    def marginal(self) -> np.ndarray:
        """p_i, the share of each level, shape (matrices, levels)."""
        return self.p.sum(axis=2)

    @cached_property
    def mean(self) -> np.ndarray:
        """mu = sum_i i p_i."""
        return self.marginal @ self.levels

    @cached_property
    def variance(self) -> np.ndarray:
        """sigma^2 = sum_i (i - mu)^2 p_i."""
        return ((self.levels - self.mean[:, None]) ** 2 * self.marginal).sum(axis=1)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Share of each difference |i - j|, shape (matrices, levels)."""
        skewed = _antidiagonal_sums(self.p[:, :, ::-1])
        middle = self.level_count - 1
        folded = skewed[:, middle:].copy()
        folded[:, 1:] += skewed[:, :middle][:, ::-1]
        return folded

    @cached_property
    def cross_diagonal(self) -> np.ndarray:
        """Share of each sum i + j, from 2 on, shape (matrices, 2 levels - 1)."""
        return _antidiagonal_sums(self.p)

    @cached_property
    def covariance(self) -> np.ndarray:
        """sum_ij (i - mu) (j - mu) p_ij, from sums and differences: (x + y)^2 - (x - y)^2 = 4 x y."""
        return (self.central_sum(2) - self.diagonal @ self.differences**2) / 4

    @cached_property
    def entropy(self) -> np.ndarray:
        return _entropy(self.p)

    @cached_property
    def marginal_entropy(self) -> np.ndarray:
        return _entropy(self.marginal)

    def central_sum(self, power: int) -> np.ndarray:
        """sum_ij (i + j - 2 mu)^power p_ij."""
        return ((self.sums - 2 * self.mean[:, None]) ** power * self.cross_diagonal).sum(axis=1)


def _antidiagonal_sums(p: np.ndarray) -> np.ndarray:
    """Return the sums over i + j = const: rows of a wider array, read with one column less, shift by one each."""
    stack, size, _ = p.shape
    wide = np.zeros((stack, size, 2 * size))
    wide[:, :, :size] = p
    return wide.reshape(stack, -1)[:, : size * (2 * size - 1)].reshape(stack, size, 2 * size - 1).sum(axis=1)


@FAMILY.feature("cm_joint_max", "Joint maximum", "GYBY")
def joint_maximum(m: Cooccurrence) -> np.ndarray:
    """Share of the most frequent pair of neighboring levels: F = max_ij p_ij."""
    return m.p.max(axis=(1, 2))


@FAMILY.feature("cm_joint_avg", "Joint average", "60VM")
def joint_average(m: Cooccurrence) -> np.ndarray:
    """Mean level, weighted by pairs: F = mu = sum_ij i p_ij."""
    return m.mean


@FAMILY.feature("cm_joint_var", "Joint variance", "UR99")
def joint_variance(m: Cooccurrence) -> np.ndarray:
    """Variance of the level, weighted by pairs: F = sum_ij (i - mu)^2 p_ij."""
    return m.variance


@FAMILY.feature("cm_joint_entr", "Joint entropy", "TU9B")
def joint_entropy(m: Cooccurrence) -> np.ndarray:
    """Disorder of the pairs: F = -sum_ij p_ij log2 p_ij."""
    return m.entropy


@FAMILY.feature("cm_diff_avg", "Difference average", "TF7R")
def difference_average(m: Cooccurrence) -> np.ndarray:
    """Mean difference of neighboring levels: F = sum_k k p_|i-j|=k."""
    return m.diagonal @ m.differences


@FAMILY.feature("cm_diff_var", "Difference variance", "D3YU")
def difference_variance(m: Cooccurrence) -> np.ndarray:
    """Variance of the difference of neighboring levels: F = sum_k (k - mean)^2 p_|i-j|=k."""
    deviations = m.differences - (m.diagonal @ m.differences)[:, None]
    return (deviations**2 * m.diagonal).sum(axis=1)


@FAMILY.feature("cm_diff_entr", "Difference entropy", "NTRS")
def difference_entropy(m: Cooccurrence) -> np.ndarray:
    """Disorder of the differences: F = -sum_k p_|i-j|=k log2 p_|i-j|=k."""
    return _entropy(m.diagonal)


@FAMILY.feature("cm_sum_avg", "Sum average", "ZGXS")
def sum_average(m: Cooccurrence) -> np.ndarray:
    """Mean sum of neighboring levels: F = sum_k k p_i+j=k, twice the joint average."""
    return m.cross_diagonal @ m.sums


@FAMILY.feature("cm_sum_var", "Sum variance", "OEEB")
def sum_variance(m: Cooccurrence) -> np.ndarray:
    """Variance of the sum of neighboring levels: F = sum_k (k - mean)^2 p_i+j=k."""
    return m.central_sum(2)


@FAMILY.feature("cm_sum_entr", "Sum entropy", "P6QZ")
def sum_entropy(m: Cooccurrence) -> np.ndarray:
    """Disorder of the sums: F = -sum_k p_i+j=k log2 p_i+j=k."""
    return _entropy(m.cross_diagonal)


@FAMILY.feature("cm_energy", "Angular second moment", "8ZQL")
def angular_second_moment(m: Cooccurrence) -> np.ndarray:
    """Order of the pairs (energy): F = sum_ij p_ij^2."""
    return np.einsum("kij,kij->k", m.p, m.p)


@FAMILY.feature("cm_contrast", "Contrast", "ACUI")
def contrast(m: Cooccurrence) -> np.ndarray:
    """Mean squared difference of neighboring levels: F = sum_ij (i - j)^2 p_ij."""
    return m.diagonal @ m.differences**2


@FAMILY.feature("cm_dissimilarity", "Dissimilarity", "8S9J")
def dissimilarity(m: Cooccurrence) -> np.ndarray:
    """Mean absolute difference of neighboring levels: F = sum_ij |i - j| p_ij."""
    return m.diagonal @ m.differences


@FAMILY.feature("cm_inv_diff", "Inverse difference", "IB1Z")
def inverse_difference(m: Cooccurrence) -> np.ndarray:
    """Homogeneity: F = sum_ij p_ij / (1 + |i - j|)."""
    return m.diagonal @ (1 / (1 + m.differences))


@FAMILY.feature("cm_inv_diff_norm", "Normalized inverse difference", "NDRX")
def normalized_inverse_difference(m: Cooccurrence) -> np.ndarray:
    """Homogeneity, relative to the number of levels: F = sum_ij p_ij / (1 + |i - j| / N_g)."""
    return m.diagonal @ (1 / (1 + m.differences / m.level_count))


@FAMILY.feature("cm_inv_diff_mom", "Inverse difference moment", "WF0Z")
def inverse_difference_moment(m: Cooccurrence) -> np.ndarray:
    """Homogeneity: F = sum_ij p_ij / (1 + (i - j)^2)."""
    return m.diagonal @ (1 / (1 + m.differences**2))


@FAMILY.feature("cm_inv_diff_mom_norm", "Normalized inverse difference moment", "1QCO")
def normalized_inverse_difference_moment(m: Cooccurrence) -> np.ndarray:
    """Homogeneity, relative to the number of levels: F = sum_ij p_ij / (1 + (i - j)^2 / N_g^2)."""
    return m.diagonal @ (1 / (1 + (m.differences / m.level_count) ** 2))


@FAMILY.feature("cm_inv_var", "Inverse variance", "E8JP")
def inverse_variance(m: Cooccurrence) -> np.ndarray:
    """Homogeneity among unequal neighbors: F = 2 sum_(i<j) p_ij / (i - j)^2."""
    return m.diagonal[:, 1:] @ (1 / m.differences[1:] ** 2)


@FAMILY.feature("cm_corr", "Correlation", "NI2N")
def correlation(m: Cooccurrence) -> np.ndarray:
    """Linear dependence of neighboring levels: F = sum_ij (i - mu) (j - mu) p_ij / sigma^2."""
    if not m.variance.any():
        raise Undefined("All neighboring voxels have the same gray level, so their correlation is not defined.")
    return m.covariance / m.variance


@FAMILY.feature("cm_auto_corr", "Autocorrelation", "QWB0")
def autocorrelation(m: Cooccurrence) -> np.ndarray:
    """Mean product of neighboring levels: F = sum_ij i j p_ij."""
    return (m.cross_diagonal @ m.sums**2 - m.diagonal @ m.differences**2) / 4


@FAMILY.feature("cm_clust_tend", "Cluster tendency", "DG8W")
def cluster_tendency(m: Cooccurrence) -> np.ndarray:
    """Grouping of similar levels: F = sum_ij (i + j - 2 mu)^2 p_ij."""
    return m.central_sum(2)


@FAMILY.feature("cm_clust_shade", "Cluster shade", "7NFM")
def cluster_shade(m: Cooccurrence) -> np.ndarray:
    """Asymmetry of the grouping: F = sum_ij (i + j - 2 mu)^3 p_ij."""
    return m.central_sum(3)


@FAMILY.feature("cm_clust_prom", "Cluster prominence", "AE86")
def cluster_prominence(m: Cooccurrence) -> np.ndarray:
    """Weight of the tails of the grouping: F = sum_ij (i + j - 2 mu)^4 p_ij."""
    return m.central_sum(4)


@FAMILY.feature("cm_info_corr1", "Information correlation 1", "R8DG")
def information_correlation_1(m: Cooccurrence) -> np.ndarray:
    """Information shared by neighbors, relative to that of a level: F = (H_ij - H_1) / H_i.

    H_ij is the joint entropy, H_i that of the levels, and H_1 = -sum_ij p_ij log2(p_i p_j) = 2 H_i.
    """
    if not m.marginal_entropy.any():
        raise Undefined("All neighboring voxels have the same gray level, so there is no information to share.")
    return (m.entropy - 2 * m.marginal_entropy) / m.marginal_entropy


@FAMILY.feature("cm_info_corr2", "Information correlation 2", "JN9H")
def information_correlation_2(m: Cooccurrence) -> np.ndarray:
    """Information shared by neighbors: F = sqrt(1 - exp(-2 (H_2 - H_ij))); 0 for independent levels.

    H_ij is the joint entropy, and H_2 = -sum_ij p_i p_j log2(p_i p_j) = 2 H_i.
    """
    # Rounding may leave a tiny negative difference where there is none.
    shared = np.maximum(2 * m.marginal_entropy - m.entropy, 0.0)
    return np.sqrt(1 - np.exp(-2 * shared))
