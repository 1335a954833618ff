"""Tumor candidates: found where something compact enhances within the brain, and nowhere else."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import Cancelled, UnsupportedImageError
from MedImageAnalysisLib.preprocessing.bias import N4BiasField
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.brain_tumor_mri import BrainTumorMRI

SPACING = 1.5


def head(shape, tumor_mm=0.0, center=(0, 20, 25)):
    """A head of brain 100, dark skull, bright scalp and a thin bright vessel; returns it with the tumor's mask."""
    center = center[-len(shape) :]
    axes = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * SPACING for n in shape), indexing="ij")
    away = np.sqrt(sum(axis**2 for axis in axes))
    values = np.select([away < 66, away < 72, away < 80], [100.0, 15.0, 250.0], 2.0)
    values[np.hypot(axes[-1] + 30, axes[-2]) < 1.2] = 240.0
    tumor = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, center, strict=True))) < tumor_mm
    values[tumor] = 200.0
    values += np.random.default_rng(2).normal(0, 6, shape)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing([SPACING] * len(shape))
    return image, tumor


def dice(found, true):
    return 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))


@pytest.mark.parametrize("shape", [(120, 120), (112, 112, 112)])
@pytest.mark.parametrize("tumor_mm", [8.0, 14.0])
def test_finds_an_enhancing_ball(shape, tumor_mm):
    image, tumor = head(shape, tumor_mm)
    found = BrainTumorMRI()(image, None, Progress())
    assert [s.key for s in found.segments] == ["tumor-candidate"]
    assert dice(sitk.GetArrayFromImage(found.labelmap) > 0, tumor) > 0.85


def test_necrosis_within_the_rim_belongs_to_it():
    image, tumor = head((120, 120), 14.0)
    values = sitk.GetArrayFromImage(image)
    _, core = head((120, 120), 7.0)
    values[core] = 60.0
    necrotic = sitk.GetImageFromArray(values)
    necrotic.CopyInformation(image)
    found = sitk.GetArrayFromImage(BrainTumorMRI()(necrotic, None, Progress()).labelmap) > 0
    assert dice(found, tumor) > 0.85


@pytest.mark.parametrize("tumor_mm", [0.0, 9.0])
def test_what_enhances_in_the_neck_is_no_candidate(tumor_mm):
    slice_of_head, tumor = head((120, 120), tumor_mm)
    values = np.pad(sitk.GetArrayFromImage(slice_of_head), ((0, 40), (0, 0)), constant_values=2.0)
    values[100:, 35:85] = 100.0
    values[135:148, 50:64] = 200.0
    sagittal = sitk.GetImageFromArray(values + np.random.default_rng(3).normal(0, 3, values.shape).astype(np.float32))
    sagittal.SetSpacing(slice_of_head.GetSpacing())
    found = sitk.GetArrayFromImage(BrainTumorMRI()(sagittal, None, Progress()).labelmap) > 0
    assert not found[120:].any()
    assert found.any() == bool(tumor_mm)
    if tumor_mm:
        assert dice(found[:120], tumor) > 0.85


@pytest.mark.parametrize("shape", [(120, 120), (112, 112, 112)])
def test_proposes_nothing_in_a_brain_with_a_vessel_only(shape):
    found = BrainTumorMRI()(head(shape)[0], None, Progress())
    assert [s.key for s in found.segments] == ["tumor-candidate"]
    assert not sitk.GetArrayFromImage(found.labelmap).any()


def test_refuses_an_empty_picture():
    with pytest.raises(UnsupportedImageError, match="head"):
        BrainTumorMRI()(sitk.Image([64, 64], sitk.sitkFloat32), None, Progress())


def test_stops_when_asked():
    with pytest.raises(Cancelled):
        BrainTumorMRI()(head((120, 120), 10.0)[0], None, Progress(cancelled=lambda: True))


def test_a_real_enhancing_tumor_is_found(real_data):
    folder = real_data / "mr_brain"
    image = sitk.ReadImage(folder / "brain1_image.nrrd", sitk.sitkFloat32)
    truth = sitk.GetArrayFromImage(sitk.ReadImage(folder / "brain1_label.nrrd")) > 0
    corrected = N4BiasField()(image, Progress())
    found = sitk.GetArrayFromImage(BrainTumorMRI()(corrected, None, Progress()).labelmap) > 0
    assert dice(found, truth) > 0.55
