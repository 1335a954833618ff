"""All that an analysis found as nodes of a scene, placed under the study of the image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..analysis import Analysis
from ..export.record import analysis_to_json
from ..export.tables import evidence_table, feature_table, measurement_table, probability_table, quality_table
from .access import active_scene, import_slicer, remove_node
from .image_info import write_info
from .markups import nodeFromLine
from .overlays import addEvidenceColors, updateOverlayNode
from .plots import updateProbabilityPlot
from .segmentations import updateSegmentationNode
from .tables import updateTableNode
from .volumes import updateVolumeNode

if TYPE_CHECKING:
    import slicer

__all__ = ["AnalysisNodes", "nodesFromAnalysis"]

# Tables that are there even if they have no rows, so that whoever shows them need not ask.
_ALWAYS = ("features", "measurements", "probabilities")


@dataclass(frozen=True, eq=False)
class AnalysisNodes:
    """The nodes of one analysis.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
        The image: the caller's own node if one was given.
    processed : vtkMRMLScalarVolumeNode
    segmentation : vtkMRMLSegmentationNode
    features, measurements, probabilities : vtkMRMLTableNode
    record : vtkMRMLTextNode
        The whole analysis as JSON, all numbers exact: how it was made and what was found.
    evidence, quality : vtkMRMLTableNode or None
        None if they have no rows.
    plotSeries, plot : vtkMRMLPlotSeriesNode and vtkMRMLPlotChartNode, or None
        None if no model assessed the image.
    lines : tuple of vtkMRMLMarkupsLineNode
        How measurements were taken.
    overlays : tuple of vtkMRMLScalarVolumeNode
        Evidence maps, one for each model that has one.
    overlayColors : vtkMRMLColorTableNode or None
    ownsVolume : bool
        Whether `volume` was made here.
    """

    volume: slicer.vtkMRMLScalarVolumeNode
    processed: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    features: slicer.vtkMRMLTableNode
    measurements: slicer.vtkMRMLTableNode
    probabilities: slicer.vtkMRMLTableNode
    record: slicer.vtkMRMLTextNode
    evidence: slicer.vtkMRMLTableNode | None = None
    quality: slicer.vtkMRMLTableNode | None = None
    plotSeries: slicer.vtkMRMLPlotSeriesNode | None = None
    plot: slicer.vtkMRMLPlotChartNode | None = None
    lines: tuple[slicer.vtkMRMLMarkupsLineNode, ...] = ()
    overlays: tuple[slicer.vtkMRMLScalarVolumeNode, ...] = ()
    overlayColors: slicer.vtkMRMLColorTableNode | None = None
    ownsVolume: bool = False

    def __iter__(self) -> Iterator[slicer.vtkMRMLNode]:
        """Yield the nodes that were made for the analysis, in the order of the fields."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "volume" and not self.ownsVolume:
                continue
            if isinstance(value, tuple):
                yield from value
            elif value is not None and not isinstance(value, bool):
                yield value

    def remove(self) -> None:
        """Remove the nodes that were made for the analysis from their scene; the caller's volume stays."""
        for node in list(self):
            remove_node(node)


def nodesFromAnalysis(
    analysis: Analysis,
    volumeNode: slicer.vtkMRMLScalarVolumeNode | None = None,
    name: str = "",
    *,
    update: AnalysisNodes | None = None,
    scene: slicer.vtkMRMLScene | None = None,
) -> AnalysisNodes:
    """Add an analysis to the scene, or bring the nodes of an earlier one up to date.

    Parameters
    ----------
    analysis : Analysis
    volumeNode : vtkMRMLScalarVolumeNode, optional
        The node that the image came from; a new one is made if it is not given.
    name : str
        What the names of the nodes begin with; by default the name of the volume.
    update : AnalysisNodes, optional
        The nodes of an earlier analysis of the same volume: they are filled anew instead of adding others, and what
        is no longer found is removed.

    Raises
    ------
    MedImageError
        If something cannot be put into nodes; the nodes added so far are removed.
    """
    if volumeNode is None and update and not update.ownsVolume:
        volumeNode = update.volume
    scene = scene or (volumeNode.GetScene() if volumeNode else active_scene())
    workshop = _Workshop(scene, update)
    with ExitStack() as undo:
        undo.callback(workshop.undo)
        nodes = _fill(workshop, analysis, volumeNode, name)
        _arrange(nodes, scene)
        undo.pop_all()
    workshop.clear_rest(nodes)
    return nodes


