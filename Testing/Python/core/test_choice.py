"""The automatic choice of a preset: by what the image says, and never silently when unsure."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.choice import choose_preset, propose_preset
from MedImageAnalysisLib.errors import UnsuitablePresetError
from MedImageAnalysisLib.preset import Preset


def preset_for(name, modalities=(), body_parts=(), dimensions=(2, 3), preference=0):
    return Preset.from_json(
        {
            "format": 1,
            "name": name,
            "title": name,
            "description": name,
            "modalities": list(modalities),
            "body_parts": list(body_parts),
            "dimensions": list(dimensions),
            "preference": preference,
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


def test_of_several_presets_for_it_the_preferred_one_is_taken_and_the_others_are_named():
    presets = (
        preset_for("brain-mri", ["MR"], ["HEAD"], [3]),
        preset_for("tumor-mri", ["MR"], ["HEAD"], [3], preference=-1),
    )
    head = volume(np.zeros((9, 9, 9), np.int16), modality="MR", body_part="HEAD")
    proposal = choose_preset(head, presets)
    assert proposal.preset.name == "brain-mri"
    assert "for other questions: tumor-mri" in proposal.reason
    assert propose_preset(head, (*presets, preset_for("stroke-mri", ["MR"], ["HEAD"], [3]))).preset is None


def ellipsoid(shape, center, radii):
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(grid, center, radii, strict=True)) <= 1


def with_spacing(pixels, spacing, **info):
    image = sitk.GetImageFromArray(pixels.astype(np.int16))
    image.SetSpacing((spacing,) * 3)
    return MedicalImage(image, ImageInfo(spacing_source="file header", **info))


@pytest.fixture
def chest_ct():
    """A trunk of 400 x 280 x 240 mm with two lungs, at 4 mm."""
    shape = (60, 90, 120)
    hu = np.full(shape, -1000.0)
    hu[:, ellipsoid(shape[1:], (45, 60), (35, 50))] = 40
    for column in (38, 82):
        hu[ellipsoid(shape, (35, 42, column), (22, 22, 16))] = -850
    return hu


@pytest.fixture
def head_ct():
    """A skull of 1.4 L of brain, at 3 mm."""
    shape = (60, 90, 80)
    hu = np.full(shape, -1000.0)
    hu[ellipsoid(shape, (30, 45, 40), (28, 34, 28))] = 30
    hu[ellipsoid(shape, (30, 45, 40), (27, 33, 27))] = 900
    hu[ellipsoid(shape, (30, 45, 40), (24, 30, 24))] = 35
    return hu


@pytest.mark.parametrize("info", [{}, {"modality": "CT"}, {"modality": "CT", "body_part": "WHOLEBODY"}], ids=str)
def test_lungs_and_skulls_are_seen_on_ct_where_the_header_names_no_part(chest_ct, head_ct, info):
    chest = choose_preset(with_spacing(chest_ct, 4.0, **info))
    assert chest.preset.name == "chest-ct"
    assert "aerated lung" in chest.reason
    head = choose_preset(with_spacing(head_ct, 3.0, **info))
    assert head.preset.name == "brain-ct"
    assert "bone encloses a brain" in head.reason


def test_a_trunk_without_lungs_or_with_gas_in_bowel_is_no_chest(chest_ct):
    for gas in (40, -1000):
        assert propose_preset(with_spacing(np.where(chest_ct == -850, gas, chest_ct), 4.0)).preset is None


def test_a_named_part_is_not_overruled_by_what_is_seen(chest_ct):
    proposal = propose_preset(with_spacing(chest_ct, 4.0, modality="CT", body_part="ABDOMEN"))
    assert proposal.preset is None


def test_a_whole_head_on_mr_is_seen_and_a_slab_or_a_limb_is_not(head_ct):
    head = ndimage.zoom(np.select([head_ct == 35, head_ct == 30], [500, 800], 5), 2, order=0)
    assert choose_preset(with_spacing(head, 1.5)).preset.name == "brain-mri"
    assert propose_preset(with_spacing(head[50:70], 1.5)).preset is None
    assert propose_preset(with_spacing(head, 3.0)).preset is None
    limb = np.broadcast_to(head[60], head.shape)
    assert propose_preset(with_spacing(limb, 1.5)).preset is None
