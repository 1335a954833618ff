"""An analysis becomes nodes: all of them or none, where the image is, and again the same ones if asked."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import QualityFinding
from MedImageAnalysisLib.errors import UnsupportedImageError
from MedImageAnalysisLib.mrml import nodeFromVolume, nodesFromAnalysis, tableFromNode, volumeFromNode


@pytest.fixture
def hierarchy(scene):
    """The subject hierarchy of the scene."""
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def studied_volume(scene, hierarchy, radiograph):
    """The radiograph's node under a study of a patient."""
    node = nodeFromVolume(radiograph, "Chest")
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
    return node


def node_ids(scene):
    """Return the IDs of all nodes of a scene."""
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def test_everything_that_was_found_has_its_node(scene, an_analysis):
    nodes = nodesFromAnalysis(an_analysis)
    kinds = [node.GetClassName() for node in nodes]
    assert kinds == [
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLSegmentationNode",
        *["vtkMRMLTableNode"] * 3,
        "vtkMRMLTextNode",
        "vtkMRMLTableNode",
        "vtkMRMLPlotSeriesNode",
        "vtkMRMLPlotChartNode",
        *["vtkMRMLMarkupsLineNode"] * 2,
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLColorTableNode",
    ]


def test_the_callers_volume_is_used_and_never_removed(scene, studied_volume, an_analysis):
    before = node_ids(scene)
    nodes = nodesFromAnalysis(an_analysis, studied_volume)
    assert nodes.volume is studied_volume
    assert nodes.segmentation.GetName() == "Chest segmentation"
    nodes.remove()
    assert node_ids(scene) == before


def test_results_stand_under_the_study_of_the_image(scene, hierarchy, studied_volume, an_analysis):
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(studied_volume))
    shown = [node for node in nodesFromAnalysis(an_analysis, studied_volume) if not node.GetHideFromEditors()]
    assert len(shown) == 12
    assert {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in shown} == {study}


def test_the_table_of_probabilities_has_typed_titled_columns(scene, an_analysis):
    node = nodesFromAnalysis(an_analysis).probabilities
    found = {
        name: (node.GetTable().GetColumnByName(name).GetDataTypeAsString(), node.GetColumnTitle(name))
        for name in ("category", "code", "probability", "lower", "upper", "in_prediction_set", "prior_adjusted")
    }
    assert found == {
        "category": ("string", "Category"),
        "code": ("string", "Code"),
        "probability": ("double", "Probability"),
        "lower": ("double", "Lower"),
        "upper": ("double", "Upper"),
        "in_prediction_set": ("bit", "In prediction set"),
        "prior_adjusted": ("double", "Prior-adjusted"),
    }
    assert node.GetColumnUnitLabel("probability") == "1"
    assert tableFromNode(node)["probability"].values[:2] == (2 / 3, 1 / 3)


def test_the_plot_shows_probabilities_by_category(scene, an_analysis):
    nodes = nodesFromAnalysis(an_analysis)
    series = nodes.plotSeries
    assert series.GetTableNode() is nodes.probabilities
    assert (series.GetXColumnName(), series.GetYColumnName()) == ("category", "probability")
    assert series.GetPlotTypeAsString(series.GetPlotType()) == "Bar"
    assert nodes.plot.GetNthPlotSeriesNode(0) is series


def test_without_a_model_there_is_no_plot_and_the_table_says_why(scene, an_analysis):
    unassessed = replace(an_analysis, recognitions=an_analysis.recognitions[1:])
    nodes = nodesFromAnalysis(unassessed)
    assert nodes.plot is None
    assert nodes.plotSeries is None
    assert tableFromNode(nodes.probabilities)["category"].values == ("not assessed",)
    assert tableFromNode(nodes.probabilities)["notes"].values == ("Not a child",)


def test_findings_on_quality_have_a_table_if_there_are_any(scene, an_analysis):
    assert nodesFromAnalysis(an_analysis).quality is None
    blurred = replace(an_analysis, quality=(QualityFinding("amber", "noise", "too noisy"),))
    table = tableFromNode(nodesFromAnalysis(blurred).quality)
    assert [column.values for column in table.columns] == [("amber",), ("noise",), ("too noisy",)]


def test_lines_of_a_measurement_join_the_measured_points(scene, a_volume_analysis):
    nodes = nodesFromAnalysis(a_volume_analysis)
    expected = a_volume_analysis.measurements[0].lines
    assert [node.GetName() for node in nodes.lines] == [line.name for line in expected]
    for node, line in zip(nodes.lines, expected, strict=True):
        ends = [node.GetNthControlPointPosition(index) for index in range(2)]
        np.testing.assert_allclose(ends, np.array([line.start, line.end]) * (-1, -1, 1))
        assert node.GetLocked()


