"""Bias field, resampling and masks."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.mask_outside import Collimation, find_burned_in_text, find_collimation


@pytest.mark.parametrize("shape", [(128, 160), (48, 64, 64)], ids=["2D", "3D"])
def test_n4_recovers_a_known_bias_field(shape, noise, quiet):
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    tissue = np.select([radius < 0.45, radius < 0.85], [200.0, 120.0], 2.0)
    field = np.exp(0.35 * axes[-1] - 0.25 * axes[-2] ** 2)
    image = sitk.GetImageFromArray((tissue * field + noise.normal(0, 1, shape)).clip(0.1).astype(np.float32))
    result = sitk.GetArrayFromImage(STEPS["n4-bias-field"](shrink=4)(image, quiet))
    body = radius < 0.8
    found = sitk.GetArrayFromImage(image)[body] / result[body]
    assert np.corrcoef(found, field[body])[0, 1] > 0.95
    inner = radius < 0.4
    assert result[inner].std() / result[inner].mean() < 0.4 * (tissue * field)[inner].std() / 200


@pytest.mark.parametrize("interpolation", ["linear", "b-spline"])
@pytest.mark.parametrize("shape", [(40, 50), (12, 20, 24)], ids=["2D", "3D"])
def test_a_linear_ramp_survives_resampling_there_and_back(shape, interpolation, quiet, oblique_image):
    ramp = sum((i + 1.0) * index for i, index in enumerate(np.indices(shape, np.float32))).astype(np.float32)
    image = oblique_image(ramp)
    isotropic = STEPS["resample-isotropic"](interpolation=interpolation)(image, quiet)
    back = STEPS["resample"](spacing=image.GetSpacing(), interpolation=interpolation)(isotropic, quiet)
    assert isotropic.GetSpacing() == pytest.approx((0.7,) * len(shape))
    inner = tuple(slice(2, n - 2) for n in shape)
    assert sitk.GetArrayFromImage(back)[inner] == pytest.approx(ramp[inner], abs=0.35)


@pytest.mark.parametrize("spacing", [0.37, 1.0, 1.9, 7.0])
def test_the_new_grid_reaches_every_old_voxel_and_keeps_the_first(spacing, quiet, oblique_image):
    image = oblique_image(np.zeros((9, 11, 13), np.int16))
    result = STEPS["resample-isotropic"](spacing=spacing)(image, quiet)
    assert result.GetOrigin() == image.GetOrigin()
    for old, length, new in zip(image.GetSize(), image.GetSpacing(), result.GetSize(), strict=True):
        reach = (old - 1) * length
        assert reach - 1e-6 <= (new - 1) * spacing < reach + spacing


def test_detail_finer_than_the_new_grid_does_not_alias(quiet):
    stripes = np.tile([0, 100], (32, 16)).astype(np.float32)
    result = sitk.GetArrayFromImage(STEPS["resample-isotropic"](spacing=4.0)(sitk.GetImageFromArray(stripes), quiet))
    assert result[2:-2, 2:-2] == pytest.approx(50, abs=2)


def test_nearest_neighbor_resampling_keeps_the_pixel_type(quiet):
    image = sitk.GetImageFromArray(np.eye(8, dtype=np.uint8))
    result = STEPS["resample"](spacing=(0.5,), interpolation="nearest")(image, quiet)
    assert result.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(sitk.GetArrayFromImage(result))) == {0, 1}


def test_resampling_refuses_the_wrong_number_of_axes_and_endless_grids(quiet):
    image = sitk.Image([20, 20], sitk.sitkInt16)
    with pytest.raises(InvalidSettingError, match="3 values, but the image has 2 axes"):
        STEPS["resample"](spacing=(1.0, 1.0, 1.0))(image, quiet)
    image.SetSpacing((100.0, 100.0))
    with pytest.raises(InvalidSettingError, match="Choose a larger spacing"):
        STEPS["resample"](spacing=(0.001,))(image, quiet)


@pytest.fixture
def radiograph(noise) -> np.ndarray:
    """An exposed field with smooth anatomy."""
    y, x = np.mgrid[0:400, 0:300]
    anatomy = 1500 + 800 * np.sin(x / 40) * np.cos(y / 50)
    return (anatomy + noise.normal(0, 20, anatomy.shape)).astype(np.uint16)


def test_collimator_blades_are_found_to_the_pixel(radiograph, noise):
    radiograph[:, :31] = 60 + noise.integers(0, 20, (400, 31))
    radiograph[360:, :] = 60 + noise.integers(0, 20, (40, 300))
    found = find_collimation(sitk.GetImageFromArray(radiograph))
    assert found.left == pytest.approx(31, abs=1)
    assert found.bottom == pytest.approx(40, abs=1)
    assert (found.right, found.top) == (0, 0)


def test_a_radiograph_without_collimation_is_left_alone(radiograph, quiet):
    image = sitk.GetImageFromArray(radiograph)
    assert find_collimation(image) == Collimation(0, 0, 0, 0)
    result = STEPS["mask-collimation"]()(image, quiet)
    assert np.array_equal(sitk.GetArrayFromImage(result), radiograph)


def test_what_was_masked_is_reported(radiograph, listener):
    radiograph[:, :40] = 4000
    heard = listener()
    result = sitk.GetArrayFromImage(STEPS["mask-collimation"]()(sitk.GetImageFromArray(radiograph), heard.progress()))
    assert any("left 4" in message for message in heard.messages)
    assert (result[:, :39] == radiograph[:, 42:].min()).all()


@pytest.mark.parametrize("volume", [False, True], ids=["2D", "3D"])
def test_burned_in_text_is_replaced_by_what_is_beside_it(radiograph, volume, quiet):
    clean = radiograph.copy()
    # The letter L, 24 pixels high with strokes of 4.
    radiograph[20:44, 20:24] = 65535
    radiograph[40:44, 20:34] = 65535
    pixels = np.stack([clean, radiograph]) if volume else radiograph
    image = sitk.GetImageFromArray(pixels)
    letter = pixels == 65535
    assert find_burned_in_text(image)[letter].all()
    assert find_burned_in_text(image).sum() < 3 * letter.sum()
    result = sitk.GetArrayFromImage(STEPS["mask-burned-in-text"]()(image, quiet))
    assert result.max() < 3000
    untouched = ~find_burned_in_text(image)
    assert np.array_equal(result[untouched], pixels[untouched])
