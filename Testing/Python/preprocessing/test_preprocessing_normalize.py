"""Intensities of different scans come to one scale."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import InvalidSettingError, UnsupportedImageError
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.normalize import NyulNormalize


@pytest.fixture
def brain(noise) -> np.ndarray:
    """A ball with shells like CSF (40), gray (100) and white matter (150) in T1, on dark background."""
    z, y, x = np.mgrid[-20:20, -30:30, -30:30]
    radius = np.sqrt((z * 1.5) ** 2 + y**2 + x**2)
    pixels = np.select([radius < 18, radius < 24, radius < 28], [150, 100, 40], 0).astype(np.float32)
    return pixels + noise.normal(0, 4, pixels.shape).astype(np.float32)


def test_z_score_everywhere_has_mean_zero_and_deviation_one(brain, quiet):
    result = sitk.GetArrayFromImage(STEPS["z-score"](mask="all")(sitk.GetImageFromArray(brain), quiet))
    assert result.mean(dtype=np.float64) == pytest.approx(0, abs=1e-3)
    assert result.std(dtype=np.float64) == pytest.approx(1, abs=1e-3)


def test_z_score_in_the_foreground_ignores_how_much_background_there_is(brain, quiet):
    step = STEPS["z-score"]()
    small = sitk.GetArrayFromImage(step(sitk.GetImageFromArray(brain), quiet))
    padded = np.pad(brain, 10)
    large = sitk.GetArrayFromImage(step(sitk.GetImageFromArray(padded), quiet))[10:-10, 10:-10, 10:-10]
    assert np.abs(small - large).max() < 0.05


@pytest.mark.parametrize("name", ["z-score", "white-stripe", "nyul"])
def test_gain_and_offset_of_the_scanner_vanish(name, brain, quiet):
    image = sitk.GetImageFromArray(brain)
    other = sitk.GetImageFromArray(brain * 3.7 + 55)
    step = NyulNormalize.trained_on([image]) if name == "nyul" else STEPS[name]()
    first, second = (sitk.GetArrayFromImage(step(scan, quiet)) for scan in (image, other))
    assert np.abs(first - second).max() < 0.01 * np.ptp(first)


def test_white_stripe_puts_white_matter_at_zero(brain, quiet):
    result = sitk.GetArrayFromImage(STEPS["white-stripe"]()(sitk.GetImageFromArray(brain), quiet))
    assert np.median(result[brain > 135]) == pytest.approx(0, abs=0.3)


def test_nyul_brings_bent_scales_together(brain, quiet):
    image, bent = sitk.GetImageFromArray(brain), sitk.GetImageFromArray((np.maximum(brain, 0) / 170) ** 0.7 * 900)
    step = NyulNormalize.trained_on([image, bent])
    first, second = (sitk.GetArrayFromImage(step(scan, quiet)) for scan in (image, bent))
    white, gray = brain > 135, (brain > 85) & (brain < 115)
    scale = float(abs(np.median(first[white]) - np.median(first[gray])))
    for tissue in (white, gray):
        assert np.median(first[tissue]) == pytest.approx(np.median(second[tissue]), abs=0.05 * scale)


def test_nyul_maps_its_percentiles_to_its_landmarks(quiet):
    pixels = np.concatenate([np.zeros(2000), np.linspace(500, 1500, 2001)]).astype(np.float32).reshape(-1, 1)
    step = STEPS["nyul"](landmarks=(0.0, 10.0, 100.0), percentiles=(0.0, 50.0, 100.0))
    result = sitk.GetArrayFromImage(step(sitk.GetImageFromArray(pixels), quiet))[2000:, 0]
    assert (result[0], result[1000], result[-1]) == pytest.approx((0, 10, 100), abs=0.1)


def test_nyul_says_that_it_needs_to_learn_first(brain, quiet):
    with pytest.raises(InvalidSettingError, match="trained_on"):
        STEPS["nyul"]()(sitk.GetImageFromArray(brain), quiet)
    with pytest.raises(InvalidSettingError, match="at least one image"):
        NyulNormalize.trained_on([])
    with pytest.raises(UnsupportedImageError, match="without contrast"):
        NyulNormalize.trained_on([sitk.Image([4, 4], sitk.sitkFloat32)])
    with pytest.raises(InvalidSettingError, match="must increase"):
        NyulNormalize(landmarks=(2.0, 1.0), percentiles=(1.0, 99.0))


def test_histogram_matching_says_that_it_needs_a_reference(brain, quiet):
    with pytest.raises(InvalidSettingError, match="to_image"):
        STEPS["histogram-match"]()(sitk.GetImageFromArray(brain), quiet)