def test_an_evidence_map_is_clear_at_zero_and_saturated_at_its_strongest(scene, an_analysis):
    nodes = nodesFromAnalysis(an_analysis)
    display = nodes.overlays[0].GetDisplayNode()
    assert display.GetWindowLevelMin() == -display.GetWindowLevelMax()
    assert display.GetColorNode() is nodes.overlayColors
    colors = np.zeros((255, 4))
    for index, color in enumerate(colors):
        nodes.overlayColors.GetColor(index, color)
    np.testing.assert_allclose(colors[[0, 254], :3], [(0.13, 0.40, 0.67), (0.70, 0.09, 0.17)], atol=1 / 255)
    assert not colors[127 - 12 : 127 + 13, 3].any()
    assert set(colors[:114, 3]) == set(colors[141:, 3]) == {1.0}
    # The weaker the evidence, the closer to white.
    assert (np.diff(colors[:127, 0]) >= 0).all()
    assert (np.diff(colors[128:, 1]) <= 0).all()
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(volumeFromNode(nodes.overlays[0]).pixels),
        sitk.GetArrayFromImage(an_analysis.recognitions[0].evidence_map),
    )


def test_results_lie_on_the_image(scene, a_volume_analysis):
    nodes = nodesFromAnalysis(a_volume_analysis)
    image = a_volume_analysis.image.pixels
    for node in (nodes.volume, nodes.processed, nodes.overlays[0]):
        found = volumeFromNode(node).pixels
        np.testing.assert_allclose(found.GetOrigin(), image.GetOrigin())
        np.testing.assert_allclose(found.GetDirection(), image.GetDirection())


@pytest.mark.parametrize("broken", ["updateSegmentationNode", "updateTableNode", "nodeFromLine", "_arrange"])
def test_half_an_analysis_is_not_left_behind(scene, studied_volume, an_analysis, monkeypatch, broken):
    from MedImageAnalysisLib.mrml import analysis_nodes

    def fail(*_, **__):
        raise UnsupportedImageError("broken for the test")

    before = node_ids(scene)
    monkeypatch.setattr(analysis_nodes, broken, fail)
    with pytest.raises(UnsupportedImageError, match="broken"):
        nodesFromAnalysis(an_analysis, studied_volume)
    assert node_ids(scene) == before


def test_a_second_run_can_update_the_nodes_of_the_first(scene, studied_volume, an_analysis):
    first = nodesFromAnalysis(an_analysis, studied_volume)
    before = node_ids(scene)
    doubled = replace(an_analysis, processed=an_analysis.processed * 2)
    second = nodesFromAnalysis(doubled, studied_volume, update=first)
    assert len(node_ids(scene)) == len(before)
    for role in ("processed", "segmentation", "features", "measurements", "probabilities", "record", "plot"):
        assert getattr(second, role) is getattr(first, role)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(volumeFromNode(second.processed).pixels), sitk.GetArrayFromImage(doubled.processed)
    )


def test_an_update_without_a_volume_keeps_the_callers(scene, studied_volume, an_analysis):
    first = nodesFromAnalysis(an_analysis, studied_volume)
    second = nodesFromAnalysis(an_analysis, update=first)
    assert second.volume is studied_volume
    assert not second.ownsVolume


def test_an_update_removes_what_is_no_longer_found(scene, studied_volume, an_analysis):
    first = nodesFromAnalysis(an_analysis, studied_volume)
    shorter = replace(an_analysis, recognitions=an_analysis.recognitions[1:], measurements=())
    second = nodesFromAnalysis(shorter, studied_volume, update=first)
    assert (second.plot, second.evidence, second.lines, second.overlays) == (None, None, (), ())
    for kind in ("vtkMRMLPlotChartNode", "vtkMRMLMarkupsLineNode", "vtkMRMLMarkupsDisplayNode"):
        assert scene.GetNumberOfNodesByClass(kind) == 0


def test_an_update_makes_anew_what_the_user_removed(scene, studied_volume, an_analysis):
    first = nodesFromAnalysis(an_analysis, studied_volume)
    scene.RemoveNode(first.features)
    second = nodesFromAnalysis(an_analysis, studied_volume, update=first)
    assert second.features is not first.features
    assert second.features.GetNumberOfRows() == 3


def test_two_runs_without_update_stand_side_by_side(scene, studied_volume, an_analysis):
    first = nodesFromAnalysis(an_analysis, studied_volume)
    second = nodesFromAnalysis(an_analysis, studied_volume)
    assert not {node.GetID() for node in first} & {node.GetID() for node in second}


def test_names_do_not_matter(scene, studied_volume, an_analysis):
    decoy = scene.AddNewNodeByClass("vtkMRMLTableNode", "Chest features")
    nodes = nodesFromAnalysis(an_analysis, studied_volume)
    assert nodes.features is not decoy
    assert decoy.GetNumberOfColumns() == 0
