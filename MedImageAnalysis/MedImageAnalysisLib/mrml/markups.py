"""Lines of clinical measurements as markups, e.g. the two diameters of the cardiothoracic ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import Line, MedicalImage
from ..placement import patient_point
from .runtime import active_scene
from .volumes import to_ras

if TYPE_CHECKING:
    import slicer

__all__ = ["nodeFromLine"]

# Yellow and orange stand out on gray images for all common kinds of color vision.
_COLOR = (1.0, 0.85, 0.2)
_TEXT_SCALE = 3.0


def nodeFromLine(
    line: Line, reference: MedicalImage, *, scene: slicer.vtkMRMLScene | None = None
) -> slicer.vtkMRMLMarkupsLineNode:
    """Add a line node, locked, whose end points are those of `line` in the physical space of `reference`.

    The length that Slicer shows beside it is in scene units: where the pixel spacing is unknown it counts pixels,
    and is therefore not shown.
    """
    scene = scene or active_scene()
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", line.name)
    for point in (line.start, line.end):
        node.AddControlPoint(*to_ras(patient_point(point, reference)))
    node.SetLocked(True)
    if not node.GetDisplayNode():
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(_COLOR)
    display.SetSelectedColor(_COLOR)
    display.SetTextScale(_TEXT_SCALE)
    display.SetPropertiesLabelVisibility(reference.info.length_unit == "mm")
    display.SetPointLabelsVisibility(False)
    return node
