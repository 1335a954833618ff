"""Measurements of breast lesions, on ellipses and stars whose size, margin and echoes are known."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, Measurement, MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import segment

SHAPE = (240, 300)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]
LENGTHS = ("lesion_longest_diameter", "lesion_width", "lesion_depth")
ECHOES = ("lesion_echo_contrast", "lesion_posterior_contrast")


def ellipse(half_width: float, half_height: float, center: tuple[float, float] = (150, 90)) -> np.ndarray:
    return ((X - center[0]) / half_width) ** 2 + ((Y - center[1]) / half_height) ** 2 <= 1


def star(radius: float, spikes: int, height: float) -> np.ndarray:
    angle, distance = np.arctan2(Y - 90, X - 150), np.hypot(Y - 90, X - 150)
    return distance <= radius * (1 + height * np.cos(spikes * angle))


def measured(
    mask: np.ndarray, pixels: np.ndarray | None = None, spacing: float = 1.0, source: str = "PixelSpacing"
) -> dict[str, Measurement]:
    picture = sitk.GetImageFromArray(Y.astype(np.float32) if pixels is None else pixels.astype(np.float32))
    labelmap = sitk.GetImageFromArray(mask.astype(np.uint8))
    for image in (picture, labelmap):
        image.SetSpacing((spacing, spacing))
        image.SetOrigin((-30.0, 50.0))
    segmentation = Segmentation((labelmap,), (segment("breast-lesion", 1),) if mask.any() else ())
    image = MedicalImage(picture, ImageInfo(modality="US", spacing_source=source))
    found = MEASURES["breast-lesion"]()(image, segmentation, Progress())
    return {measurement.name: measurement for measurement in found}


def test_diameter_width_and_depth_of_an_ellipse_are_its_axes():
    found = measured(ellipse(50, 25), spacing=0.1)
    assert found["lesion_longest_diameter"].value == pytest.approx(10.0, abs=0.15)
    assert found["lesion_width"].value == pytest.approx(10.1)
    assert found["lesion_depth"].value == pytest.approx(5.1)
    assert {found[name].unit for name in LENGTHS} == {"mm"}


def test_lengths_are_in_pixels_where_the_spacing_is_unknown():
    found = measured(ellipse(50, 25), source="")
    assert found["lesion_width"].value == 101
    assert {found[name].unit for name in LENGTHS} == {"px"}


def test_longest_diameter_of_an_oblique_lesion_is_along_it():
    lesion = (np.abs(X - Y - 60) <= 5) & (np.abs(X + Y - 240) <= 80)
    found = measured(lesion)["lesion_longest_diameter"]
    assert found.value == pytest.approx(math.hypot(80, 80), rel=0.05)
    (line,) = found.lines
    assert math.dist(line.start, line.end) == pytest.approx(found.value)


def test_lines_lie_on_the_lesion_in_physical_space():
    (line,) = measured(ellipse(50, 25), spacing=0.5)["lesion_width"].lines
    assert line.start == pytest.approx((-30 + 99.5 * 0.5, 50 + 90 * 0.5))
    assert line.end == pytest.approx((-30 + 200.5 * 0.5, 50 + 90 * 0.5))


@pytest.mark.parametrize(("half_width", "half_height"), [(20, 40), (40, 20)])
def test_only_a_lesion_taller_than_wide_has_a_ratio_above_one(half_width, half_height):
    ratio = measured(ellipse(half_width, half_height))["lesion_depth_width_ratio"]
    assert ratio.value == pytest.approx(half_height / half_width, rel=0.05)
    assert ratio.unit == "1"


def test_disk_is_circular_regular_and_without_spikes():
    found = measured(ellipse(40, 40))
    # An outline through pixels is some percent longer than the circle.
    assert found["lesion_circularity"].value == pytest.approx(1, abs=0.07)
    assert found["lesion_margin_irregularity"].value == pytest.approx(1, abs=0.07)
    assert found["lesion_spiculation"].value < 2


def test_elongation_lowers_circularity_but_is_no_irregularity():
    round_one, long_one = measured(ellipse(40, 40)), measured(ellipse(80, 20))
    assert long_one["lesion_circularity"].value < 0.85
    difference = long_one["lesion_margin_irregularity"].value - round_one["lesion_margin_irregularity"].value
    assert abs(difference) < 0.03


def test_spikes_raise_irregularity_and_spiculation_with_their_height():
    found = [measured(star(40, 11, height)) for height in (0.0, 0.15, 0.3)]
    for name in ("lesion_margin_irregularity", "lesion_spiculation"):
        values = [each[name].value for each in found]
        assert values == sorted(values)
        assert values[2] > 1.3 * values[0]


@pytest.mark.parametrize(("echo", "sign"), [(160.0, 1), (40.0, -1)])
def test_enhancement_is_positive_and_shadow_negative(echo, sign):
    pixels = np.where(X % 2 == 0, 80.0, 120.0)
    lesion = ellipse(40, 30)
    pixels[(np.abs(X - 150) < 40) & (Y > 90)] = echo
    pixels[lesion] = 20.0
    # The 1st and 99th percentile span 20 to 160, respectively 120.
    scale = 100 / (max(echo, 120) - 20)
    found = measured(lesion, pixels)["lesion_posterior_contrast"]
    assert found.value == pytest.approx((echo - 100) * scale, abs=2)
    assert found.value * sign > 0
    assert found.unit == "%"


def test_hypoechoic_lesion_has_negative_echo_contrast_whatever_the_gray_scale():
    pixels = np.where(X % 2 == 0, 80.0, 120.0)
    lesion = ellipse(40, 30)
    pixels[lesion] = 20.0
    found = measured(lesion, pixels)["lesion_echo_contrast"].value
    assert found == pytest.approx(-80, abs=1)
    assert measured(lesion, 7 * pixels - 300)["lesion_echo_contrast"].value == pytest.approx(found)


def test_largest_of_several_lesions_is_measured():
    found = measured(ellipse(30, 20) | ellipse(10, 8, (250, 180)))
    assert found["lesion_width"].value == 61


def test_without_lesion_nothing_is_measured_and_the_reason_is_told():
    found = measured(np.zeros(SHAPE, bool)).values()
    assert len(found) == 9
    assert all(math.isnan(each.value) and each.reason == "No lesion was found." for each in found)


def test_cut_off_lesion_has_no_size_but_an_echo():
    found = measured(ellipse(40, 30, (5, 90)))
    for name, each in found.items():
        assert math.isnan(each.value) == (name not in ECHOES)
        assert ("cut off" in each.reason) == (name not in ECHOES)


def test_lesion_at_the_bottom_has_no_posterior_feature():
    found = measured(ellipse(40, 30, (150, 208)))["lesion_posterior_contrast"]
    assert math.isnan(found.value)
    assert "too little tissue" in found.reason


def test_speck_and_blank_picture_are_told():
    assert "too small" in measured(ellipse(1, 1))["lesion_width"].reason
    blank = measured(ellipse(40, 30), np.zeros(SHAPE))
    assert blank["lesion_width"].value == 81
    assert all("blank" in blank[name].reason for name in ECHOES)


def test_every_measurement_names_its_source():
    assert all("BI-RADS" in each.reference and each.description for each in measured(ellipse(40, 30)).values())
