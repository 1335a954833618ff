"""The comparison of a scene with its file notices every kind of difference."""

import pytest

from MedImageAnalysisLib.errors import ExportError
from MedImageAnalysisLib.mrml import EmbeddedSlicer, nodesFromAnalysis, open_scene, save_scene
from MedImageAnalysisLib.mrml.scene_check import check_equal


@pytest.fixture
def twins(scene, an_analysis, tmp_path):
    """The nodes of an analysis in one scene, and another scene read from the file of the first."""
    nodes = nodesFromAnalysis(an_analysis)
    path = save_scene(tmp_path / "scene.mrb", scene)
    with EmbeddedSlicer() as other:
        open_scene(path, other.scene)
        yield nodes, other.scene


def change_voxel(node):
    node.GetImageData().GetPointData().GetScalars().SetValue(7, 999)


def move_volume(node):
    node.SetOrigin(0, 0, 1e-3)


def rename_segment(node):
    node.GetSegmentation().GetNthSegment(0).SetName("Right lung")


def recode_segment(node):
    node.GetSegmentation().GetNthSegment(0).SetTag("TerminologyEntry", "~~~~~~")


def recolor_segment(node):
    node.GetSegmentation().GetNthSegment(0).SetColor(0, 0, 0)


def drop_segment(node):
    node.GetSegmentation().RemoveSegment("heart")


def change_label(node):
    labels = node.GetSegmentation().GetSegment("heart").GetRepresentation("Binary labelmap")
    labels.GetPointData().GetScalars().Fill(2)


def change_last_layer(node):
    labels = node.GetSegmentation().GetSegment("segment-1-300").GetRepresentation("Binary labelmap")
    labels.GetPointData().GetScalars().Fill(0)


def change_last_bit(node):
    column = node.GetTable().GetColumnByName("volume")
    column.SetValue(0, column.GetValue(0) * (1 + 2.3e-16))


def change_unit(node):
    node.SetColumnUnitLabel("volume", "cm³")


def change_text(node):
    node.SetText(node.GetText() + " ")


def move_line(node):
    node.SetNthControlPointPosition(0, 0.0, 0.0, 0.01)


def test_a_faithful_copy_is_accepted(scene, twins):
    check_equal(scene, twins[1])


@pytest.mark.parametrize(
    ("role", "change", "words"),
    [
        ("volume", change_voxel, "voxels differ"),
        ("volume", move_volume, "geometry differs"),
        ("segmentation", rename_segment, "meaning of segment 'Left lung'"),
        ("segmentation", recode_segment, "meaning of segment 'Left lung'"),
        ("segmentation", recolor_segment, "color of segment 'Left lung'"),
        ("segmentation", drop_segment, "segments are missing"),
        ("segmentation", change_label, "voxels of segment 'Left lung' or its neighbors"),
        ("segmentation", change_last_layer, "voxels of segment"),
        ("features", change_last_bit, "cells"),
        ("features", change_unit, "units"),
        ("record", change_text, "text differs"),
    ],
)
def test_a_difference_is_named(scene, twins, role, change, words):
    nodes, other = twins
    node = getattr(nodes, role)
    change(other.GetNodeByID(node.GetID()))
    with pytest.raises(ExportError, match=words) as raised:
        check_equal(scene, other)
    assert node.GetName() in str(raised.value)


def test_a_moved_line_is_named(scene, twins):
    nodes, other = twins
    move_line(other.GetNodeByID(nodes.lines[1].GetID()))
    with pytest.raises(ExportError, match=r"'Thorax'.*points"):
        check_equal(scene, other)


def test_a_missing_node_is_named(scene, twins):
    nodes, other = twins
    other.RemoveNode(other.GetNodeByID(nodes.probabilities.GetID()))
    with pytest.raises(ExportError, match=r"probabilities.*missing"):
        check_equal(scene, other)
