"""The preset that recognizes pneumonia, from the image to the picture."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import CategoryProbability, Recognition
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.report.picture import write_picture


@pytest.fixture(scope="module")
def drawn_chest():
    """The analysis of a drawing of a chest."""
    return run(chest_radiograph(), load_preset("chest-xray-pneumonia"))


def test_a_drawing_is_not_taken_for_a_radiograph(drawn_chest):
    (found,) = drawn_chest.recognitions
    assert not found.assessed
    assert "unlike those the model was trained on" in found.reason


def test_a_radiograph_of_a_child_gets_probabilities_and_a_map(real_data):
    path = real_data / "chest_xray_kermany" / "bacteria" / "person1044_bacteria_2978.jpeg"
    (found,) = run(read_image(path, color="luminance"), load_preset("chest-xray-pneumonia")).recognitions
    assert max(found.categories, key=lambda row: row.probability).category == "Bacterial pneumonia"
    assert np.ptp(sitk.GetArrayViewFromImage(found.evidence_map)) > 0


def test_the_picture_shows_where_the_evidence_lies(drawn_chest, tmp_path):
    """What speaks for the category is tinted red, what speaks against it blue, at its place in the image."""
    shares = np.zeros((96, 96), dtype=np.float32)
    shares[:, :32], shares[:, 64:] = 1, -1
    drawn = sitk.GetImageFromArray(shares)
    drawn.SetSpacing([400 / 96] * 2)
    rows = (CategoryProbability("Left", 0.7, 0.6, 0.8, True), CategoryProbability("Right", 0.3, 0.2, 0.4, False))
    found = Recognition("test", "1", "Test", True, categories=rows, evidence_map=drawn)
    pixels = read_image(
        write_picture(replace(drawn_chest, recognitions=(found,)), tmp_path / "with.png"), color="luminance"
    ).pixels
    plain = read_image(write_picture(drawn_chest, tmp_path / "without.png"), color="luminance").pixels
    assert pixels.GetWidth() == plain.GetWidth() + 400
    color = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "with.png"))).astype(int)[..., :3]
    red, blue = (color[..., 0] - color[..., 2] > 40), (color[..., 2] - color[..., 0] > 40)
    panel = slice(1150, 1600)
    assert np.nonzero(red[:, panel])[1].mean() < np.nonzero(blue[:, panel])[1].mean()
    assert min(red[:, panel].sum(), blue[:, panel].sum()) > 5000
