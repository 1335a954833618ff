"""Compare a scene with what was read back from its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExportError
from .access import import_slicer
from .image_info import node_geometry
from .tables import EXACT_ATTRIBUTE, tableFromNode
from .volumes import pixels_of_image_data

if TYPE_CHECKING:
    import slicer

__all__ = ["check_equal"]

# Text with 17 digits, multiplied and divided once by the spacing: the last bit or two may differ.
_GEOMETRY_TOLERANCE = 1e-9
# Segmentation files keep six digits of a color.
_COLOR_TOLERANCE = 1e-5


def check_equal(scene: slicer.vtkMRMLScene, written: slicer.vtkMRMLScene) -> None:
    """Compare volumes, segmentations, exact tables, texts and lines of two scenes, node by node.

    Raises
    ------
    ExportError
        Naming the first node that is missing or differs, and how.
    """
    checks: dict[str, Callable[[Any, Any], str]] = {
        "vtkMRMLScalarVolumeNode": _volume_difference,
        "vtkMRMLSegmentationNode": _segmentation_difference,
        "vtkMRMLTableNode": _table_difference,
        "vtkMRMLTextNode": _text_difference,
        "vtkMRMLMarkupsLineNode": _line_difference,
    }
    for kind, difference in checks.items():
        for index in range(scene.GetNumberOfNodesByClass(kind)):
            node = scene.GetNthNodeByClass(index, kind)
            if not node.GetSaveWithScene():
                continue
            found = written.GetNodeByID(node.GetID())
            problem = difference(node, found) if found is not None else "it is missing"
            if problem:
                raise ExportError(f"The saved scene does not hold '{node.GetName()}' as it is: {problem}.")


def _volume_difference(node: slicer.vtkMRMLScalarVolumeNode, found: slicer.vtkMRMLScalarVolumeNode) -> str:
    first, second = node.GetImageData(), found.GetImageData()
    if (first is None) != (second is None):
        return "the image is missing"
    if not np.allclose(node_geometry(node), node_geometry(found), rtol=_GEOMETRY_TOLERANCE, atol=_GEOMETRY_TOLERANCE):
        return "the geometry differs"
    if first is not None and not _equal(pixels_of_image_data(first), pixels_of_image_data(second)):
        return "voxels differ"
    return ""


def _segmentation_difference(node: slicer.vtkMRMLSegmentationNode, found: slicer.vtkMRMLSegmentationNode) -> str:
    slicer = import_slicer()
    first, second = node.GetSegmentation(), found.GetSegmentation()
    ids = [first.GetNthSegmentID(index) for index in range(first.GetNumberOfSegments())]
    if ids != [second.GetNthSegmentID(index) for index in range(second.GetNumberOfSegments())]:
        return "segments are missing"
    representation = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    for identifier in ids:
        a, b = first.GetSegment(identifier), second.GetSegment(identifier)
        if (a.GetName(), _terminology(a)) != (b.GetName(), _terminology(b)):
            return f"the meaning of segment '{a.GetName()}' differs"
        if not np.allclose(a.GetColor(), b.GetColor(), atol=_COLOR_TOLERANCE):
            return f"the color of segment '{a.GetName()}' differs"
    if not ids or not first.ContainsRepresentation(representation):
        return ""
    for layer in range(first.GetNumberOfLayers(representation)):
        identifiers = first.GetSegmentIDsForLayer(layer, representation)
        if not _layers_equal(first, second, identifiers, representation):
            return f"voxels of segment '{first.GetSegment(identifiers[0]).GetName()}' or its neighbors differ"
    return ""


def _layers_equal(first: Any, second: Any, identifiers: tuple[str, ...], representation: str) -> bool:
    """Compare the labels of the segments of one layer; files crop layers, and may give labels other numbers."""
    slicer = import_slicer()
    labels = first.GetSegment(identifiers[0]).GetRepresentation(representation)
    if labels.GetNumberOfPoints() == 0:
        return True
    read = slicer.vtkOrientedImageData()
    for identifier in identifiers:
        a, b = first.GetSegment(identifier), second.GetSegment(identifier)
        if identifier == identifiers[0] or second.GetLayerIndex(identifier) != second.GetLayerIndex(identifiers[0]):
            slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
                b.GetRepresentation(representation), labels, read, False
            )
        inside = pixels_of_image_data(labels) == a.GetLabelValue()
        if not np.array_equal(inside, pixels_of_image_data(read) == b.GetLabelValue()):
            return False
    return True


def _table_difference(node: slicer.vtkMRMLTableNode, found: slicer.vtkMRMLTableNode) -> str:
    if not node.GetAttribute(EXACT_ATTRIBUTE):
        return ""
    # By their text, so that NaN equals NaN and -0.0 differs from 0.0.
    first, second = (repr(tableFromNode(table).columns) for table in (node, found))
    return "" if first == second else "cells, units or titles differ"


def _text_difference(node: slicer.vtkMRMLTextNode, found: slicer.vtkMRMLTextNode) -> str:
    return "" if node.GetText() == found.GetText() else "the text differs"


def _line_difference(node: slicer.vtkMRMLMarkupsLineNode, found: slicer.vtkMRMLMarkupsLineNode) -> str:
    first, second = (
        [[line.GetNthControlPointPosition(index) for index in range(line.GetNumberOfControlPoints())]]
        for line in (node, found)
    )
    close = np.shape(first) == np.shape(second) and np.allclose(first, second, rtol=0, atol=1e-6)
    return "" if close else "its points differ"


def _equal(first: np.ndarray, second: np.ndarray) -> bool:
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _terminology(segment: slicer.vtkSegment) -> str:
    import vtk

    entry = vtk.reference("")
    segment.GetTag(import_slicer().vtkSegment.GetTerminologyEntryTagName(), entry)
    return str(entry)