class _Workshop:
    """Hands out nodes, those of an earlier analysis first, and remembers which ones it made."""

    def __init__(self, scene: slicer.vtkMRMLScene, earlier: AnalysisNodes | None) -> None:
        self.scene = scene
        self._earlier = earlier
        self._made: list[Any] = []

    def node(self, role: str, kind: str, name: str) -> Any:
        """Return the node that plays `role`, named `name`."""
        node = getattr(self._earlier, role) if self._earlier else None
        if node is None or node.GetScene() is not self.scene:
            return self.add(kind, name)
        node.SetName(name)
        return node

    def add(self, kind: str, name: str) -> Any:
        """Return a new node."""
        node = self.scene.AddNewNodeByClass(kind, name)
        self._made.append(node)
        return node

    def keep(self, node: Any) -> Any:
        """Take note of a node that was made elsewhere."""
        self._made.append(node)
        return node

    def undo(self) -> None:
        """Remove what was made."""
        for node in reversed(self._made):
            remove_node(node)

    def clear_rest(self, nodes: AnalysisNodes) -> None:
        """Remove what an earlier analysis had and this one has not."""
        if self._earlier:
            kept = {node.GetID() for node in nodes} | {nodes.volume.GetID()}
            for node in self._earlier:
                if node.GetID() not in kept:
                    remove_node(node)


def _fill(workshop: _Workshop, analysis: Analysis, volume: Any, name: str) -> AnalysisNodes:
    image = analysis.image
    made_volume = volume is None
    if made_volume:
        volume = workshop.node("volume", "vtkMRMLScalarVolumeNode", name or "Image")
        updateVolumeNode(volume, image.pixels, image)
        write_info(volume, image)
    name = name or volume.GetName()
    processed = workshop.node("processed", "vtkMRMLScalarVolumeNode", f"{name} processed")
    updateVolumeNode(processed, analysis.processed, image)
    segmentation = workshop.node("segmentation", "vtkMRMLSegmentationNode", f"{name} segmentation")
    updateSegmentationNode(segmentation, analysis.segmentation, image, volume)
    tables = _tables(workshop, analysis, name)
    record = workshop.node("record", "vtkMRMLTextNode", f"{name} analysis")
    _write_record(record, analysis)
    series, chart = _plot(workshop, analysis, tables["probabilities"], name)
    overlays, colors = _overlays(workshop, analysis, name)
    lines = [line for measurement in analysis.measurements for line in measurement.lines]
    return AnalysisNodes(
        volume=volume,
        processed=processed,
        segmentation=segmentation,
        **tables,
        record=record,
        plotSeries=series,
        plot=chart,
        lines=tuple(workshop.keep(nodeFromLine(line, image, scene=workshop.scene)) for line in lines),
        overlays=overlays,
        overlayColors=colors,
        ownsVolume=made_volume,
    )


def _tables(workshop: _Workshop, analysis: Analysis, name: str) -> dict[str, Any]:
    """Return the table nodes by their role."""
    tables = {
        "features": feature_table(analysis.features),
        "measurements": measurement_table(analysis.measurements),
        "probabilities": probability_table(analysis.recognitions),
        "evidence": evidence_table(analysis.recognitions),
        "quality": quality_table(analysis.quality),
    }
    nodes = {}
    for role, table in tables.items():
        if len(table) or role in _ALWAYS:
            nodes[role] = workshop.node(role, "vtkMRMLTableNode", f"{name} {table.title.lower()}")
            updateTableNode(nodes[role], table)
    return nodes


def _write_record(node: Any, analysis: Analysis) -> None:
    import vtk

    node.SetEncoding(vtk.VTK_ENCODING_UTF_8)
    node.SetText(json.dumps(analysis_to_json(analysis), indent=1, ensure_ascii=False, allow_nan=False))


def _plot(workshop: _Workshop, analysis: Analysis, probabilities: Any, name: str) -> tuple[Any, Any]:
    if not any(recognition.assessed for recognition in analysis.recognitions):
        return None, None
    series = workshop.node("plotSeries", "vtkMRMLPlotSeriesNode", "Probability")
    chart = workshop.node("plot", "vtkMRMLPlotChartNode", f"{name} plot")
    updateProbabilityPlot(series, chart, probabilities)
    return series, chart


def _overlays(workshop: _Workshop, analysis: Analysis, name: str) -> tuple[tuple[Any, ...], Any]:
    mapped = [recognition for recognition in analysis.recognitions if recognition.evidence_map is not None]
    if not mapped:
        return (), None
    colors = workshop.keep(addEvidenceColors(workshop.scene))
    overlays = []
    for recognition in mapped:
        node = workshop.add("vtkMRMLScalarVolumeNode", f"{name} evidence ({recognition.title})")
        updateOverlayNode(node, recognition.evidence_map, analysis.image, colors)
        overlays.append(node)
    return tuple(overlays), colors


def _arrange(nodes: AnalysisNodes, scene: Any) -> None:
    """Put the nodes where the image is in the subject hierarchy: under its study, if it has one."""
    hierarchy = import_slicer().vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    image_item = hierarchy.GetItemByDataNode(nodes.volume)
    parent = hierarchy.GetItemParent(image_item) if image_item else hierarchy.GetSceneItemID()
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, parent)
        elif not node.GetHideFromEditors():
            hierarchy.CreateItem(parent, node)
