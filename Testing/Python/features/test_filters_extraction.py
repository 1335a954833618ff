"""Features of response maps: named by filter and feature, of the voxels that the original intensities keep."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.features import FeatureSettings, extract
from MedImageAnalysisLib.features.filters import FILTERS, extract_filtered
from MedImageAnalysisLib.progress import Progress

INTENSITY = FeatureSettings(families=("intensity",))
BANK = [FILTERS["log"](sigma_mm=1.0), FILTERS["wavelet"]()]


@pytest.fixture(scope="module")
def scene() -> tuple[sitk.Image, Segmentation]:
    """Noise with a bright voxel, and two segments that share a face."""
    array = np.random.default_rng(0).normal(100, 10, (12, 13, 14)).astype(np.float32)
    array[5, 5, 5] = 5000
    labels = np.zeros(array.shape, np.uint8)
    labels[2:8, 2:8, 2:8] = 1
    labels[2:8, 2:8, 8:12] = 2
    segments = tuple(Segment(name, label, (1.0, 0.0, 0.0)) for label, name in enumerate(("left", "right"), 1))
    return sitk.GetImageFromArray(array), Segmentation((sitk.GetImageFromArray(labels),), segments)


def test_values_are_those_of_the_response(scene):
    image, segmentation = scene
    table = extract_filtered(image, segmentation, BANK, INTENSITY)
    alone = extract(BANK[0](image, Progress()), segmentation, INTENSITY)
    assert np.array_equal(table.values[:, : len(alone.definitions)], alone.values)
    assert table.value("left", "log_sigma_1mm:stat_mean") == alone.value("left", "stat_mean")


def test_columns_are_named_and_described_by_filter_and_feature(scene):
    definitions = extract_filtered(*scene, BANK, INTENSITY).definitions
    names = [definition.name for definition in definitions]
    assert len(names) == len(set(names))
    assert {name.split(":")[0] for name in names} == {"log_sigma_1mm", "wavelet_coif1_LLH_level_1"}
    assert "LaplacianOfGaussian(" in definitions[0].description
    assert definitions[0].title == "Mean intensity (Laplacian of Gaussian)"


def test_resegmentation_goes_by_the_intensities_of_the_image(scene):
    """The bright voxel is left out; its neighbors stay, though the filter has made them bright too."""
    image, segmentation = scene
    settings = FeatureSettings(families=("intensity",), resegmentation_maximum=1000.0)
    bank = [FILTERS["mean"](support=3)]
    table = extract_filtered(image, segmentation, bank, settings)
    response = sitk.GetArrayFromImage(bank[0](image, Progress()))
    inside = sitk.GetArrayFromImage(segmentation.labelmap) == 1
    inside[5, 5, 5] = False
    assert table.value("left", "mean_support_3:stat_mean") == pytest.approx(response[inside].mean(dtype=float))
    assert table.value("left", "mean_support_3:stat_max") > 200


def test_shape_is_not_measured_on_responses(scene):
    table = extract_filtered(*scene, BANK, FeatureSettings(families=("shape", "intensity")))
    assert not any("morph" in definition.name for definition in table.definitions)
    with pytest.raises(InvalidSettingError, match="families"):
        extract_filtered(*scene, BANK, FeatureSettings(families=("shape",)))


def test_another_spacing_is_refused(scene):
    with pytest.raises(InvalidSettingError, match="Resample the image first"):
        extract_filtered(*scene, BANK, FeatureSettings(spacing=(2.0, 2.0, 2.0)))


@pytest.mark.parametrize(
    ("configuration", "name", "parameters"),
    [
        ("2.A", "mean", {"support": 5}),
        ("3.A", "log", {"sigma_mm": 1.5}),
        ("4.A", "laws", {"kernels": "L5E5"}),
        ("7.A", "wavelet", {"wavelet": "db3", "subband": "HH", "level": 2}),
        ("9.A", "isotropic-wavelet", {"level": 2, "boundary": "periodic"}),
    ],
)
def test_features_of_the_ct_phantom_equal_the_references_of_ibsi2(real_data, configuration, name, parameters):
    """A part of benchmarks/ibsi2.py, which checks all 323 values."""
    folder = real_data / "radiomics" / "ct_radiomics_phantom"
    image = sitk.ReadImage(str(folder / "phantom.nii.gz"))
    mask = sitk.ReadImage(str(folder / "mask.nii.gz")) > 0
    bank = [FILTERS[name](by_slice=True, **parameters)]
    settings = FeatureSettings(families=("intensity",), resegmentation_minimum=-1000.0, resegmentation_maximum=400.0)
    table = extract_filtered(image, Segmentation((mask,), (Segment("t", 1, (1.0, 0.0, 0.0)),)), bank, settings)
    with (Path(__file__).parent / "ibsi2_feature_values.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["filter_id"] == configuration]
    assert len(rows) == 18
    for row in rows:
        found = table.value("t", f"{bank[0].label}:{row['feature_tag']}")
        expected = float(row["consensus_value"])
        # The references are rounded to three digits.
        assert found == pytest.approx(expected, abs=max(float(row["tolerance"]), 0.005 * abs(expected))), row["feature"]
