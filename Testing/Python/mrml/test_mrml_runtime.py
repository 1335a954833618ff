"""The embedded Slicer: starts without the application, cleans up, and says what is missing."""

import subprocess
import sys

import pytest

from MedImageAnalysisLib.errors import MissingPackageError
from MedImageAnalysisLib.mrml import EmbeddedSlicer
from MedImageAnalysisLib.mrml.access import active_scene, import_slicer


def test_without_slicer_core_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(MissingPackageError, match=r"slicer-core.*pip install"):
        import_slicer()


def test_importing_the_package_of_nodes_imports_neither_slicer_nor_vtk(repository):
    code = "import sys, MedImageAnalysisLib.mrml; print([m for m in ('slicer', 'vtk') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository / "MedImageAnalysis", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_scene_is_slicers_scene_while_it_runs_and_the_one_before_afterwards(embedded):
    assert active_scene() is embedded.scene
    with EmbeddedSlicer() as inner:
        assert active_scene() is inner.scene
    assert active_scene() is embedded.scene


def test_it_can_be_stopped_twice_and_is_gone_then(embedded):
    inner = EmbeddedSlicer().start()
    inner.stop()
    inner.stop()
    with pytest.raises(RuntimeError, match="start"):
        _ = inner.scene


def test_inside_the_application_there_is_nothing_to_start(embedded, monkeypatch):
    monkeypatch.setattr(import_slicer(), "app", object(), raising=False)
    with pytest.raises(RuntimeError, match=r"slicer\.mrmlScene"):
        EmbeddedSlicer().start()


def test_each_shown_node_gets_one_place_in_the_hierarchy_and_loses_it(scene):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    hidden = slicer.vtkMRMLTableNode()
    hidden.SetHideFromEditors(True)
    scene.AddNode(hidden)
    assert hierarchy.GetItemByDataNode(table)
    assert not hierarchy.GetItemByDataNode(hidden)
    count = hierarchy.GetNumberOfItems()
    scene.RemoveNode(table)
    assert hierarchy.GetNumberOfItems() == count - 1


def test_lengths_are_shown_in_millimeters(scene):
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode")
    line.AddControlPoint(0, 0, 0)
    line.AddControlPoint(3, 4, 0)
    assert line.GetMeasurement("length").GetValueWithUnitsAsPrintableString() == "5.000mm"


def test_it_starts_in_silence(repository):
    code = "from MedImageAnalysisLib.mrml import EmbeddedSlicer; EmbeddedSlicer().start().stop()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository / "MedImageAnalysis", capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
