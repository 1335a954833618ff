"""The brain parenchymal fraction and the volumes of tissues, on segmentations of known size."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical.brain_mri import BrainVolumes, TumorCandidateSize
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import segment

KEYS = ("cerebrospinal-fluid", "gray-matter", "white-matter")


def brain(fluid, gray, white, spacing=(10.0, 10.0, 10.0), info=None):
    """An image and a segmentation with so many voxels of each tissue."""
    labels = np.zeros(4000, np.uint8)
    labels[: fluid + gray + white] = np.repeat((1, 2, 3), (fluid, gray, white))
    layer = sitk.GetImageFromArray(labels.reshape(10, 20, 20))
    layer.SetSpacing(spacing)
    info = info or ImageInfo(modality="MR", spacing_source="file header")
    segments = tuple(segment(key, label) for label, key in enumerate(KEYS, start=1))
    return MedicalImage(layer, info), Segmentation((layer,), segments)


def measured(case):
    return {m.name: m for m in BrainVolumes()(*case, Progress())}


def test_the_fraction_is_tissue_divided_by_all_within_the_outline():
    found = measured(brain(200, 600, 400))
    assert found["brain_parenchymal_fraction"].value == pytest.approx(1000 / 1200)
    assert found["brain_volume"].value == pytest.approx(1200)
    assert found["gray_matter_volume"].value == pytest.approx(600)
    assert found["white_matter_volume"].unit == "mL"


def test_without_spacing_the_fraction_holds_and_volumes_are_in_pixels():
    found = measured(brain(200, 600, 400, spacing=(1.0, 1.0, 1.0), info=ImageInfo(modality="MR")))
    assert found["brain_parenchymal_fraction"].value == pytest.approx(1000 / 1200)
    assert found["cerebrospinal_fluid_volume"].unit == "px3"


@pytest.mark.parametrize("case", [brain(0, 600, 400), brain(20, 60, 40), brain(400, 2000, 1500)])
def test_what_cannot_be_is_not_measured(case):
    for measurement in measured(case).values():
        assert math.isnan(measurement.value)
        assert measurement.reason


@pytest.mark.parametrize(("dimension", "name", "value", "unit"), [(2, "area", 400.0, "mm2"), (3, "volume", 8.0, "mL")])
def test_the_size_of_a_candidate_is_that_of_its_pixels(dimension, name, value, unit):
    labels = sitk.Image([10] * dimension, sitk.sitkUInt8)
    labels[(slice(0, 2),) * dimension] = 1
    labels.SetSpacing([10.0] * dimension)
    image = MedicalImage(labels, ImageInfo(modality="MR", spacing_source="file header"))
    size, diameter = TumorCandidateSize()(image, Segmentation((labels,), (segment("tumor-candidate", 1),)), Progress())
    assert (size.name, size.value, size.unit) == (f"tumor_candidate_{name}", pytest.approx(value), unit)
    assert diameter.value == pytest.approx({2: 22.568, 3: 24.814}[dimension], abs=1e-3)


def test_no_candidate_is_not_a_size_of_zero():
    image, _ = brain(1, 1, 1)
    nothing = Segmentation((sitk.Image(image.pixels.GetSize(), sitk.sitkUInt8),), ())
    for measurement in TumorCandidateSize()(image, nothing, Progress()):
        assert math.isnan(measurement.value)
        assert "rule out" in measurement.reason
