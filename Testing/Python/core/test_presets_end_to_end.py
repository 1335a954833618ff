"""The presets for radiographs, from an image to a record that repeats them."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.export.record import read_record, write_record
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import repeat, run
from MedImageAnalysisLib.preset import load_preset

PRESETS = ("chest-xray", "textbook-chest-xray", "bone-xray", "generic-2d")


@pytest.fixture(scope="module", params=PRESETS)
def an_analysis(request):
    return run(chest_radiograph(), load_preset(request.param))


def test_stage_one_changes_the_image_and_keeps_its_place(an_analysis):
    before, after = an_analysis.image.pixels, an_analysis.processed
    assert after.GetSpacing() == pytest.approx(before.GetSpacing())
    assert after.GetOrigin() == pytest.approx(before.GetOrigin())
    assert not np.array_equal(sitk.GetArrayFromImage(before), sitk.GetArrayFromImage(after))


def test_every_stage_leaves_its_mark_in_the_record(an_analysis):
    stages = [step.stage for step in an_analysis.provenance.steps]
    assert stages == sorted(stages, key=("preprocess", "segment", "features", "measure", "recognize").index)
    assert {"preprocess", "segment", "features"} <= set(stages)


def test_the_record_alone_repeats_labels_tables_and_measurements_bit_for_bit(an_analysis, tmp_path):
    write_record(an_analysis, tmp_path / "analysis.json")
    again = repeat(read_record(tmp_path / "analysis.json"), an_analysis.image)
    for first, second in zip(an_analysis.segmentation.layers, again.segmentation.layers, strict=True):
        assert np.array_equal(sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(second))
    assert again.features.values.tobytes() == an_analysis.features.values.tobytes()
    assert repr(again.measurements) == repr(an_analysis.measurements)
    assert [row.categories for row in again.recognitions] == [row.categories for row in an_analysis.recognitions]


def test_the_textbook_chain_measures_superpixels_and_says_why_it_does_not_judge_a_drawing():
    analysis = run(chest_radiograph(), load_preset("textbook-chest-xray"))
    assert [step.name for step in analysis.provenance.steps if step.stage == "segment"] == ["quickshift"]
    assert len(analysis.features.segments) > 10
    (recognition,) = analysis.recognitions
    assert recognition.assessed or recognition.reason
