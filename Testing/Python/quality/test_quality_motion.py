"""Motion in MRI: ghosts along one axis are told from noise, and from pictures that show no air."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.quality import CHECKS, QualityCase
from MedImageAnalysisLib.quality.motion import ghost_share


def head(ghost=0.0, axis=1, shift=60, noise=3.0, size=160):
    """A magnitude image of a head, with a copy of `ghost` times its brightness moved along an axis, wrapping around."""
    _, y, x = np.mgrid[:9, :size, :size] - np.array([4, size / 2, size / 2]).reshape(3, 1, 1, 1)
    clean = np.where((y / 44) ** 2 + (x / 36) ** 2 < 1, 100 + 20 * np.sin(x / 5) * np.cos(y / 7), 0.0)
    moved = clean + ghost * np.roll(clean, shift, axis=axis)
    generator = np.random.default_rng(1)
    real, imaginary = (generator.normal(0, noise, clean.shape) for _ in range(2))
    return np.hypot(moved + real, imaginary)


def levels(pixels, modality="MR"):
    image = sitk.GetImageFromArray(pixels.astype(np.float32))
    case = QualityCase(MedicalImage(image, ImageInfo(modality=modality)), Segmentation((), ()), ())
    return [finding.level for finding in CHECKS["ghosting"]()(case)]


@pytest.mark.parametrize("axis", [1, 2])
def test_copies_along_either_axis_are_amber(axis):
    assert levels(head(ghost=0.2, axis=axis)) == ["amber"]


@pytest.mark.parametrize("noise", [1.0, 10.0])
def test_noise_is_no_ghost(noise):
    assert levels(head(noise=noise)) == ["green"]


def test_the_share_grows_with_the_ghost():
    shares = [ghost_share(sitk.GetImageFromArray(head(ghost))) for ghost in (0.0, 0.1, 0.2, 0.4)]
    assert shares == sorted(shares)
    assert shares[0] < 0.01


def test_a_single_slice_is_judged_too():
    assert levels(head(ghost=0.2)[4]) == ["amber"]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((9, 64, 64)), head(ghost=0.2, noise=0.0) * (head(noise=0.0) > 0), head()[:, 40:120, 50:110]],
    ids=["blank", "masked air", "no air"],
)
def test_says_nothing_where_no_air_is_seen(pixels):
    assert levels(pixels) == []


def test_other_modalities_are_not_judged():
    assert levels(head(ghost=0.2), modality="CT") == []


@pytest.mark.parametrize("name", ["mr_brain/brain1_image.nrrd", "mr_brain/brainchop_t1_crop.nii.gz"])
def test_real_heads_are_not_called_moved(real_data, name):
    assert "amber" not in levels(sitk.GetArrayFromImage(sitk.ReadImage(real_data / name)))
