"""The picture of an analysis: drawn for radiographs, volumes and what was not assessed, and never half-written."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import CategoryProbability, ImageInfo, MedicalImage, Recognition
from MedImageAnalysisLib.errors import ExportError
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.report.picture import write_picture

pytest.importorskip("matplotlib", reason="pictures need the extra 'report'")


@pytest.fixture
def a_volume():
    z, y, x = np.mgrid[:12, :40, :50]
    bright = ((x - 25) ** 2 + (y - 20) ** 2 < 100) & (z > 3)
    pixels = sitk.GetImageFromArray((100 * bright + 5 * (x % 3)).astype(np.int16))
    pixels.SetSpacing((1.0, 1.0, 3.0))
    return MedicalImage(pixels, ImageInfo(spacing_source="file header"))


@pytest.mark.parametrize("preset", ["chest-xray", "bone-xray"])
def test_a_radiograph_is_drawn(preset, output_folder):
    path = write_picture(run(chest_radiograph(), load_preset(preset)), output_folder / f"picture-{preset}.png")
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert picture.shape[1] > 1000
    assert np.unique(picture).size > 50


def test_a_map_over_a_part_of_the_image_leaves_the_rest_of_it_in_sight(tmp_path):
    analysis = run(chest_radiograph(), load_preset("chest-xray"))
    pixels = analysis.image.pixels
    half = [pixels.GetWidth() // 2, pixels.GetHeight() // 2]
    pictures = []
    for start in ([0, 0], half):
        nothing = 0 * sitk.Cast(sitk.RegionOfInterest(pixels, half, start), sitk.sitkFloat32)
        row = CategoryProbability("a", 1.0, 0.9, 1.0, in_prediction_set=True)
        said = Recognition("m", "1", "M", assessed=True, categories=(row,), evidence_map=nothing)
        path = write_picture(replace(analysis, recognitions=(said,)), tmp_path / "picture.png")
        pictures.append(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    np.testing.assert_array_equal(*pictures)


def test_a_volume_is_drawn_by_one_slice(a_volume, tmp_path):
    assert write_picture(run(a_volume, load_preset("generic-3d")), tmp_path / "picture.png").stat().st_size > 10_000


def test_a_folder_that_is_not_there_is_told_and_nothing_is_left(a_volume, tmp_path):
    analysis = run(a_volume, load_preset("generic-3d"))
    with pytest.raises(ExportError, match=r"picture\.png could not be written"):
        write_picture(analysis, tmp_path / "missing" / "picture.png")
    assert list(tmp_path.iterdir()) == []
