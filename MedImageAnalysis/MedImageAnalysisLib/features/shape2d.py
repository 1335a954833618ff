"""Shape of a segment of a true 2D image, such as a radiograph: the planar counterparts of the standard's morphology."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .definition import Family, Undefined, Values
from .hull import Hull, convex_hull, largest_distance
from .mesh import line_ends, outer_points, with_margin
from .region import Region
from .shape import principal_variances

__all__ = ["FAMILY", "PlanarShape", "area_and_perimeter", "compute"]

FAMILY = Family("shape", "Shape (2D)", reference="doi:10.1158/0008-5472.CAN-17-0339")


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(PlanarShape(region))


def area_and_perimeter(mask: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """Return area and perimeter of the outline of a 2D mask, drawn halfway between inside and outside.

    The outline (marching squares) cuts each square of four pixels in one of 16 ways. Pixels that touch only at a corner
    are outlined apart.
    """
    padded = with_margin(mask).view(np.uint8)
    codes = padded[:, :-1] | padded[:, 1:] << 1
    counts = np.bincount((codes[:-1] | codes[1:] << 2).ravel(), minlength=16)
    half_row, half_column = spacing / 2
    slant = np.hypot(half_row, half_column)
    bits = np.arange(16)[:, None] >> np.arange(4) & 1
    corners = bits.sum(axis=1)
    opposite = (corners == 2) & (bits[:, 0] == bits[:, 3])
    upright = (corners == 2) & (bits[:, 0] == bits[:, 2])
    lying = (corners == 2) & (bits[:, 0] == bits[:, 1])
    length_of = np.select(
        [opposite, upright, lying, corners % 2 == 1], [2 * slant, 2 * half_row, 2 * half_column, slant], 0.0
    )
    # A corner cuts off an eighth of the square; two opposite ones, each for itself, a quarter.
    share_of = np.select([opposite, corners == 2], [0.25, 0.5], np.array([0, 1, 0, 7, 8])[corners] / 8)
    return float(counts @ share_of * spacing.prod()), float(counts @ length_of)


class PlanarShape:
    """What the features of a 2D shape share."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.mask = region.shape_mask[0]
        self.spacing = region.spacing[1:]
        self.area, self.perimeter = area_and_perimeter(self.mask, self.spacing)

    @cached_property
    def pixel_area(self) -> float:
        return float(np.count_nonzero(self.mask) * self.spacing.prod())

    @cached_property
    def hull(self) -> Hull:
        return convex_hull(outer_points(line_ends(self.mask)) * self.spacing)

    @cached_property
    def axes(self) -> np.ndarray:
        """Axes of the ellipse with the variances of the segment, longest first."""
        return 4 * np.sqrt(principal_variances(self.mask, self.spacing))

    def filled_area(self) -> float:
        from scipy.ndimage import binary_fill_holes

        return float(np.count_nonzero(binary_fill_holes(self.mask)) * self.spacing.prod())


@FAMILY.feature("shape2d_area", "Area", "SCT:42798000", "{length}2")
def area(shape: PlanarShape) -> float:
    """Area within the outline that runs halfway between pixels inside and outside: F = A."""
    return shape.area


@FAMILY.feature("shape2d_pixel_area", "Pixel area", "99MEDIMAGE:pixel-area", "{length}2")
def pixel_area(shape: PlanarShape) -> float:
    """Area by counting: F = number of pixels times area of a pixel."""
    return shape.pixel_area


@FAMILY.feature("shape2d_filled_area", "Filled area", "99MEDIMAGE:filled-area", "{length}2")
def filled_area(shape: PlanarShape) -> float:
    """Area by counting, with holes filled: F = number of pixels, holes included, times area of a pixel."""
    return shape.filled_area()


@FAMILY.feature("shape2d_perimeter", "Perimeter", "SCT:131191004", "{length}")
def perimeter(shape: PlanarShape) -> float:
    """Length of the outline, holes included: F = P = sum_k |p_(k+1) - p_k|."""
    return shape.perimeter


@FAMILY.feature(
    "shape2d_perimeter_area_ratio", "Perimeter to area ratio", "99MEDIMAGE:perimeter-area-ratio", "{length}-1"
)
def perimeter_area_ratio(shape: PlanarShape) -> float:
    """Outline per area: F = P / A."""
    return shape.perimeter / shape.area


