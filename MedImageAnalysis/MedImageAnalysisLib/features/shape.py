"""Morphology: size and form of a segment in 3D, from its surface mesh, its voxels, its hull and enclosing bodies."""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np

from .definition import Family, Undefined, Values
from .enclosing import ellipsoid_area, minimum_bounding_box, minimum_ellipsoid
from .hull import Hull, convex_hull, far_points, largest_distance
from .mesh import Surface, area_and_volume, outer_points
from .region import Region

__all__ = ["FAMILY", "Shape", "compute", "principal_variances"]

FAMILY = Family("shape", "Morphology")

# So few points are compared with each other in less time than it takes to find their hull.
_FEW_POINTS = 2000


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(Shape(region))


def principal_variances(mask: np.ndarray, spacing: np.ndarray, lost: int = 1) -> np.ndarray:
    """Return the variances of the voxel centers along their principal axes, largest first; 0 for a single voxel.

    The sums are of whole numbers, over projections of the mask, so they are exact for a region of any size.

    Parameters
    ----------
    mask : numpy.ndarray of bool, 2D or 3D
    spacing : numpy.ndarray of float, one per axis
    lost : int
        Degrees of freedom that the mean takes: 1 in the standard, 0 in pyradiomics.
    """
    dimension = mask.ndim
    positions = [np.arange(n) for n in mask.shape]
    count = np.count_nonzero(mask)
    moments = np.empty((dimension, dimension))
    lines: dict[int, np.ndarray] = {}
    for i, j in itertools.combinations(range(dimension), 2):
        others = tuple(axis for axis in range(dimension) if axis not in (i, j))
        plane = np.add.reduce(mask, axis=others, dtype=np.int64)
        moments[i, j] = moments[j, i] = positions[i] @ plane @ positions[j]
        for axis, across in ((i, 1), (j, 0)):
            if axis not in lines:
                lines[axis] = np.add.reduce(plane, axis=across)
    sums = np.array([positions[axis] @ lines[axis] for axis in range(dimension)], np.float64)
    for axis, line in lines.items():
        moments[axis, axis] = positions[axis] ** 2 @ line
    scatter = (moments - np.outer(sums, sums) / count) / max(count - lost, 1)
    covariance = scatter * np.outer(spacing, spacing)
    # Rounding may leave a tiny negative variance where there is none.
    return np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0.0)


class Shape:
    """What the features of a 3D shape share, each part computed when first asked for."""

    _pairing = "closed"

    def __init__(self, region: Region) -> None:
        self.region = region
        self.mask = region.shape_mask
        self.spacing = region.spacing
        self.surface = Surface(self.mask)

    @cached_property
    def _area_and_volume(self) -> tuple[float, float]:
        return area_and_volume(self.mask, self.spacing, self._pairing)

    @property
    def area(self) -> float:
        return self._area_and_volume[0]

    @property
    def volume(self) -> float:
        return self._area_and_volume[1]

    @cached_property
    def voxel_volume(self) -> float:
        return float(np.count_nonzero(self.mask) * self.spacing.prod())

    @cached_property
    def semi_axes(self) -> np.ndarray:
        """Semi-axes of the ellipsoid with the variances of the segment, longest first."""
        return 2 * np.sqrt(principal_variances(self.mask, self.spacing))

    @cached_property
    def hull(self) -> Hull:
        """Convex hull of the mesh."""
        return convex_hull(outer_points(self.surface.ends) * self.spacing)

    @cached_property
    def box(self) -> np.ndarray:
        """Edges of the box around the mesh along the image's axes."""
        return self.mask.shape * self.spacing

    @cached_property
    def oriented_box(self) -> np.ndarray:
        return minimum_bounding_box(self.hull)

    @cached_property
    def ellipsoid(self) -> np.ndarray:
        """Semi-axes of the least enclosing ellipsoid, longest first."""
        return minimum_ellipsoid(self.hull.points)

    @cached_property
    def mean_intensity(self) -> float:
        return float(self.region.intensities.mean())

    def proper_semi_axes(self) -> np.ndarray:
        """The semi-axes if the segment extends along each of them."""
        if self.semi_axes[2] <= 1e-9 * self.spacing.max():
            raise Undefined("The segment is one voxel thick along a principal axis, so its ellipsoid has no volume.")
        return self.semi_axes

    def major_semi_axis(self) -> float:
        if self.semi_axes[0] == 0:
            raise Undefined("The segment is a single voxel, which has no axes.")
        return float(self.semi_axes[0])


