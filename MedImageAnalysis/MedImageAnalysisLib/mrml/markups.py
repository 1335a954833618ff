"""Lines of clinical measurements as markups, e.g. the two diameters of the cardiothoracic ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import Line, MedicalImage
from ..imaging.placement import patient_point
from .access import added_node
from .volumes import to_ras

if TYPE_CHECKING:
    import slicer

__all__ = ["nodeFromLine"]

# Yellow stands out on gray images for all common kinds of color vision.
_COLOR = (1.0, 0.85, 0.2)
_GLYPH_SCALE = 1.2  # percent of the view


def nodeFromLine(
    line: Line, reference: MedicalImage, *, scene: slicer.vtkMRMLScene | None = None
) -> slicer.vtkMRMLMarkupsLineNode:
    """Add a line node, locked, whose end points are those of `line` in the physical space of `reference`.

    Its length is not shown beside it: measurements stand in their table, in units that the scene does not know.
    """
    with added_node("vtkMRMLMarkupsLineNode", line.name, scene) as node:
        for point in (line.start, line.end):
            node.AddControlPoint(*to_ras(patient_point(point, reference)))
        node.SetLocked(True)
        if not node.GetDisplayNode():
            node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetColor(_COLOR)
        display.SetSelectedColor(_COLOR)
        display.SetGlyphScale(_GLYPH_SCALE)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
    return node
