"""Connected components: find, filter by size, keep the largest, fill holes, smooth outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.filters import signed_distance
from ...imaging.masks import component_sizes
from ...imaging.pixels import mask_image, view
from ...parameters import parameter
from ...progress import Progress, run_filter
from ..method import METHODS
from .scalar_method import Refinement, ScalarMethod, labeled, starting_region

__all__ = ["ConnectedComponents", "FillHoles", "LargestComponent", "Morphology", "voxels_of_ball"]


def voxels_of_ball(diameter: float, spacing: tuple[float, ...]) -> float:
    """Return how many voxels a ball (in 2D a disk) of this diameter in mm holds."""
    radius = diameter / 2
    size = math.pi * radius**2 if len(spacing) == 2 else 4 / 3 * math.pi * radius**3
    return size / math.prod(spacing)


@METHODS.register
@dataclass(frozen=True)
class ConnectedComponents(ScalarMethod):
    """Separate the previous segments (without any: the bright side of an Otsu threshold) into connected pieces.

    Pieces are numbered from the largest to the smallest; those of equal size in raster order.
    """

    name = "connected-components"
    title = "Connected components"
    minimum_diameter: float = parameter(
        0.0, "Pieces smaller than a ball (disk) of this diameter are dropped.", unit="mm", minimum=0, maximum=1000
    )
    maximum_count: int = parameter(100, "Only this many of the largest pieces are kept.", minimum=1, maximum=65535)
    diagonal: bool = parameter(True, "Pixels that touch at a corner are connected.")

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        objects = starting_region(image, previous)
        find = sitk.ConnectedComponentImageFilter()
        find.SetFullyConnected(self.diagonal)
        pieces = run_filter(find, mask_image(objects, image), progress=progress.part(0.0, 0.5))
        sizes = component_sizes(view(pieces))
        # ITK numbers pieces in raster order, so that a stable sort breaks ties by it.
        order = np.argsort(-sizes, kind="stable")[: self.maximum_count]
        order = order[sizes[order] > 0]
        order = order[sizes[order] >= voxels_of_ball(self.minimum_diameter, image.GetSpacing())]
        number = np.zeros(sizes.size, np.uint16)
        number[order] = np.arange(1, order.size + 1)
        progress.step(fraction=0.7)
        return labeled(number[view(pieces)], [f"Component {i}" for i in range(1, order.size + 1)], image)


@METHODS.register
@dataclass(frozen=True)
class LargestComponent(Refinement):
    """Keep the largest connected pieces of each segment; of equally large ones the first in raster order."""

    name = "largest-component"
    title = "Keep the largest components"
    count: int = parameter(1, "How many pieces of each segment are kept.", minimum=1, maximum=1000)

    def _refine(self, mask: np.ndarray, spacing: tuple[float, ...], progress: Progress) -> np.ndarray:
        find = sitk.ConnectedComponentImageFilter()
        find.SetFullyConnected(True)
        labels = view(run_filter(find, sitk.GetImageFromArray(mask.view(np.uint8)), progress=progress))
        sizes = component_sizes(labels)
        kept = np.zeros(sizes.size, bool)
        kept[np.argsort(-sizes, kind="stable")[: self.count]] = True
        kept[0] = False
        return kept[labels]


@METHODS.register
@dataclass(frozen=True)
class FillHoles(Refinement):
    """Fill the background that a segment encloses on all sides."""

    name = "fill-holes"
    title = "Fill holes"
    slice_by_slice: bool = parameter(False, "Fill in each slice of a volume, so that open ends do not matter.")

    def _refine(self, mask: np.ndarray, spacing: tuple[float, ...], progress: Progress) -> np.ndarray:
        from scipy.ndimage import binary_fill_holes

        if self.slice_by_slice and mask.ndim == 3:
            return np.stack([binary_fill_holes(plane) for plane in mask])
        return binary_fill_holes(mask)


@METHODS.register
@dataclass(frozen=True)
class Morphology(Refinement):
    """Smooth the outline of each segment with a ball of given radius, exact in millimeters also for thick slices.

    Erosion keeps what is farther than the radius inside, dilation adds what is within the radius; opening (erosion,
    then dilation) removes thin parts, closing (the reverse) bridges gaps. Distances are Euclidean.

    References
    ----------
    Serra 1982, ISBN 978-0126372403; distances: Maurer, Qi, Raghavan 2003, doi:10.1109/TPAMI.2003.1177156.
    """

    name = "morphology"
    title = "Open, close, dilate or erode"
    operation: str = parameter("open", "What to do.", choices=("open", "close", "dilate", "erode"))
    radius: float = parameter(1.0, "Radius of the ball.", unit="mm", minimum=0.001, maximum=100)

    def _reach(self, spacing: tuple[float, ...]) -> tuple[int, ...]:
        return tuple(math.ceil(self.radius / length) + 1 for length in spacing)

    def _refine(self, mask: np.ndarray, spacing: tuple[float, ...], progress: Progress) -> np.ndarray:
        first, second = progress.parts(2)
        if self.operation in ("open", "erode"):
            inner = ~_within(~mask, self.radius, spacing, first)
            return inner if self.operation == "erode" else _within(inner, self.radius, spacing, second)
        outer = _within(mask, self.radius, spacing, first)
        return outer if self.operation == "dilate" else ~_within(~outer, self.radius, spacing, second)


def _within(mask: np.ndarray, radius: float, spacing: tuple[float, ...], progress: Progress) -> np.ndarray:
    """Return the voxels whose distance to the mask is at most `radius` (mm)."""
    if not mask.any():
        return np.zeros_like(mask)
    image = sitk.GetImageFromArray(mask.view(np.uint8))
    image.SetSpacing(spacing[::-1])
    distance = view(signed_distance(image, progress, squared=True))
    # Squared distances in float32: equal ones must not fall apart by rounding.
    return (distance <= radius**2 * (1 + 1e-5)) | mask
