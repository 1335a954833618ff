"""The features of pyradiomics, under its names and with its definitions, so that its users can move over.

Most are features of the standard under another name. What differs is written out here: no excess in the kurtosis,
variances of shape over N voxels, an intensity shift in energies, and fixed values where the standard has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from . import glcm, glrlm, glszm, histogram, intensity, ngldm, ngtdm, shape, shape2d
from .definition import Calculator, Family, Feature
from .distribution import Distribution
from .planar_diameters import planar_diameters
from .region import Region

__all__ = ["CALCULATORS", "PLANAR_SHAPE"]

REFERENCE = "doi:10.1158/0008-5472.CAN-17-0339"

SHAPE = Family("shape", "Shape (pyradiomics)")
SHAPE_2D = Family("shape", "Shape 2D (pyradiomics)", reference=REFERENCE)
FIRST_ORDER = Family("intensity", "First order (pyradiomics)")
GLCM = Family("glcm", "Gray level co-occurrence (pyradiomics)", reference=glcm.FAMILY.reference)
GLRLM = Family("glrlm", "Gray level run length (pyradiomics)", glrlm.FAMILY.reference, glrlm.FAMILY.words)
GLSZM = Family("glszm", "Gray level size zone (pyradiomics)", glszm.FAMILY.reference, glszm.FAMILY.words)
GLDM = Family("ngldm", "Gray level dependence (pyradiomics)", ngldm.FAMILY.reference, ngldm.FAMILY.words)
NGTDM = Family("ngtdm", "Neighborhood gray tone difference (pyradiomics)", reference=ngtdm.FAMILY.reference)


def _renamed(family: Family, group: str, source: Family, names: dict[str, str]) -> None:
    """Register features of the standard, given as {pyradiomics' name: standard name}, under pyradiomics' names."""
    known = {feature.name: feature for feature in source.features}
    for name, standard in names.items():
        feature: Feature = known[standard]
        register = family.feature(
            f"original_{group}_{name}", feature.title, feature.code, feature.unit, feature.reference
        )
        register(feature.compute)


def _own(family: Family, group: str, name: str, title: str, unit: str = "1") -> Callable:
    """Register the decorated function as a feature that only pyradiomics defines this way."""
    return family.feature(f"original_{group}_{name}", title, f"PYRADIOMICS:{name}", unit, REFERENCE)


# Shape


class SolidShape(shape.Shape):
    """A 3D shape with pyradiomics' mesh, and its variances: over N voxels instead of N - 1."""

    _pairing = "mirrored"

    @cached_property
    def semi_axes(self) -> np.ndarray:
        return 2 * np.sqrt(shape.principal_variances(self.mask, self.spacing, lost=0))

    @cached_property
    def planar_diameters(self) -> tuple[float, ...]:
        """Largest distances between mesh vertices in one plane across each axis."""
        return planar_diameters(self.surface, self.spacing)


class PlanarShape(shape2d.PlanarShape):
    """A 2D shape, likewise."""

    @cached_property
    def axes(self) -> np.ndarray:
        return 4 * np.sqrt(shape.principal_variances(self.mask, self.spacing, lost=0))


_renamed(
    SHAPE,
    "shape",
    shape.FAMILY,
    {
        "MeshVolume": "morph_volume",
        "VoxelVolume": "morph_vol_approx",
        "SurfaceArea": "morph_area_mesh",
        "SurfaceVolumeRatio": "morph_av",
        "Sphericity": "morph_sphericity",
        "Maximum3DDiameter": "morph_diam",
        "MajorAxisLength": "morph_pca_maj_axis",
        "MinorAxisLength": "morph_pca_min_axis",
        "LeastAxisLength": "morph_pca_least_axis",
        "Elongation": "morph_pca_elongation",
        "Flatness": "morph_pca_flatness",
    },
)


@_own(SHAPE, "shape", "Maximum2DDiameterSlice", "Maximum 2D diameter (slice)", "{length}")
def slice_diameter(solid: SolidShape) -> float:
    """Largest distance between two vertices of the surface mesh in one plane of rows and columns."""
    return solid.planar_diameters[0]


@_own(SHAPE, "shape", "Maximum2DDiameterColumn", "Maximum 2D diameter (column)", "{length}")
def column_diameter(solid: SolidShape) -> float:
    """Largest distance between two vertices of the surface mesh in one plane of slices and columns."""
    return solid.planar_diameters[1]


@_own(SHAPE, "shape", "Maximum2DDiameterRow", "Maximum 2D diameter (row)", "{length}")
def row_diameter(solid: SolidShape) -> float:
    """Largest distance between two vertices of the surface mesh in one plane of slices and rows."""
    return solid.planar_diameters[2]


_renamed(
    SHAPE_2D,
    "shape2D",
    shape2d.FAMILY,
    {
        "MeshSurface": "shape2d_area",
        "PixelSurface": "shape2d_pixel_area",
        "Perimeter": "shape2d_perimeter",
        "PerimeterSurfaceRatio": "shape2d_perimeter_area_ratio",
        "Sphericity": "shape2d_circularity",
        "MaximumDiameter": "shape2d_maximum_diameter",
        "MajorAxisLength": "shape2d_major_axis",
        "MinorAxisLength": "shape2d_minor_axis",
        "Elongation": "shape2d_elongation",
    },
)


# First order


class FirstOrder(Distribution):
    """Intensities, their gray levels, and the shift that pyradiomics adds in energies."""

    def __init__(self, region: Region) -> None:
        super().__init__(region.distribution.values, region.distribution.counts)
        self.levels = histogram.Histogram(region.levels)
        self.shift = region.settings.intensity_shift
        self.voxel_volume = float(region.spacing.prod())

    def energy(self) -> float:
        return float(self.counts @ (self.values + self.shift) ** 2)


_renamed(
    FIRST_ORDER,
    "firstorder",
    intensity.FAMILY,
    {
        "Energy": "stat_energy",
        "RootMeanSquared": "stat_rms",
        "Minimum": "stat_min",
        "10Percentile": "stat_p10",
        "90Percentile": "stat_p90",
        "Maximum": "stat_max",
        "Mean": "stat_mean",
        "Median": "stat_median",
        "InterquartileRange": "stat_iqr",
        "Range": "stat_range",
        "MeanAbsoluteDeviation": "stat_mad",
        "RobustMeanAbsoluteDeviation": "stat_rmad",
        "Skewness": "stat_skew",
        "Variance": "stat_var",
    },
)


@_own(FIRST_ORDER, "firstorder", "TotalEnergy", "Total energy", "{intensity}2·{length}3")
def total_energy(data: FirstOrder) -> float:
    """Energy times volume of a voxel: F = V_voxel sum_k (X_k + shift)^2. In a 2D image a voxel is 1 thick."""
    return data.energy() * data.voxel_volume


@_own(FIRST_ORDER, "firstorder", "Kurtosis", "Kurtosis (not excess)")
def kurtosis(data: FirstOrder) -> float:
    """Weight of the tails: F = (1/N) sum_k (X_k - mean)^4 / variance^2, 3 for a normal distribution; 0 if flat."""
    return data.kurtosis() + 3 if data.variance else 0.0


@_own(FIRST_ORDER, "firstorder", "Entropy", "Gray level entropy")
def first_order_entropy(data: FirstOrder) -> float:
    """Disorder of the gray levels: F = -sum_i p_i log2 p_i."""
    return histogram.entropy(data.levels)


@_own(FIRST_ORDER, "firstorder", "Uniformity", "Gray level uniformity")
def first_order_uniformity(data: FirstOrder) -> float:
    """Order of the gray levels: F = sum_i p_i^2."""
    return histogram.uniformity(data.levels)


# Gray level co-occurrence

_renamed(
    GLCM,
    "glcm",
    glcm.FAMILY,
    {
        "Autocorrelation": "cm_auto_corr",
        "JointAverage": "cm_joint_avg",
        "ClusterProminence": "cm_clust_prom",
        "ClusterShade": "cm_clust_shade",
        "ClusterTendency": "cm_clust_tend",
        "Contrast": "cm_contrast",
        "DifferenceAverage": "cm_diff_avg",
        "DifferenceEntropy": "cm_diff_entr",
        "DifferenceVariance": "cm_diff_var",
        "JointEnergy": "cm_energy",
        "JointEntropy": "cm_joint_entr",
        "Imc2": "cm_info_corr2",
        "Idm": "cm_inv_diff_mom",
        "Idmn": "cm_inv_diff_mom_norm",
        "Id": "cm_inv_diff",
        "Idn": "cm_inv_diff_norm",
        "InverseVariance": "cm_inv_var",
        "MaximumProbability": "cm_joint_max",
        "SumAverage": "cm_sum_avg",
        "SumEntropy": "cm_sum_entr",
        "SumSquares": "cm_joint_var",
    },
)


@_own(GLCM, "glcm", "Correlation", "Correlation")
def correlation(m: glcm.Cooccurrence) -> np.ndarray:
    """Linear dependence of neighboring levels: F = sum_ij (i - mu) (j - mu) p_ij / sigma^2; 1 if all are equal."""
    return np.where(m.variance == 0, 1.0, m.covariance / m.variance)


@_own(GLCM, "glcm", "Imc1", "Information correlation 1")
def information_correlation_1(m: glcm.Cooccurrence) -> np.ndarray:
    """Information shared by neighbors: F = (H_ij - H_1) / H_i, as in the standard; 0 if all levels are equal."""
    return np.where(m.marginal_entropy == 0, 0.0, (m.entropy - 2 * m.marginal_entropy) / m.marginal_entropy)


@_own(GLCM, "glcm", "MCC", "Maximal correlation coefficient")
def maximal_correlation(m: glcm.Cooccurrence) -> np.ndarray:
    """Largest correlation that any scoring of the levels can reach; 1 if all are equal.

    F = square root of the second largest eigenvalue of Q, Q_ij = sum_k p_ik p_jk / (p_i p_k).
    """
    # Q is similar to the square of a symmetric matrix, whose eigenvalues are those of Q but for the root and the sign.
    occurs = m.marginal.any(axis=0)
    if np.count_nonzero(occurs) == 1:
        return np.ones(len(m.p))
    roots = np.sqrt(m.marginal[:, occurs])
    roots[roots == 0] = 1.0
    symmetric = m.p[:, occurs][:, :, occurs] / (roots[:, :, None] * roots[:, None])
    second = np.sort(np.abs(np.linalg.eigvalsh(symmetric)), axis=1)[:, -2]
    return np.where(m.variance == 0, 1.0, second)


# Run lengths, zones and dependences

_renamed(
    GLRLM,
    "glrlm",
    glrlm.FAMILY,
    {
        "ShortRunEmphasis": "rlm_sre",
        "LongRunEmphasis": "rlm_lre",
        "GrayLevelNonUniformity": "rlm_glnu",
        "GrayLevelNonUniformityNormalized": "rlm_glnu_norm",
        "RunLengthNonUniformity": "rlm_rlnu",
        "RunLengthNonUniformityNormalized": "rlm_rlnu_norm",
        "RunPercentage": "rlm_r_perc",
        "GrayLevelVariance": "rlm_gl_var",
        "RunVariance": "rlm_rl_var",
        "RunEntropy": "rlm_rl_entr",
        "LowGrayLevelRunEmphasis": "rlm_lgre",
        "HighGrayLevelRunEmphasis": "rlm_hgre",
        "ShortRunLowGrayLevelEmphasis": "rlm_srlge",
        "ShortRunHighGrayLevelEmphasis": "rlm_srhge",
        "LongRunLowGrayLevelEmphasis": "rlm_lrlge",
        "LongRunHighGrayLevelEmphasis": "rlm_lrhge",
    },
)

_renamed(
    GLSZM,
    "glszm",
    glszm.FAMILY,
    {
        "SmallAreaEmphasis": "szm_sze",
        "LargeAreaEmphasis": "szm_lze",
        "GrayLevelNonUniformity": "szm_glnu",
        "GrayLevelNonUniformityNormalized": "szm_glnu_norm",
        "SizeZoneNonUniformity": "szm_zsnu",
        "SizeZoneNonUniformityNormalized": "szm_zsnu_norm",
        "ZonePercentage": "szm_z_perc",
        "GrayLevelVariance": "szm_gl_var",
        "ZoneVariance": "szm_zs_var",
        "ZoneEntropy": "szm_zs_entr",
        "LowGrayLevelZoneEmphasis": "szm_lgze",
        "HighGrayLevelZoneEmphasis": "szm_hgze",
        "SmallAreaLowGrayLevelEmphasis": "szm_szlge",
        "SmallAreaHighGrayLevelEmphasis": "szm_szhge",
        "LargeAreaLowGrayLevelEmphasis": "szm_lzlge",
        "LargeAreaHighGrayLevelEmphasis": "szm_lzhge",
    },
)

_renamed(
    GLDM,
    "gldm",
    ngldm.FAMILY,
    {
        "SmallDependenceEmphasis": "ngl_lde",
        "LargeDependenceEmphasis": "ngl_hde",
        "GrayLevelNonUniformity": "ngl_glnu",
        "DependenceNonUniformity": "ngl_dcnu",
        "DependenceNonUniformityNormalized": "ngl_dcnu_norm",
        "GrayLevelVariance": "ngl_gl_var",
        "DependenceVariance": "ngl_dc_var",
        "DependenceEntropy": "ngl_dc_entr",
        "LowGrayLevelEmphasis": "ngl_lgce",
        "HighGrayLevelEmphasis": "ngl_hgce",
        "SmallDependenceLowGrayLevelEmphasis": "ngl_ldlge",
        "SmallDependenceHighGrayLevelEmphasis": "ngl_ldhge",
        "LargeDependenceLowGrayLevelEmphasis": "ngl_hdlge",
        "LargeDependenceHighGrayLevelEmphasis": "ngl_hdhge",
    },
)

# Neighborhood gray tone differences

_renamed(
    NGTDM,
    "ngtdm",
    ngtdm.FAMILY,
    {"Contrast": "ngt_contrast", "Complexity": "ngt_complexity", "Strength": "ngt_strength"},
)


@_own(NGTDM, "ngtdm", "Coarseness", "Coarseness")
def coarseness(m: ngtdm.NeighborhoodDifference) -> float:
    """How little voxels differ from their neighborhoods: F = 1 / sum_i p_i s_i; a million if none differs."""
    return 1 / m.weighted if m.weighted else 1e6


@_own(NGTDM, "ngtdm", "Busyness", "Busyness")
def busyness(m: ngtdm.NeighborhoodDifference) -> float:
    """How rapidly levels change between neighbors: F = sum_i p_i s_i / sum_ij |i p_i - j p_j|; 0 if that is 0."""
    products = m.i * m.p
    spread = np.abs(products[:, None] - products).sum()
    return m.weighted / spread if spread else 0.0


CALCULATORS = {
    "shape": Calculator(SHAPE, lambda region: SHAPE.compute(SolidShape(region))),
    "intensity": Calculator(FIRST_ORDER, lambda region: FIRST_ORDER.compute(FirstOrder(region))),
    "glcm": Calculator(GLCM, lambda region: GLCM.compute(*glcm.matrices(region))),
    "glrlm": Calculator(GLRLM, lambda region: GLRLM.compute(glrlm.matrices(region))),
    "glszm": Calculator(GLSZM, lambda region: GLSZM.compute(glszm.matrices(region))),
    "ngtdm": Calculator(NGTDM, lambda region: NGTDM.compute(*ngtdm.matrices(region))),
    "ngldm": Calculator(GLDM, lambda region: GLDM.compute(ngldm.matrices(region))),
}
"""The families that pyradiomics has, by the names of the settings."""

PLANAR_SHAPE = Calculator(SHAPE_2D, lambda region: SHAPE_2D.compute(PlanarShape(region)))
"""What stands for "shape" in a 2D image."""
