"""Quality control: each trouble is found by its check, and a good case is green."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, Measurement, MedicalImage, QualityFinding, Segmentation
from MedImageAnalysisLib.quality import CHECKS, QualityCase, assess, overall
from MedImageAnalysisLib.quality.intensities import noise_deviation
from MedImageAnalysisLib.terminology import segment

SPACING = (2.0, 2.0, 2.0)


@pytest.fixture
def lung_labels():
    """Left and right lung of about 2 L each in a grid of 2 mm, the patient's left at larger x."""
    z, y, x = np.mgrid[:110, :80, :160]
    labels = np.zeros(z.shape, np.uint8)
    for label, center in ((1, 115), (2, 45)):
        labels[((x - center) / 30) ** 2 + ((y - 40) / 35) ** 2 + ((z - 55) / 50) ** 2 < 1] = label
    return labels


def case_of(labels, pixels=None, measurements=(), direction=None, spacing_source="file header"):
    if pixels is None:
        generator = np.random.default_rng(0)
        pixels = np.where(labels > 0, -800, 40) + generator.normal(0, 10, labels.shape)
    images = [sitk.GetImageFromArray(array) for array in (pixels.astype(np.int16), labels)]
    for image in images:
        image.SetSpacing(SPACING[: image.GetDimension()])
        if direction:
            image.SetDirection(direction)
    segments = (segment("left-lung", 1), segment("right-lung", 2))
    medical = MedicalImage(images[0], ImageInfo(modality="CT", spacing_source=spacing_source))
    return QualityCase(medical, Segmentation((images[1],), segments), tuple(measurements))


def level_of(case, check):
    levels = [finding.level for finding in CHECKS[check]()(case)]
    return levels[0] if levels else None


def test_a_good_case_is_green_in_every_check(lung_labels):
    findings = assess(case_of(lung_labels))
    assert {finding.level for finding in findings} == {"green"}
    assert overall(findings) == "green"


def test_the_worst_comes_first_and_decides():
    findings = [QualityFinding(level, "check", "reason") for level in ("green", "red", "amber")]
    assert overall(findings) == "red"
    assert overall(findings[:1]) == overall([]) == "green"


def test_a_blank_image_is_red(lung_labels):
    assert level_of(case_of(lung_labels, np.zeros(lung_labels.shape)), "contrast") == "red"


def test_a_coarse_image_is_amber(lung_labels):
    assert level_of(case_of(lung_labels, lung_labels * 100), "contrast") == "amber"


def test_clipped_highlights_are_amber(lung_labels):
    pixels = np.random.default_rng(0).normal(100, 30, lung_labels.shape).clip(0, 120)
    assert level_of(case_of(lung_labels, pixels), "saturation") == "amber"


@pytest.mark.parametrize(("deviation", "level"), [(5, "green"), (100, "amber"), (500, "red")])
def test_noise_is_judged_relative_to_the_range(lung_labels, deviation, level):
    pixels = np.where(lung_labels > 0, -800, 40) + np.random.default_rng(0).normal(0, deviation, lung_labels.shape)
    assert level_of(case_of(lung_labels, pixels), "noise") == level


@pytest.mark.parametrize("deviation", [1.0, 7.0, 40.0])
def test_the_noise_of_a_smooth_image_is_measured(deviation):
    y, x = np.mgrid[:200, :200]
    smooth = 3 * x + 0.01 * y**2 + np.random.default_rng(1).normal(0, deviation, x.shape)
    assert noise_deviation(sitk.GetImageFromArray(smooth)) == pytest.approx(deviation, rel=0.03)


def test_a_structure_that_was_not_found_is_red_by_name(lung_labels):
    case = case_of(np.where(lung_labels == 2, 0, lung_labels))
    assert level_of(case, "empty-segments") == "red"
    assert "Right lung" in assess(case)[0].reason


def test_exchanged_sides_are_red(lung_labels):
    exchanged = np.choose(lung_labels, [0, 2, 1]).astype(np.uint8)
    assert level_of(case_of(exchanged), "sides") == "red"


