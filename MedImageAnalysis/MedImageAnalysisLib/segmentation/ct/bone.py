"""Bones on CT: marrow included, cortical and trabecular, one by one, and the first lumbar vertebra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import SimpleITK as sitk

from ...analysis import Code, Segment, Segmentation
from ...imaging.masks import component_sizes, components
from ...parameters import parameter
from ...progress import Progress
from ...terminology import generic_segment, segment
from ..generic.scalar_method import ScalarMethod
from ..method import METHODS
from .spine import find_vertebrae, first_lumbar, vertebra_names, vertebra_region
from .volume import (
    Canvas,
    CoarseVolume,
    Part,
    ball_closing,
    filled,
    interior_of_body,
    outlined,
    regions_in_slices,
    spine_position,
)

__all__ = ["BoneCt", "bone_outline", "coarse_bone"]

_CORTEX_HU = 200
_RIM_HU = 120.0
_CLOSING_MM = 3.5
_LEAST_ML = 0.5
_MARROW_HU = 70
_LEAST_VERTEBRA_ML = 10.0


@METHODS.register
@dataclass(frozen=True)
class BoneCt(ScalarMethod):
    """Bones on CT in Hounsfield units: as a whole, cortical and trabecular, one by one, and the vertebrae.

    A bone is what is dense, has a denser cortex, and what that encloses. Vertebrae are told apart at their discs. The
    first lumbar one is the whole one below that at which the lowest ribs start; where that is not clear, vertebrae have
    numbers from below instead of names.
    """

    name = "bone-ct"
    title = "Bone CT: bones, cortex, vertebrae"
    rim: float = parameter(
        _RIM_HU, "Bone is at least this dense; raise it where contrast agent is taken for bone.", unit="HU",
        minimum=80, maximum=400,
    )  # fmt: skip
    cortical: float = parameter(300.0, "Cortical bone is at least this dense.", unit="HU", minimum=150, maximum=1500)
    count: int = parameter(12, "At most so many of the largest separate bones get a segment.", minimum=0, maximum=100)
    smallest: float = parameter(2.0, "Separate bones are at least this large.", unit="mL", minimum=0, maximum=1000)

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        volume = CoarseVolume.of(image, progress.part(0.0, 0.05))
        inside = interior_of_body(volume, progress.part(0.05, 0.2))
        bone = coarse_bone(volume, inside, progress.part(0.2, 0.5, "Find the bones"), self.rim)
        canvas = Canvas(image)
        painting = progress.part(0.5, 1.0, "Follow the outlines").parts(4)
        canvas.structure("bone", bone_outline(volume, bone, self.rim), painting[0])
        cortex = (
            (part, mask & (volume.fine[part] >= self.cortical)) for part, mask in bone_outline(volume, bone, self.rim)
        )
        canvas.structure("cortical-bone", cortex, painting[1], layer=1)
        canvas.structure("trabecular-bone", bone_outline(volume, bone, self.rim), painting[2], layer=1)
        self._paint_pieces(canvas, volume, bone, painting[3].part(0.0, 0.6))
        self._paint_vertebrae(canvas, volume, inside, bone, painting[3].part(0.6, 1.0, "Find the vertebrae"))
        return canvas.segmentation()

    def _paint_pieces(self, canvas: Canvas, volume: CoarseVolume, bone: np.ndarray, progress: Progress) -> None:
        labels = components(bone)
        sizes = component_sizes(labels)
        order = np.argsort(-sizes, kind="stable")[: self.count]
        order = order[(sizes[order] * volume.voxel_ml >= self.smallest) & (sizes[order] > 0)]
        for number, part in zip(order, progress.parts(max(1, len(order))), strict=False):
            canvas.paint(_piece, bone_outline(volume, labels == number, self.rim), part, layer=2)

    def _paint_vertebrae(
        self, canvas: Canvas, volume: CoarseVolume, inside: np.ndarray, bone: np.ndarray, progress: Progress
    ) -> None:
        spine = spine_position(volume, inside)
        if spine is None:
            return
        vertebrae = find_vertebrae(volume, bone, spine, progress.part(0.0, 0.5))
        lumbar, _ = first_lumbar(volume, bone, vertebrae)
        names = vertebra_names(vertebrae, lumbar)
        painting = progress.part(0.5, 1.0).parts(max(1, len(vertebrae)))
        for vertebra, name, part in zip(vertebrae, names, painting, strict=False):
            region = vertebra_region(volume, vertebra)
            # Between the foramina of the sacrum it looks like discs, and little bone is left.
            if not name or np.count_nonzero(region & bone) * volume.voxel_ml < _LEAST_VERTEBRA_ML:
                continue
            pieces = _within(volume, bone_outline(volume, bone, self.rim), region)
            if vertebra is lumbar:
                canvas.structure("l1-vertebra", pieces, part, layer=3)
            else:
                canvas.paint(partial(_vertebra, name), pieces, part, layer=3)


def _within(volume: CoarseVolume, pieces: Iterable[Part], region: np.ndarray) -> Iterator[Part]:
    """Return what of a structure lies in a region; where the region cuts it, no outline is looked for."""
    box = volume.fine_box(region)
    for part, mask in pieces:
        levels = slice(max(part[0].start, box[0].start), min(part[0].stop, box[0].stop)) if box else slice(0, 0)
        if levels.start < levels.stop:
            yield part, mask & volume.refined(region, part)


def _vertebra(name: str, label: int, layer: int) -> Segment:
    known = segment("vertebra", label, layer)
    return replace(known, name=name, key="", color=generic_segment("", label).color)


def _piece(label: int, layer: int) -> Segment:
    """Return the segment of a separate bone; which bone it is remains open."""
    category, bone = Code("SCT", "85756007", "Tissue"), Code("SCT", "272673000", "Bone")
    color = generic_segment("", label).color
    return Segment(f"Bone {label}", label, color, category, bone, layer=layer)


def coarse_bone(volume: CoarseVolume, inside: np.ndarray, progress: Progress, rim: float = _RIM_HU) -> np.ndarray:
    """Return the bones, marrow included, in coarse voxels; they are at least as dense as `rim` (HU) at the outside."""
    dense = inside & (volume.hu > rim)
    labels = components(dense)
    sizes = component_sizes(labels)
    cortex = np.bincount(labels[dense & (volume.hu > _CORTEX_HU)], minlength=sizes.size)
    kept = (sizes * volume.voxel_ml >= _LEAST_ML) & (cortex > 0.15 * sizes)
    kept[0] = False
    shell = kept[labels]
    progress.step(fraction=0.2)
    closed = ball_closing(shell, _CLOSING_MM, volume.spacing)
    progress.step(fraction=0.4)
    # Bones that leave the field of view above or below are closed there; the spinal canal stays open to the sides.
    whole = filled(closed, open_axes=(1, 2))
    for axis in range(3):
        whole |= _marrow(volume, whole, axis)
        progress.step(fraction=0.45 + 0.05 * axis)
    return whole & inside


def _marrow(volume: CoarseVolume, bone: np.ndarray, axis: int) -> np.ndarray:
    """Return what bone encloses within the slices across `axis`, if it is as dense as marrow: not the spinal canal."""
    regions, rims = regions_in_slices(~bone, axis)
    sizes = np.bincount(regions.reshape(-1))
    means = np.bincount(regions.reshape(-1), volume.hu.reshape(-1)) / np.maximum(sizes, 1)
    marrow = (rims == 0) & (means > _MARROW_HU)
    marrow[0] = False
    return marrow[regions]


def bone_outline(volume: CoarseVolume, bone: np.ndarray, rim: float = _RIM_HU) -> Iterator[Part]:
    """Return coarse bones at full resolution: inside as they are, at their outline by the image."""
    from scipy import ndimage

    sure = ndimage.binary_erosion(bone, border_value=1)
    return outlined(volume, sure, ndimage.binary_dilation(bone), lambda hu: hu > rim)