def _box_area(edges: np.ndarray) -> float:
    a, b, c = edges
    return 2 * (a * b + b * c + c * a)


def _ellipsoid_volume(semi_axes: np.ndarray) -> float:
    return 4 / 3 * np.pi * semi_axes.prod()


@FAMILY.feature("morph_volume", "Volume", "RNU0", "{length}3")
def volume(shape: Shape) -> float:
    """Volume within the surface mesh: F = V = |sum_k a_k . (b_k x c_k)| / 6 over its triangles."""
    return shape.volume


@FAMILY.feature("morph_vol_approx", "Approximate volume", "YEKZ", "{length}3")
def approximate_volume(shape: Shape) -> float:
    """Volume by counting: F = number of voxels times volume of a voxel."""
    return shape.voxel_volume


@FAMILY.feature("morph_area_mesh", "Surface area", "C0JK", "{length}2")
def surface_area(shape: Shape) -> float:
    """Area of the surface mesh: F = A = sum_k |(b_k - a_k) x (c_k - a_k)| / 2 over its triangles."""
    return shape.area


@FAMILY.feature("morph_av", "Surface to volume ratio", "2PR5", "{length}-1")
def surface_to_volume_ratio(shape: Shape) -> float:
    """Surface per volume: F = A / V."""
    return shape.area / shape.volume


@FAMILY.feature("morph_comp_1", "Compactness 1", "SKGS")
def compactness_1(shape: Shape) -> float:
    """How sphere-like the segment is: F = V / (pi^(1/2) A^(3/2)); 1 / (6 pi) for a sphere."""
    return shape.volume / (np.sqrt(np.pi) * shape.area**1.5)


@FAMILY.feature("morph_comp_2", "Compactness 2", "BQWJ")
def compactness_2(shape: Shape) -> float:
    """How sphere-like the segment is: F = 36 pi V^2 / A^3; 1 for a sphere."""
    return 36 * np.pi * shape.volume**2 / shape.area**3


@FAMILY.feature("morph_sph_dispr", "Spherical disproportion", "KRCK")
def spherical_disproportion(shape: Shape) -> float:
    """Area relative to that of a sphere of equal volume: F = A / (36 pi V^2)^(1/3)."""
    return shape.area / np.cbrt(36 * np.pi * shape.volume**2)


@FAMILY.feature("morph_sphericity", "Sphericity", "QCFX")
def sphericity(shape: Shape) -> float:
    """Area of a sphere of equal volume relative to the area: F = (36 pi V^2)^(1/3) / A; 1 for a sphere."""
    return np.cbrt(36 * np.pi * shape.volume**2) / shape.area


@FAMILY.feature("morph_asphericity", "Asphericity", "25C7")
def asphericity(shape: Shape) -> float:
    """How far from a sphere the segment is: F = (A^3 / (36 pi V^2))^(1/3) - 1; 0 for a sphere."""
    return np.cbrt(shape.area**3 / (36 * np.pi * shape.volume**2)) - 1


@FAMILY.feature("morph_com", "Center of mass shift", "KLMA", "{length}")
def center_of_mass_shift(shape: Shape) -> float:
    """Distance of the center of the segment from the center of its intensities.

    F = |mean of voxel centers - sum_k X_k c_k / sum_k X_k|.
    """
    return shape.region.center_of_mass_shift()


@FAMILY.feature("morph_diam", "Maximum 3D diameter", "L0JK", "{length}")
def maximum_diameter(shape: Shape) -> float:
    """Largest distance between two vertices of the surface mesh."""
    points = far_points(shape.surface.points() * shape.spacing)
    return largest_distance(points if len(points) <= _FEW_POINTS else shape.hull.points)


@FAMILY.feature("morph_pca_maj_axis", "Major axis length", "TDIC", "{length}")
def major_axis_length(shape: Shape) -> float:
    """Longest axis of the ellipsoid with the variances of the segment: F = 4 sqrt(lambda_major)."""
    return 2 * shape.semi_axes[0]


@FAMILY.feature("morph_pca_min_axis", "Minor axis length", "P9VJ", "{length}")
def minor_axis_length(shape: Shape) -> float:
    """Second axis of the ellipsoid with the variances of the segment: F = 4 sqrt(lambda_minor)."""
    return 2 * shape.semi_axes[1]


