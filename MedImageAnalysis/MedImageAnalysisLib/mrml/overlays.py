"""Evidence maps as overlays: a volume in a diverging color table, clear where there is little evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..analysis import MedicalImage
from .access import added_node
from .volumes import updateVolumeNode

if TYPE_CHECKING:
    import slicer

__all__ = ["EVIDENCE_COLORS", "addEvidenceColors", "updateOverlayNode"]

EVIDENCE_COLORS = 255
# Blue speaks against a category, red for it: distinguishable with all common kinds of color vision.
_AGAINST, _FOR = (0.13, 0.40, 0.67), (0.70, 0.09, 0.17)
# Share of the strongest evidence below which the image is seen as it is.
_CLEAR_BELOW = 0.1


def addEvidenceColors(scene: slicer.vtkMRMLScene | None = None) -> slicer.vtkMRMLColorTableNode:
    """Add a color table from blue over white to red, its middle clear; the middle entry stands for no evidence.

    The strength is in the saturation, not in the opacity: Slicer's slice views show an entry of a color table either
    fully or not at all. Show the overlay as a half transparent foreground.
    """
    with added_node("vtkMRMLColorTableNode", "Evidence", scene) as colors:
        colors.SetTypeToUser()
        colors.SetNumberOfColors(EVIDENCE_COLORS)
        for index, share in enumerate(np.linspace(-1, 1, EVIDENCE_COLORS)):
            strength = abs(float(share))
            tint = (1 - strength * (1 - value) for value in (_FOR if share > 0 else _AGAINST))
            colors.SetColor(index, f"{share:+.3f}", *tint, float(strength >= _CLEAR_BELOW))
        colors.SetHideFromEditors(True)
    return colors


def updateOverlayNode(
    node: slicer.vtkMRMLScalarVolumeNode,
    evidence: sitk.Image,
    reference: MedicalImage,
    colors: slicer.vtkMRMLColorTableNode,
) -> None:
    """Put an evidence map into a volume node, its colors symmetric about zero."""
    updateVolumeNode(node, evidence, reference)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    values = sitk.GetArrayViewFromImage(evidence)
    strongest = float(max(values.max(), -values.min())) or 1.0
    display.SetWindowLevelMinMax(-strongest, strongest)
