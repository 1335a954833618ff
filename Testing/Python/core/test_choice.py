"""The automatic choice of a preset: by what the image says, and never silently when unsure."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.choice import choose_preset, propose_preset
from MedImageAnalysisLib.errors import UnsuitablePresetError
from MedImageAnalysisLib.preset import Preset


def preset_for(name, modalities=(), body_parts=(), dimensions=(2, 3)):
    return Preset.from_json(
        {
            "format": 1,
            "name": name,
            "title": name,
            "description": name,
            "modalities": list(modalities),
            "body_parts": list(body_parts),
            "dimensions": list(dimensions),
            "preprocessing": [],
            "segmentation": [{"method": "otsu"}],
        }
    )


@pytest.fixture
def presets():
    return (
        preset_for("chest-xray", ["DX"], ["CHEST"], [2]),
        preset_for("hand-xray", ["DX"], ["HAND", "WRIST"], [2]),
        preset_for("chest-ct", ["CT"], ["CHEST"], [3]),
        preset_for("generic"),
    )


def radiograph(**info):
    return MedicalImage(sitk.Image([8, 8], sitk.sitkUInt16), ImageInfo(**info))


def volume(pixels, **info):
    return MedicalImage(sitk.GetImageFromArray(pixels), ImageInfo(**info))


@pytest.fixture
def hounsfield_pixels():
    pixels = np.full((20, 40, 40), -1000, np.int16)
    pixels[:, 10:30, 10:30] = 40
    return pixels


@pytest.mark.parametrize(("part", "name"), [("CHEST", "chest-xray"), ("WRIST", "hand-xray")])
def test_modality_and_body_part_decide(presets, part, name):
    proposal = choose_preset(radiograph(modality="CR", body_part=part), presets)
    assert proposal.preset.name == name
    assert f"body part {part}" in proposal.reason


def test_the_dimension_counts(presets, hounsfield_pixels):
    assert choose_preset(volume(hounsfield_pixels, modality="CT", body_part="CHEST"), presets).preset.name == "chest-ct"


@pytest.mark.parametrize(
    "info",
    [{}, {"modality": "DX"}, {"modality": "US"}, {"modality": "DX", "body_part": "FOOT"}],
    ids=["nothing known", "no body part", "no preset for it", "another body part"],
)
def test_unsure_is_said_with_the_choices_and_not_guessed(presets, info):
    assert propose_preset(radiograph(**info), presets).preset is None
    with pytest.raises(UnsuitablePresetError, match=r"Choose one: .*generic"):
        choose_preset(radiograph(**info), presets)


def test_hounsfield_units_are_recognized_without_a_header(presets, hounsfield_pixels):
    proposal = propose_preset(volume(hounsfield_pixels), presets)
    assert proposal.candidates[0] == "chest-ct"
    assert "Hounsfield" in proposal.reason


def test_other_intensities_are_not_taken_for_hounsfield_units(presets, hounsfield_pixels):
    proposal = propose_preset(volume(hounsfield_pixels + 1000), presets)
    assert "does not say its modality" in proposal.reason