@FAMILY.feature("morph_pca_least_axis", "Least axis length", "7J51", "{length}")
def least_axis_length(shape: Shape) -> float:
    """Shortest axis of the ellipsoid with the variances of the segment: F = 4 sqrt(lambda_least)."""
    return 2 * shape.semi_axes[2]


@FAMILY.feature("morph_pca_elongation", "Elongation", "Q3CK")
def elongation(shape: Shape) -> float:
    """Second axis relative to the first: F = sqrt(lambda_minor / lambda_major); 1 if they are equal."""
    return shape.semi_axes[1] / shape.major_semi_axis()


@FAMILY.feature("morph_pca_flatness", "Flatness", "N17B")
def flatness(shape: Shape) -> float:
    """Third axis relative to the first: F = sqrt(lambda_least / lambda_major); 0 for a flat segment."""
    return shape.semi_axes[2] / shape.major_semi_axis()


@FAMILY.feature("morph_vol_dens_aabb", "Volume density (axis-aligned bounding box)", "PBX1")
def volume_density_box(shape: Shape) -> float:
    """Share of the box along the image's axes that the segment fills: F = V / V_box."""
    return shape.volume / shape.box.prod()


@FAMILY.feature("morph_area_dens_aabb", "Area density (axis-aligned bounding box)", "R59B")
def area_density_box(shape: Shape) -> float:
    """Surface relative to that of the box along the image's axes: F = A / A_box."""
    return shape.area / _box_area(shape.box)


@FAMILY.feature("morph_vol_dens_ombb", "Volume density (oriented minimum bounding box)", "ZH1A")
def volume_density_oriented_box(shape: Shape) -> float:
    """Share of the least box at any angle that the segment fills: F = V / V_box."""
    return shape.volume / shape.oriented_box.prod()


@FAMILY.feature("morph_area_dens_ombb", "Area density (oriented minimum bounding box)", "IQYR")
def area_density_oriented_box(shape: Shape) -> float:
    """Surface relative to that of the least box at any angle: F = A / A_box."""
    return shape.area / _box_area(shape.oriented_box)


@FAMILY.feature("morph_vol_dens_aee", "Volume density (approximate enclosing ellipsoid)", "6BDE")
def volume_density_approximate_ellipsoid(shape: Shape) -> float:
    """Volume relative to the ellipsoid with the principal axes: F = 3 V / (4 pi a b c), a = 2 sqrt(lambda)."""
    return shape.volume / _ellipsoid_volume(shape.proper_semi_axes())


@FAMILY.feature("morph_area_dens_aee", "Area density (approximate enclosing ellipsoid)", "RDD2")
def area_density_approximate_ellipsoid(shape: Shape) -> float:
    """Surface relative to the ellipsoid with the principal axes: F = A / A_ellipsoid."""
    return shape.area / ellipsoid_area(shape.proper_semi_axes())


@FAMILY.feature("morph_vol_dens_mvee", "Volume density (minimum volume enclosing ellipsoid)", "SWZ1")
def volume_density_ellipsoid(shape: Shape) -> float:
    """Volume relative to the least ellipsoid that encloses the mesh: F = V / V_ellipsoid."""
    return shape.volume / _ellipsoid_volume(shape.ellipsoid)


@FAMILY.feature("morph_area_dens_mvee", "Area density (minimum volume enclosing ellipsoid)", "BRI8")
def area_density_ellipsoid(shape: Shape) -> float:
    """Surface relative to the least ellipsoid that encloses the mesh: F = A / A_ellipsoid."""
    return shape.area / ellipsoid_area(shape.ellipsoid)


@FAMILY.feature("morph_vol_dens_conv_hull", "Volume density (convex hull)", "R3ER")
def volume_density_hull(shape: Shape) -> float:
    """Share of the convex hull of the mesh that the segment fills (solidity): F = V / V_hull."""
    return shape.volume / shape.hull.volume


@FAMILY.feature("morph_area_dens_conv_hull", "Area density (convex hull)", "7T7F")
def area_density_hull(shape: Shape) -> float:
    """Surface relative to that of the convex hull of the mesh: F = A / A_hull."""
    return shape.area / shape.hull.area


@FAMILY.feature("morph_integ_int", "Integrated intensity", "99N0", "{intensity}·{length}3")
def integrated_intensity(shape: Shape) -> float:
    """Volume times mean intensity: F = V (1/N) sum_k X_k."""
    return shape.volume * shape.mean_intensity
