"""Presets: plain files, checked before use."""

import json
import os

import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.errors import InvalidSettingError, UnknownNameError, UnsuitablePresetError
from MedImageAnalysisLib.preset import Preset, available_presets, check_suits, load_preset

MINIMAL = {
    "format": 1,
    "name": "two-classes",
    "title": "Two classes",
    "description": "Splits an image in two by its histogram.",
    "preprocessing": [{"step": "median"}],
    "segmentation": [{"method": "otsu"}],
}


def image_of(dimension, **info):
    return MedicalImage(sitk.Image([8] * dimension, sitk.sitkInt16), ImageInfo(**info))


@pytest.fixture
def a_preset_file(tmp_path):
    def write(text, name="mine.json"):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


def test_every_default_is_written_out_so_that_a_record_is_complete():
    full = Preset.from_json(MINIMAL).to_json()
    assert Preset.from_json(full).to_json() == full
    assert set(full["preprocessing"][0]) > {"step"}
    assert full["features"]


@pytest.mark.parametrize("preset", available_presets(), ids=lambda preset: preset.name)
def test_every_preset_that_ships_is_valid_and_explains_itself(preset):
    assert Preset.from_json(preset.to_json()) == preset
    assert len(preset.description) > 20
    assert preset.segmentation


@pytest.mark.parametrize("preset", available_presets(), ids=lambda preset: preset.name)
def test_every_model_of_a_preset_exists(preset):
    from MedImageAnalysisLib.recognition import load_model

    assert [load_model(name).name for name in preset.models] == list(preset.models)


def test_a_file_is_read_by_its_path(a_preset_file):
    assert load_preset(a_preset_file(MINIMAL)) == Preset.from_json(MINIMAL)


def test_the_users_folder_adds_presets_but_cannot_replace_ours(a_preset_file, monkeypatch):
    path = a_preset_file(MINIMAL)
    ours = available_presets()[0]
    a_preset_file(MINIMAL, f"{ours.name}.json")
    monkeypatch.setenv("MEDIMAGE_PRESETS", os.fspath(path.parent))
    assert load_preset("mine").name == "two-classes"
    assert load_preset(ours.name) == ours


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="chest-xray"):
        load_preset("chest-xry")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", "con", "a\0b"])
def test_a_name_cannot_lead_out_of_the_folders(name):
    with pytest.raises((UnknownNameError, ValueError)):
        load_preset(name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "reads format 1"),
        ({"name": 5}, "'name' must be a text"),
        ({"title": ""}, "'title' must be a text"),
        ({"title": "\ud800"}, "'title' must be a text"),
        ({"title": "\x1b[31mred"}, "'title' must be a text"),
        ({"preprocessing": [{"step": "gaussian", "sigma": 10**400}]}, "must be finite"),
        ({"surprise": 1}, "unknown entries: surprise"),
        ({"preprocessing": "median"}, "must be a list"),
        ({"preprocessing": [{"step": "median"}] * 101}, "at most 100"),
        ({"preprocessing": ["median"]}, "must hold names and values"),
        ({"preprocessing": [{"radius": 1}]}, "needs 'step'"),
        ({"preprocessing": [{"step": "sharpen-magic"}]}, "no preprocessing step called"),
        ({"preprocessing": [{"step": "median", "strength": 1}]}, "has no parameter 'strength'"),
        ({"segmentation": [{"method": "median"}]}, "no segmentation method called"),
        ({"features": []}, "'features' must hold"),
        ({"dimensions": [4]}, "'dimensions' must be"),
        ({"color": "rainbow"}, "'color' must be one of"),
        ({"nominal_width_mm": -1}, "'nominal_width_mm' must be"),
        ({"nominal_width_mm": True}, "'nominal_width_mm' must be"),
        ({"models": [1]}, "'models' must be a list of texts"),
    ],
)
def test_refuses_what_is_not_a_preset_and_names_file_and_fault(changes, words, a_preset_file):
    with pytest.raises(InvalidSettingError, match=words) as refusal:
        load_preset(a_preset_file({**MINIMAL, **changes}))
    assert "mine.json" in str(refusal.value)


@pytest.mark.parametrize("missing", ["format", "name", "segmentation"])
def test_refuses_a_preset_that_lacks_something(missing, a_preset_file):
    data = {key: value for key, value in MINIMAL.items() if key != missing}
    with pytest.raises(InvalidSettingError, match=f"lacks {missing}"):
        load_preset(a_preset_file(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "\x00\x01", '{"format": 1e999}'])
def test_refuses_a_file_that_is_not_json_of_a_preset(text, a_preset_file):
    with pytest.raises(InvalidSettingError, match=r"mine\.json"):
        load_preset(a_preset_file(text))


def test_refuses_a_huge_file_without_reading_it(a_preset_file):
    with pytest.raises(InvalidSettingError, match="larger than"):
        load_preset(a_preset_file(" " * 1_000_001))


class TestSuitability:
    @pytest.fixture
    def a_preset(self):
        return Preset.from_json({**MINIMAL, "modalities": ["DX"], "body_parts": ["CHEST"], "dimensions": [2]})

    @pytest.mark.parametrize("modality", ["DX", "CR", "RG"])
    def test_radiographs_of_every_name_suit(self, a_preset, modality):
        assert check_suits(a_preset, image_of(2, modality=modality, body_part="CHEST")) == ()

    def test_another_modality_is_refused(self, a_preset):
        with pytest.raises(UnsuitablePresetError, match="for DX, but this image is US"):
            check_suits(a_preset, image_of(2, modality="US"))

    def test_a_volume_is_refused_by_a_2d_preset(self, a_preset):
        with pytest.raises(UnsuitablePresetError, match="for 2D images, but this one is 3D"):
            check_suits(a_preset, image_of(3, modality="DX"))

    def test_an_unknown_modality_is_taken_with_a_warning(self, a_preset):
        assert "does not say its modality" in check_suits(a_preset, image_of(2))[0]

    def test_another_body_part_is_a_warning(self, a_preset):
        assert "says body part HAND" in check_suits(a_preset, image_of(2, modality="DX", body_part="HAND"))[0]
