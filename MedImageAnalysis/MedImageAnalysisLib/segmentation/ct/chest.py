"""Chest CT: both lungs, airways, vessels in the lungs, bones and the body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...parameters import parameter
from ...progress import Progress
from ..generic.scalar_method import ScalarMethod
from ..method import METHODS
from .bone import bone_outline, coarse_bone
from .lungs import ChestAnatomy, find_chest, lung_outline
from .volume import Canvas, CoarseVolume, Part, ball_dilation, ball_erosion, outlined

__all__ = ["ChestCt"]

_AIRWAY_HU = -500
_VESSEL_HU = -500
# Vessels are told from the outline of the lung by a margin, and from masses by their width.
_RIM_MM = 4.0
_WIDEST_VESSEL_MM = 14.0


@METHODS.register
@dataclass(frozen=True)
class ChestCt(ScalarMethod):
    """Lungs, trachea and main bronchi, vessels in the lungs, bones and body on CT, in Hounsfield units.

    The lungs are found by their air, told from bowel gas by its density, and closed around vessels, nodules and
    consolidations. What is decided at 2 mm follows the full resolution at the outlines.

    References
    ----------
    Hu, Hoffman, Reinhardt 2001, doi:10.1109/42.929615; airways: Mori et al. 2000, doi:10.1109/42.836370.
    """

    name = "chest-ct"
    title = "Chest CT: lungs, airways, bones"
    closing: float = parameter(
        12.0,
        "Vessels, nodules and consolidations narrower than twice this belong to the lung.",
        unit="mm",
        minimum=0.0,
        maximum=30.0,
    )
    vessels: bool = parameter(True, "Find the vessels in the lungs.")

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        volume = CoarseVolume.of(image, progress.part(0.0, 0.05))
        chest = find_chest(volume, self.closing, progress.part(0.05, 0.5))
        bone = coarse_bone(volume, chest.inside, progress.part(0.5, 0.65, "Find the bones"))
        canvas = Canvas(image)
        outlining = progress.part(0.65, 0.9, "Follow the outlines").parts(5)
        canvas.structure("right-lung", lung_outline(chest, chest.right), outlining[0])
        canvas.structure("left-lung", lung_outline(chest, chest.left), outlining[1])
        canvas.structure("airways", _airway_outline(chest), outlining[2])
        canvas.structure("bone", bone_outline(volume, bone), outlining[3])
        body = outlined(volume, chest.inside, np.zeros_like(chest.inside), np.isfinite)
        canvas.structure("body", body, outlining[4], layer=1)
        if self.vessels:
            part = progress.part(0.9, 1.0, "Find the vessels in the lungs")
            canvas.structure("lung-vessels", _vessel_outline(chest, part.part(0.0, 0.5)), part.part(0.5, 1.0), layer=2)
        return canvas.segmentation()


def _airway_outline(chest: ChestAnatomy) -> Iterator[Part]:
    """Return the airways at full resolution: the coarse ones and a voxel around, where there is air."""
    volume = chest.volume
    if not chest.airways.any():
        return iter(())
    near = ball_dilation(chest.airways, max(volume.spacing), volume.spacing) & ~chest.right & ~chest.left
    return outlined(volume, np.zeros_like(near), near, lambda hu: hu < _AIRWAY_HU)


def _vessel_outline(chest: ChestAnatomy, progress: Progress) -> Iterator[Part]:
    """Return dense structures inside the lungs that are thin."""
    volume = chest.volume
    progress.step()
    core = ball_erosion(chest.right | chest.left, _RIM_MM, volume.spacing)
    progress.step(fraction=0.3)
    thick = ball_erosion(core & (volume.hu > _VESSEL_HU), _WIDEST_VESSEL_MM / 2, volume.spacing)
    progress.step(fraction=0.6)
    masses = ball_dilation(thick, _WIDEST_VESSEL_MM / 2 + max(volume.spacing), volume.spacing)
    return outlined(volume, np.zeros_like(core), core & ~masses, lambda hu: hu > _VESSEL_HU)
