"""Analyses as nodes of a Slicer scene, and nodes as images: the only package that imports slicer and vtk.

The same code runs in 3D Slicer and on the slicer-core wheel. Nothing is looked up by a node's name. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis_nodes import AnalysisNodes, nodesFromAnalysis
    from .runtime import EmbeddedSlicer
    from .scene_file import open_scene, save_scene, write_scene
    from .segmentations import nodeFromSegmentation, segmentationFromNode
    from .tables import nodeFromTable, tableFromNode
    from .volumes import nodeFromVolume, volumeFromNode

__all__ = [
    "AnalysisNodes",
    "EmbeddedSlicer",
    "nodeFromSegmentation",
    "nodeFromTable",
    "nodeFromVolume",
    "nodesFromAnalysis",
    "open_scene",
    "save_scene",
    "segmentationFromNode",
    "tableFromNode",
    "volumeFromNode",
    "write_scene",
]

_HOMES = {
    "AnalysisNodes": ".analysis_nodes",
    "EmbeddedSlicer": ".runtime",
    "nodeFromSegmentation": ".segmentations",
    "nodeFromTable": ".tables",
    "nodeFromVolume": ".volumes",
    "nodesFromAnalysis": ".analysis_nodes",
    "open_scene": ".scene_file",
    "save_scene": ".scene_file",
    "segmentationFromNode": ".segmentations",
    "tableFromNode": ".tables",
    "volumeFromNode": ".volumes",
    "write_scene": ".scene_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
