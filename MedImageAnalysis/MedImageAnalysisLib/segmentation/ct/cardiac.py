"""Cardiac CT without contrast agent: the region of the heart and the calcifications in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.masks import bounding_box, component_sizes, components
from ...imaging.slices import as_thick_slices, slices_averaged
from ...parameters import parameter
from ...progress import Progress
from ..generic.scalar_method import ScalarMethod
from ..method import METHODS
from .lungs import ChestAnatomy, find_chest
from .volume import (
    Canvas,
    CoarseVolume,
    Part,
    ball_dilation,
    ball_erosion,
    outlined,
)

__all__ = ["CardiacCt"]

_CLOSING_MM = 8.0
# Fat around the vessels of the heart belongs to its region; denser than any calcification is metal.
_SOFT_HU = (-30, 500)
_REGION_HU = -250
# The heart lies at least this far before the center of the vertebral body (mm): behind run aorta and esophagus.
_BEFORE_SPINE_MM = 32.0
# The vessels above are narrower than twice this, and fat with coronary arteries surrounds the heart this far.
_OPENING_MM = 12.0
_FAT_MM = 10.0
_BELOW_CARINA_MM = 15.0
# The heart reaches this far below the top of the right half of the diaphragm.
_BELOW_DOME_MM = 25.0
_FOOTPRINT_MM = 20.0
_CARINA_WIDTH_MM = 30.0
_LEAST_HEART_ML = 60.0
_LEAST_LUNG_ML = 150.0
_LEAST_SHARE = 0.6
_AROUND_VOXELS = 8


@METHODS.register
@dataclass(frozen=True)
class CardiacCt(ScalarMethod):
    """The region of the heart between the lungs, and what is as dense as calcium inside it.

    The region holds the heart with the fat around it, not its exact outline; calcifications of the coronary arteries,
    of the valves and of the root of the aorta are not told apart. Meant for scans without contrast agent. Slices closer
    than 1.5 mm are averaged to about 3 mm, for which the limit was set.

    References
    ----------
    Agatston et al. 1990, doi:10.1016/0735-1097(90)90282-T (the limit of 130 HU).
    """

    name = "cardiac-ct"
    title = "Cardiac CT: heart region, calcifications"
    limit: float = parameter(130.0, "Calcium is at least this dense.", unit="HU", minimum=80, maximum=500)
    largest: float = parameter(
        5.0, "Larger pieces are bone or contrast agent, not plaques.", unit="mL", minimum=0.1, maximum=100
    )

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        volume = CoarseVolume.of(image, progress.part(0.0, 0.05))
        chest = find_chest(volume, _CLOSING_MM, progress.part(0.05, 0.6))
        heart = heart_region(chest, progress.part(0.6, 0.85, "Find the heart"))
        canvas = Canvas(image)
        outline = outlined(volume, np.zeros_like(heart), heart, lambda hu: hu > _REGION_HU)
        canvas.structure("heart", outline, progress.part(0.85, 0.9))
        plaques = self._calcifications(volume, heart)
        canvas.structure("vascular-calcification", plaques, progress.part(0.9, 1.0, "Find calcifications"), layer=1)
        return canvas.segmentation()

    def _calcifications(self, volume: CoarseVolume, heart: np.ndarray) -> Iterator[Part]:
        """Return the dense pieces inside the heart; a piece that is larger than any plaque is none."""
        # Ribs and breastbone at the edge of the region are seen to go on outside it.
        box = volume.fine_box(heart, _AROUND_VOXELS)
        if box is None:
            return
        count = slices_averaged(volume.fine_spacing[0])
        dense = as_thick_slices(volume.fine[box], 0, count) >= self.limit
        labels = components(dense, diagonal=True)
        inside = volume.refined(heart, box)
        sizes = component_sizes(labels)
        shares = np.bincount(labels[inside], minlength=sizes.size) / np.maximum(sizes, 1)
        milliliters = sizes * float(np.prod(volume.fine_spacing)) / 1000
        kept = (milliliters <= self.largest) & (shares >= _LEAST_SHARE)
        kept[0] = False
        yield box, kept[labels] & inside


def heart_region(chest: ChestAnatomy, progress: Progress) -> np.ndarray:
    """Return the heart with the fat around it as a coarse mask; empty if it is not between two lungs in the image."""
    volume = chest.volume
    nothing = np.zeros(chest.inside.shape, bool)
    smaller = min(chest.right.sum(), chest.left.sum()) * volume.voxel_ml
    if smaller < _LEAST_LUNG_ML or chest.spine is None:
        return nothing
    between = _between_lungs(chest, progress.part(0.0, 0.6))
    between &= chest.inside & ~chest.right & ~chest.left & ~chest.airways
    between[:, int(max(0, chest.spine[0] - _BEFORE_SPINE_MM / volume.spacing[1])) :] = False
    lowest, highest = _levels(chest)
    between[:lowest] = False
    between[highest:] = False
    soft = between & (volume.hu > _SOFT_HU[0]) & (volume.hu < _SOFT_HU[1])
    core = ball_erosion(soft, _OPENING_MM, volume.spacing)
    progress.step(fraction=0.8)
    labels = components(core)
    sizes = component_sizes(labels)
    if sizes.max(initial=0) == 0:
        return nothing
    heart = ball_dilation(labels == int(sizes.argmax()), _OPENING_MM + _FAT_MM, volume.spacing) & between
    return heart if heart.sum() * volume.voxel_ml >= _LEAST_HEART_ML else nothing


def _between_lungs(chest: ChestAnatomy, progress: Progress) -> np.ndarray:
    """Return the convex hull of both lungs in each axial slice that shows both."""
    from skimage.morphology import convex_hull_image

    between = np.zeros(chest.inside.shape, bool)
    for level in range(between.shape[0]):
        progress.step(fraction=level / between.shape[0])
        right, left = chest.right[level], chest.left[level]
        if right.any() and left.any():
            between[level] = convex_hull_image(right | left)
    return between


def _levels(chest: ChestAnatomy) -> tuple[int, int]:
    """Return the slices between which the heart lies, from the dome of the diaphragm and the carina."""
    volume = chest.volume
    highest = chest.inside.shape[0]
    if chest.airways.any():
        columns = chest.airways.any(axis=1)
        widths = [(np.ptp(np.flatnonzero(row)) + 1) * volume.spacing[2] if row.any() else 0.0 for row in columns]
        wide = np.flatnonzero(np.array(widths) > _CARINA_WIDTH_MM)
        level = wide[-1] if wide.size else np.flatnonzero(columns.any(axis=1))[0]
        highest = int(level - _BELOW_CARINA_MM / volume.spacing[0])
    box = bounding_box(chest.right)
    footprint = chest.right.any(axis=0)[None]
    footprint = ball_erosion(footprint, _FOOTPRINT_MM, volume.spacing)[0]
    bottoms = chest.right.argmax(axis=0)[footprint]
    dome = float(np.percentile(bottoms, 95)) if bottoms.size else box[0].start
    return max(0, int(dome - _BELOW_DOME_MM / volume.spacing[0])), max(0, highest)
