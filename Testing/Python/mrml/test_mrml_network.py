"""What a network says of an image, as Slicer shows it: tables, overlay and plot."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.mrml import nodesFromAnalysis, tableFromNode, volumeFromNode
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.recognition.training.folder import write_model
from tiny_network import description_of, sides_network


@pytest.fixture(scope="module")
def network_analysis(tmp_path_factory):
    """A drawn radiograph, judged by the network of sides at a stated prevalence."""
    folder = tmp_path_factory.mktemp("models") / "sides-network"
    description = description_of(stranger_limit=None)
    write_model(folder, description, "# Sides", network=sides_network().SerializeToString())
    preset = replace(load_preset("generic-2d"), models=(str(folder),), prevalence=(("left", 3.0), ("right", 1.0)))
    return run(chest_radiograph(), replace(preset, model_choice="exact"))


def test_the_table_of_probabilities_is_complete(scene, network_analysis):
    table = tableFromNode(nodesFromAnalysis(network_analysis).probabilities)
    rows = network_analysis.recognitions[0].categories
    assert table["category"].values == ("Left", "Right")
    assert table["code"].values == ("SCT:7771000", "")
    assert table["probability"].values == tuple(row.probability for row in rows)
    assert table["lower"].values == tuple(row.lower for row in rows)
    assert table["upper"].values == tuple(row.upper for row in rows)
    assert table["in_prediction_set"].values == tuple(row.in_prediction_set for row in rows)
    odds = [column.values[0] / column.values[1] for column in (table["prior_adjusted"], table["probability"])]
    assert odds[0] == pytest.approx(3 * odds[1])
    assert set(table["model"].values) == {"sides-network 1.0"}


def test_the_places_that_speak_for_the_category_are_listed(scene, network_analysis):
    table = tableFromNode(nodesFromAnalysis(network_analysis).evidence)
    found = network_analysis.recognitions[0]
    assert len(table["contribution"].values) == 16
    assert table["contribution"].values[0] == pytest.approx(max(table["contribution"].values, key=abs))
    assert table["feature"].values[0] == found.evidence[0].feature
    assert np.isnan(table["z_score"].values).all()


def test_the_map_of_evidence_lies_over_the_whole_image(scene, network_analysis):
    nodes = nodesFromAnalysis(network_analysis)
    bounds = [np.zeros(6), np.zeros(6)]
    for node, found in zip((nodes.volume, nodes.overlays[0]), bounds, strict=True):
        node.GetRASBounds(found)
    np.testing.assert_allclose(bounds[1][:4], bounds[0][:4], atol=1e-6)
    shown = sitk.GetArrayFromImage(volumeFromNode(nodes.overlays[0]).pixels)
    np.testing.assert_array_equal(shown, sitk.GetArrayFromImage(network_analysis.recognitions[0].evidence_map))
    assert nodes.overlays[0].GetDisplayNode().GetColorNode() is nodes.overlayColors


def test_the_plot_and_the_summary_are_there(scene, network_analysis):
    nodes = nodesFromAnalysis(network_analysis)
    assert nodes.plotSeries.GetTableNode() is nodes.probabilities
    summary = network_analysis.recognitions[0].summary
    assert summary.startswith("Sides: ")
    assert "research use" in summary
