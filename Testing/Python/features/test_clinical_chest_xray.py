"""The cardiothoracic ratio, on outlines whose ratio is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import segment

KEYS = ("right-lung", "left-lung", "heart")


def box(left: int, right: int, top: int, bottom: int) -> np.ndarray:
    """Columns `left` to `right` and rows `top` to `bottom`, both included."""
    mask = np.zeros((200, 240), bool)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


def segmentation_of(masks: dict[str, np.ndarray], spacing: tuple[float, float] = (1.0, 1.0)) -> Segmentation:
    label = np.zeros((200, 240), np.uint8)
    for value, key in enumerate(KEYS, start=1):
        if key in masks:
            label[masks[key]] = value
    labelmap = sitk.GetImageFromArray(label)
    labelmap.SetSpacing(spacing)
    labelmap.SetOrigin((-30.0, 50.0))
    return Segmentation((labelmap,), tuple(segment(key, KEYS.index(key) + 1) for key in KEYS if key in masks))


def measured(segmentation: Segmentation, source: str = "PixelSpacing") -> dict:
    pixels = sitk.Image(segmentation.labelmap)
    image = MedicalImage(pixels, ImageInfo(modality="CR", spacing_source=source))
    found = MEASURES["cardiothoracic-ratio"]()(image, segmentation, Progress())
    return {measurement.name: measurement for measurement in found}


@pytest.fixture
def outlines() -> dict[str, np.ndarray]:
    """A thorax 200 pixels wide (20 to 219) with a heart 90 wide (90 to 179)."""
    return {
        "right-lung": box(20, 100, 30, 160) & ~box(90, 179, 90, 150),
        "left-lung": box(140, 219, 30, 160) & ~box(90, 179, 90, 150),
        "heart": box(90, 179, 90, 150),
    }


def test_ratio_is_cardiac_width_over_thoracic_width(outlines):
    assert measured(segmentation_of(outlines))["cardiothoracic_ratio"].value == pytest.approx(90 / 200)


def test_ratio_has_no_unit_and_does_not_depend_on_spacing(outlines):
    ratio = measured(segmentation_of(outlines, (0.17, 0.4)))["cardiothoracic_ratio"]
    assert ratio.value == pytest.approx(90 / 200)
    assert ratio.unit == "1"


def test_ratio_states_its_error_only_where_it_has_a_value(outlines):
    assert 0.005 < measured(segmentation_of(outlines))["cardiothoracic_ratio"].standard_error < 0.05
    del outlines["heart"]
    assert measured(segmentation_of(outlines))["cardiothoracic_ratio"].standard_error is None


def test_ratio_from_outlines_of_the_network_states_a_smaller_error_than_one_from_others(outlines):
    unknown = segmentation_of(outlines)
    errors = [
        measured(replace(unknown, made_by=origin))["cardiothoracic_ratio"].standard_error
        for origin in ("chest-xray network", "chest-xray classical", "")
    ]
    assert 0.005 < errors[0] < errors[1] == errors[2]


def test_widths_are_in_millimeters_along_the_rows(outlines):
    found = measured(segmentation_of(outlines, (0.5, 2.0)))
    assert found["cardiac_width"].value == pytest.approx(45.0)
    assert found["thoracic_width"].value == pytest.approx(100.0)
    assert found["cardiac_width"].unit == found["thoracic_width"].unit == "mm"


def test_widths_are_in_pixels_where_the_spacing_is_unknown(outlines):
    found = measured(segmentation_of(outlines), source="")
    assert found["thoracic_width"].unit == "px"


def test_borders_of_the_heart_count_at_their_own_heights(outlines):
    outlines["heart"] = box(90, 140, 90, 120) | box(130, 179, 120, 150)
    assert measured(segmentation_of(outlines))["cardiac_width"].value == pytest.approx(90)


def test_lines_show_the_measured_widths(outlines):
    found = measured(segmentation_of(outlines, (0.5, 2.0)))
    (thorax,) = found["thoracic_width"].lines
    assert math.dist(thorax.start, thorax.end) == pytest.approx(100.0)
    assert thorax.start == pytest.approx((-30 + 19.5 * 0.5, thorax.end[1]))
    cardiac = found["cardiac_width"].lines
    assert sum(math.dist(line.start, line.end) for line in cardiac) == pytest.approx(45.0)
    # Both start or end at the same midline, halfway between the lungs above the heart.
    assert cardiac[0].end[0] == cardiac[1].start[0] == pytest.approx(-30 + 120 * 0.5)


@pytest.mark.parametrize("key", KEYS)
def test_missing_structure_gives_no_number_but_its_name(outlines, key):
    del outlines[key]
    ratio = measured(segmentation_of(outlines))["cardiothoracic_ratio"]
    assert math.isnan(ratio.value)
    assert key.replace("-", " ") in ratio.reason


def test_empty_segment_counts_as_missing(outlines):
    outlines["heart"] = box(0, 0, 0, 0) & False
    assert math.isnan(measured(segmentation_of(outlines))["cardiothoracic_ratio"].value)


def test_thorax_cut_off_by_the_picture_is_not_measured(outlines):
    outlines["right-lung"] = outlines["right-lung"] | box(0, 30, 60, 100)
    ratio = measured(segmentation_of(outlines))["cardiothoracic_ratio"]
    assert math.isnan(ratio.value)
    assert "cut off" in ratio.reason


def test_ratio_that_does_not_occur_is_not_reported(outlines):
    outlines["heart"] = box(110, 125, 90, 150)
    ratio = measured(segmentation_of(outlines))["cardiothoracic_ratio"]
    assert math.isnan(ratio.value)
    assert "0.08" in ratio.reason


def test_heart_beyond_the_thorax_is_not_measured(outlines):
    outlines["heart"] = box(5, 150, 165, 180)
    assert "not between" in measured(segmentation_of(outlines))["cardiothoracic_ratio"].reason


def test_lungs_without_a_common_row_are_not_measured(outlines):
    outlines["left-lung"] = box(140, 219, 170, 190)
    assert "both lungs" in measured(segmentation_of(outlines))["cardiothoracic_ratio"].reason