@FAMILY.feature("shape2d_circularity", "Circularity", "99MEDIMAGE:circularity")
def circularity(shape: PlanarShape) -> float:
    """Perimeter of a circle of equal area relative to the perimeter: F = 2 sqrt(pi A) / P; 1 for a circle."""
    return 2 * np.sqrt(np.pi * shape.area) / shape.perimeter


@FAMILY.feature("shape2d_compactness", "Compactness", "99MEDIMAGE:compactness")
def compactness(shape: PlanarShape) -> float:
    """Isoperimetric quotient: F = 4 pi A / P^2; 1 for a circle."""
    return 4 * np.pi * shape.area / shape.perimeter**2


@FAMILY.feature("shape2d_equivalent_diameter", "Equivalent diameter", "99MEDIMAGE:equivalent-diameter", "{length}")
def equivalent_diameter(shape: PlanarShape) -> float:
    """Diameter of a circle of equal area: F = 2 sqrt(A / pi)."""
    return 2 * np.sqrt(shape.area / np.pi)


@FAMILY.feature("shape2d_maximum_diameter", "Maximum diameter", "SCT:103339001", "{length}")
def maximum_diameter(shape: PlanarShape) -> float:
    """Largest distance between two points of the outline (Feret diameter)."""
    return largest_distance(shape.hull.points)


@FAMILY.feature("shape2d_minimum_width", "Minimum width", "99MEDIMAGE:minimum-width", "{length}")
def minimum_width(shape: PlanarShape) -> float:
    """Least distance between two parallel lines that hold the outline (minimum caliper)."""
    return float(np.ptp(shape.hull.points @ shape.hull.normals.T, axis=0).min())


@FAMILY.feature("shape2d_major_axis", "Major axis length", "SCT:131187009", "{length}")
def major_axis_length(shape: PlanarShape) -> float:
    """Longest axis of the ellipse with the variances of the segment: F = 4 sqrt(lambda_major)."""
    return shape.axes[0]


@FAMILY.feature("shape2d_minor_axis", "Minor axis length", "SCT:131188004", "{length}")
def minor_axis_length(shape: PlanarShape) -> float:
    """Shortest axis of the ellipse with the variances of the segment: F = 4 sqrt(lambda_minor)."""
    return shape.axes[1]


@FAMILY.feature("shape2d_elongation", "Elongation", "99MEDIMAGE:elongation")
def elongation(shape: PlanarShape) -> float:
    """Shortest axis relative to the longest: F = sqrt(lambda_minor / lambda_major); 1 if they are equal."""
    if shape.axes[0] == 0:
        raise Undefined("The segment is a single pixel, which has no axes.")
    return shape.axes[1] / shape.axes[0]


@FAMILY.feature("shape2d_solidity", "Solidity", "99MEDIMAGE:solidity")
def solidity(shape: PlanarShape) -> float:
    """Share of the convex hull of the outline that the segment fills: F = A / A_hull."""
    return shape.area / shape.hull.volume


@FAMILY.feature("shape2d_extent", "Extent", "99MEDIMAGE:extent")
def extent(shape: PlanarShape) -> float:
    """Share of the box along the image's axes that the segment fills: F = A / A_box."""
    return shape.area / (shape.mask.shape * shape.spacing).prod()


@FAMILY.feature("shape2d_com", "Center of mass shift", "99MEDIMAGE:center-of-mass-shift", "{length}")
def center_of_mass_shift(shape: PlanarShape) -> float:
    """Distance of the center of the segment from the center of its intensities.

    F = |mean of pixel centers - sum_k X_k c_k / sum_k X_k|.
    """
    return shape.region.center_of_mass_shift()


@FAMILY.feature(
    "shape2d_integrated_intensity", "Integrated intensity", "99MEDIMAGE:integrated-intensity", "{intensity}·{length}2"
)
def integrated_intensity(shape: PlanarShape) -> float:
    """Area times mean intensity: F = A (1/N) sum_k X_k."""
    return shape.area * float(shape.region.intensities.mean())