def test_sides_are_those_of_the_patient_not_of_the_array(lung_labels):
    mirrored_axis = (-1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert level_of(case_of(lung_labels, direction=mirrored_axis), "sides") == "red"
    assert level_of(case_of(lung_labels[:, :, ::-1].copy(), direction=mirrored_axis), "sides") == "green"


def test_a_lung_cut_off_by_the_border_is_amber(lung_labels):
    assert level_of(case_of(lung_labels[:60].copy()), "cropping") == "amber"


def test_an_implausible_volume_is_amber_and_says_both_numbers(lung_labels):
    finding = next(iter(CHECKS["plausible-size"]()(case_of(lung_labels[::6, ::2, ::2].copy()))))
    assert finding.level == "amber"
    assert "adults have 600 to 4500 mL" in finding.reason


def test_sizes_are_not_judged_without_spacing(lung_labels):
    assert level_of(case_of(lung_labels, spacing_source=""), "plausible-size") is None


def with_heart(labels, column):
    hearted = labels.copy()
    z, y, x = np.ogrid[:110, :80, :160]
    heart = ((x - column) / 14) ** 2 + ((y - 40) / 15) ** 2 + ((z - 45) / 20) ** 2 < 1
    hearted[heart] = 3
    case = case_of(hearted)
    found = Segmentation(case.segmentation.layers, (*case.segmentation.segments, segment("heart", 3)))
    return QualityCase(case.image, found, ())


@pytest.mark.parametrize(("column", "level"), [(88, "green"), (80, "green"), (70, "red")])
def test_a_heart_on_the_right_is_red(lung_labels, column, level):
    assert level_of(with_heart(lung_labels, column), "heart-side") == level


def test_a_mirrored_image_is_found_out_by_the_heart(lung_labels):
    case = with_heart(lung_labels, 88)
    layer = sitk.GetArrayFromImage(case.segmentation.layers[0])[:, :, ::-1]
    # The method called the lungs by their place, as ours do.
    mirrored = sitk.GetImageFromArray(np.choose(layer, [0, 2, 1, 3]).astype(np.uint8))
    mirrored.CopyInformation(case.segmentation.layers[0])
    found = QualityCase(case.image, Segmentation((mirrored,), case.segmentation.segments), ())
    assert level_of(found, "sides") == "green"
    assert level_of(found, "heart-side") == "red"


def test_the_size_of_what_is_cut_off_is_not_judged(lung_labels):
    assert level_of(case_of(lung_labels[48:60].copy()), "plausible-size") is None


def test_a_structure_that_is_cut_off_may_be_small_but_not_too_large():
    labels = np.ones((110, 160, 160), np.uint8)
    findings = list(CHECKS["plausible-size"]()(case_of(labels, np.zeros(labels.shape))))
    assert findings[0].level == "amber"
    assert "22528 mL" in findings[0].reason


def test_doubts_about_the_kind_of_image_are_amber(lung_labels):
    case = case_of(lung_labels)
    doubted = QualityCase(case.image, case.segmentation, (), doubts=("The image says body part KNEE.",))
    assert level_of(case, "suitability") == "green"
    assert level_of(doubted, "suitability") == "amber"


def test_ct_off_its_scale_is_amber(lung_labels):
    generator = np.random.default_rng(0)
    pixels = np.where(lung_labels > 0, -800, 40) + generator.normal(0, 10, lung_labels.shape)
    assert level_of(case_of(lung_labels, pixels), "hounsfield-scale") == "green"
    assert level_of(case_of(lung_labels, pixels + 1024), "hounsfield-scale") == "amber"


@pytest.mark.parametrize(("shift", "level"), [(0, "green"), (6, "amber")])
def test_slices_acquired_in_turns_and_shifted_are_amber(lung_labels, shift, level):
    pixels = np.where(lung_labels > 0, -800.0, 40.0)
    pixels[::2] = np.roll(pixels[::2], shift, axis=2)
    assert level_of(case_of(lung_labels, pixels), "slice-motion") == level


def test_a_missing_measurement_is_amber_with_its_reason(lung_labels):
    missing = Measurement("ctr", "Ratio", float("nan"), "1", "", "", reason="No heart was found.")
    (finding,) = CHECKS["missing-measurements"]()(case_of(lung_labels, measurements=[missing]))
    assert finding.level == "amber"
    assert finding.reason == "Not measured: Ratio. No heart was found."


def test_measurements_missing_for_one_reason_are_one_finding(lung_labels):
    missing = [
        Measurement(name, name, float("nan"), "1", "", "", reason=reason)
        for name, reason in (("Length", "No lesion."), ("Width", "No lesion."), ("Age", "Not in the header."))
    ]
    findings = list(CHECKS["missing-measurements"]()(case_of(lung_labels, measurements=missing)))
    assert [finding.reason for finding in findings] == [
        "Not measured: Length, Width. No lesion.",
        "Not measured: Age. Not in the header.",
    ]


@pytest.mark.parametrize("key", ["breast-lesion", "tumor-candidate", "hyperdense"])
def test_a_lesion_that_is_not_seen_is_amber_and_not_ruled_out(lung_labels, key):
    lungs = case_of(lung_labels)
    case = QualityCase(lungs.image, Segmentation(lungs.segmentation.layers, (segment(key, 9),)), ())
    assert level_of(case, "empty-segments") is None
    (finding,) = CHECKS["nothing-seen"]()(case)
    assert finding.level == "amber"
    assert "ruled out" in finding.reason
    assert level_of(lungs, "nothing-seen") is None


def test_no_calcification_is_no_alarm(lung_labels):
    lungs = case_of(lung_labels)
    both = Segmentation(lungs.segmentation.layers, (*lungs.segmentation.segments, segment("vascular-calcification", 9)))
    assert level_of(QualityCase(lungs.image, both, ()), "empty-segments") == "green"


def test_a_radiograph_is_judged_too(lung_labels):
    flat = lung_labels[55]
    pixels = np.where(flat > 0, 200, 900) + np.random.default_rng(0).normal(0, 5, flat.shape)
    case = case_of(flat.copy(), pixels)
    radiograph = MedicalImage(case.image.pixels, ImageInfo(modality="DX", spacing_source="ImagerPixelSpacing"))
    findings = assess(QualityCase(radiograph, case.segmentation, ()))
    assert overall(findings) == "green"


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.name)
def test_every_check_explains_itself(check):
    assert check.title
    assert check.__doc__
    assert all(info.doc for info in check.parameters())


def test_a_tumor_candidate_is_amber_always_and_its_absence_is_not_judged(lung_labels):
    lungs = case_of(lung_labels)
    candidate = Segmentation(lungs.segmentation.layers, (segment("tumor-candidate", 1),))
    assert level_of(QualityCase(lungs.image, candidate, ()), "tumor-candidate") == "amber"
    assert level_of(lungs, "tumor-candidate") is None
