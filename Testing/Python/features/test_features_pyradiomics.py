"""The pyradiomics profile reproduces pyradiomics' own baseline of its test cases."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.features import FeatureSettings, extract

# pyradiomics made its baseline with voxelArrayShift=2000.
SETTINGS = FeatureSettings(
    profile="pyradiomics", aggregation="averaged", discretization="bin-width", bin_width=25.0, intensity_shift=2000.0
)


def baseline(folder, case):
    values = {}
    for family in ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"):
        with open(folder / f"baseline_{family}.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["featureName"].startswith("original"):
                    values[row["featureName"]] = float(row[case])
    return values


@pytest.mark.parametrize("case", ["brain1", "brain2", "breast1"])
def test_baseline(real_data, case):
    image = sitk.ReadImage(str(real_data / "mr_brain" / f"{case}_image.nrrd"))
    labels = sitk.Cast(sitk.ReadImage(str(real_data / "mr_brain" / f"{case}_label.nrrd")), sitk.sitkUInt8)
    table = extract(image, Segmentation((labels,), (Segment("lesion", 1, (1.0, 0.0, 0.0)),)), SETTINGS)
    expected = baseline(real_data / "radiomics" / "pyradiomics_baseline", case)
    names = [definition.name for definition in table.definitions]
    assert set(names) == set(expected)
    assert len(names) == 107
    np.testing.assert_allclose(table.values[0], [expected[name] for name in names], rtol=1e-3)


def test_a_flat_region_has_the_values_that_pyradiomics_gives():
    image = sitk.GetImageFromArray(np.full((3, 4, 4), 7, np.int16))
    labels = sitk.GetImageFromArray(np.ones((3, 4, 4), np.uint8))
    table = extract(image, Segmentation((labels,), (Segment("all", 1, (1.0, 0.0, 0.0)),)), SETTINGS)
    assert not table.reasons
    for name, value in {
        "glcm_Correlation": 1,
        "glcm_MCC": 1,
        "glcm_Imc1": 0,
        "ngtdm_Coarseness": 1e6,
        "ngtdm_Busyness": 0,
        "ngtdm_Strength": 0,
        "firstorder_Kurtosis": 0,
    }.items():
        assert table.value("all", f"original_{name}") == value


@pytest.mark.parametrize("wrong", [{"aggregation": "merged"}, {"dimension": "2D", "aggregation": "averaged"}])
def test_what_pyradiomics_cannot_do_is_refused(wrong):
    with pytest.raises(InvalidSettingError, match="pyradiomics"):
        FeatureSettings(profile="pyradiomics", **wrong)


def test_a_2d_image_gets_the_planar_shape():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:6, 1:8] = 1
    image = sitk.GetImageFromArray(np.arange(81, dtype=np.float32).reshape(9, 9))
    table = extract(
        image, Segmentation((sitk.GetImageFromArray(labels),), (Segment("box", 1, (1.0, 0.0, 0.0)),)), SETTINGS
    )
    assert table.value("box", "original_shape2D_PixelSurface") == 28
