"""The pipeline: four stages in a row, and a record that repeats them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.errors import Cancelled, GeometryError, InvalidSettingError, UnsuitablePresetError
from MedImageAnalysisLib.export.record import analysis_to_json, read_record, write_record
from MedImageAnalysisLib.imaging.geometry import same_grid
from MedImageAnalysisLib.pipeline import repeat, run
from MedImageAnalysisLib.preset import Preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import generic_segment

PRESET = {
    "format": 1,
    "name": "discs",
    "title": "Discs",
    "description": "Finds bright discs on a dark ground.",
    "preprocessing": [{"step": "median"}],
    "segmentation": [{"method": "otsu"}],
}


@pytest.fixture
def discs():
    """A 2D image of two bright discs in noise, 0.5 mm pixels."""
    y, x = np.mgrid[:120, :160]
    truth = ((y - 40) ** 2 + (x - 50) ** 2 < 20**2) | ((y - 80) ** 2 + (x - 110) ** 2 < 15**2)
    pixels = 100 * truth + np.random.default_rng(1).normal(0, 8, truth.shape)
    image = sitk.GetImageFromArray(pixels.astype(np.int16))
    image.SetSpacing((0.5, 0.5))
    image.SetOrigin((12.0, -7.0))
    return image


@pytest.fixture
def a_preset():
    return Preset.from_json(PRESET)


@pytest.fixture
def an_image(discs):
    return MedicalImage(discs, ImageInfo(spacing_source="file header"))


@pytest.fixture
def an_analysis(an_image, a_preset):
    return run(an_image, a_preset)


def labels(analysis):
    return [sitk.GetArrayFromImage(layer) for layer in analysis.segmentation.layers]


def test_the_segmentation_lies_on_the_image(an_analysis, discs):
    assert same_grid(an_analysis.segmentation.labelmap, discs)
    assert 1500 < np.count_nonzero(labels(an_analysis)[0] == labels(an_analysis)[0].max()) < 2500


def test_every_segment_has_a_row_of_features(an_analysis):
    assert len(an_analysis.features.segments) == len(an_analysis.segmentation.segments)
    assert np.isfinite(an_analysis.features.values).any(axis=1).all()


def test_without_a_model_it_says_not_assessed_and_invents_no_number(an_analysis):
    (recognition,) = an_analysis.recognitions
    assert not recognition.assessed
    assert recognition.categories == ()
    assert "no recognition model" in recognition.reason


def test_each_step_is_recorded_with_the_call_that_repeats_it(an_analysis):
    stages = [(step.stage, step.name) for step in an_analysis.provenance.steps]
    assert stages[:2] == [("preprocess", "median"), ("segment", "otsu")]
    assert an_analysis.provenance.steps[0].call.startswith("Median")
    assert all(step.seconds >= 0 for step in an_analysis.provenance.steps)


def test_the_record_alone_repeats_the_run_bit_for_bit(an_analysis, an_image, tmp_path):
    path = tmp_path / "analysis.json"
    write_record(an_analysis, path)
    again = repeat(read_record(path), an_image)
    for first, second in zip(labels(an_analysis), labels(again), strict=True):
        assert np.array_equal(first, second)
    assert np.array_equal(an_analysis.features.values, again.features.values, equal_nan=True)
    assert an_analysis.recognitions == again.recognitions or str(an_analysis.recognitions) == str(again.recognitions)


def test_a_record_refuses_another_image(an_analysis, discs):
    other = MedicalImage(discs + 1, an_analysis.image.info)
    with pytest.raises(InvalidSettingError, match="not the image of the record"):
        repeat(an_analysis.provenance, other)


def test_repeating_with_other_software_says_so(an_analysis, an_image):
    older = replace(an_analysis.provenance, software={**an_analysis.provenance.software, "numpy": "1.0"})
    assert any("numpy 1.0 then" in warning for warning in repeat(older, an_image).provenance.warnings)
    assert not any("other software" in text for text in repeat(an_analysis.provenance, an_image).provenance.warnings)


def test_the_record_is_strict_json_without_pixels(an_analysis, tmp_path):
    write_record(an_analysis, tmp_path / "analysis.json")
    text = (tmp_path / "analysis.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == analysis_to_json(an_analysis)
    assert len(text) < 200_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"format": 1}',
        '{"format": 9, "provenance": {}}',
        "null",
        '{"format": 1, "provenance": ["abc"]}',
    ],
)
def test_what_is_not_a_record_is_refused(text, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InvalidSettingError):
        read_record(tmp_path / "bad.json")


def test_an_existing_segmentation_replaces_stage_two(an_image, a_preset, discs):
    given = Segmentation((sitk.Cast(discs > 50, sitk.sitkUInt8),), (generic_segment("Disc", 1),))
    analysis = run(an_image, a_preset, segmentation=given)
    assert [segment.name for segment in analysis.segmentation.segments] == ["Disc"]
    assert np.array_equal(labels(analysis)[0], sitk.GetArrayFromImage(given.labelmap))
    assert "segment" not in {step.stage for step in analysis.provenance.steps}
    with pytest.raises(InvalidSettingError, match="existing segmentation of the record"):
        repeat(analysis.provenance, an_image)


def test_a_segmentation_on_another_grid_is_refused_with_both_grids_in_words(an_image, a_preset, discs):
    cropped = sitk.Cast(discs[10:, :] > 50, sitk.sitkUInt8)
    given = Segmentation((cropped,), (generic_segment("Disc", 1),))
    with pytest.raises(GeometryError, match=r"150 x 120.*160 x 120"):
        run(an_image, a_preset, segmentation=given)


def test_without_spacing_filters_are_scaled_by_the_nominal_width_and_results_are_in_pixels(discs):
    discs.SetSpacing((1.0, 1.0))
    preset = Preset.from_json({**PRESET, "nominal_width_mm": 80})
    analysis = run(MedicalImage(discs, ImageInfo()), preset)
    assert analysis.processed.GetSpacing() == pytest.approx((1.0, 1.0))
    assert same_grid(analysis.segmentation.labelmap, discs)
    assert any("80 mm wide is assumed" in warning for warning in analysis.provenance.warnings)
    assert not any("mm" in definition.unit for definition in analysis.features.definitions)


def test_a_preset_for_other_images_is_refused_before_any_work(an_image):
    preset = Preset.from_json({**PRESET, "dimensions": [3]})
    with pytest.raises(UnsuitablePresetError):
        run(an_image, preset)


def test_a_ct_without_a_header_is_in_hounsfield_units_if_it_looks_so():
    pixels = np.full((12, 40, 40), -1000, np.int16)
    pixels[2:10, 10:30, 10:30] = 40
    preset = Preset.from_json({**PRESET, "modalities": ["CT"]})
    for shift, unit in ((0, "HU"), (1000, "")):
        analysis = run(MedicalImage(sitk.GetImageFromArray(pixels + np.int16(shift))), preset)
        assert analysis.image.info.intensity_unit == unit
        assert any("taken for Hounsfield units" in words for words in analysis.provenance.warnings) == bool(unit)
    other = run(MedicalImage(sitk.GetImageFromArray(pixels)), Preset.from_json(PRESET))
    assert other.image.info.intensity_unit == ""


def test_an_existing_segmentation_in_parts_gets_its_wholes(an_image, a_preset, discs):
    layer = sitk.Cast(discs > 50, sitk.sitkUInt8)
    lobes = Segmentation((layer,), (generic_segment("lung_lower_lobe_left", 1),))
    analysis = run(an_image, a_preset, segmentation=lobes)
    assert [segment.name for segment in analysis.features.segments] == ["lung_lower_lobe_left", "Left lung"]
    assert np.array_equal(*(sitk.GetArrayFromImage(layer) for layer in analysis.segmentation.layers))


def test_progress_never_goes_back_and_ends_at_one(an_image, a_preset):
    seen = []
    run(an_image, a_preset, progress=Progress(report=lambda message, fraction: seen.append(fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("calls_before", [0, 1, 3, 5])
def test_cancel_stops_at_the_next_step_and_leaves_the_input_as_it_was(an_image, a_preset, calls_before):
    before = sitk.GetArrayFromImage(an_image.pixels)
    calls = iter(range(10_000))
    with pytest.raises(Cancelled):
        run(an_image, a_preset, progress=Progress(cancelled=lambda: next(calls) >= calls_before))
    assert np.array_equal(before, sitk.GetArrayFromImage(an_image.pixels))


def test_filters_add_features_of_their_responses(an_image, an_analysis):
    preset = Preset.from_json({**PRESET, "features": {"bin_number": 16}, "filters": [{"filter": "mean"}]})
    analysis = run(an_image, preset)
    names = [definition.name for definition in analysis.features.definitions]
    responses = [name for name in names if name.startswith("mean_")]
    assert "stat_mean" in {name.split(":")[-1] for name in responses}
    assert len(names) > len(responses) > 0
    assert Preset.from_json(analysis.provenance.preset) == preset
    assert np.array_equal(repeat(analysis.provenance, an_image).features.values, analysis.features.values, True)
