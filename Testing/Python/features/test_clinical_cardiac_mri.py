"""Volumes, mass and ejection fractions of the ventricles, on segmentations of known size."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.features.clinical.cardiac_mri import (
    LeftVentricle,
    LeftVentricleCine,
    RightVentricle,
    ejection_fraction,
    end_phases,
    two_phases,
)
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition import load_model
from MedImageAnalysisLib.terminology import segment

MM = ImageInfo(modality="MR", spacing_source="file header")


def phase(pool_voxels, muscle_voxels=30, spacing=(2.0, 2.0, 10.0), info=MM, size=(20, 20, 4)):
    """A phase whose pool and wall have so many voxels."""
    labels = sitk.Image(list(size), sitk.sitkUInt8)
    for number in range(pool_voxels + muscle_voxels):
        index = (number % size[0], number // size[0] % size[1], number // (size[0] * size[1]))
        labels[index] = 1 if number < pool_voxels else 2
    labels.SetSpacing(spacing)
    segments = (segment("left-ventricle", 1), segment("left-ventricular-myocardium", 2))
    return MedicalImage(sitk.Cast(labels, sitk.sitkInt16), info), Segmentation((labels,), segments)


def by_name(measurements):
    return {m.name: m for m in measurements}


def test_volumes_are_in_milliliters_and_mass_in_grams():
    found = by_name(LeftVentricle()(*phase(500, 300), Progress()))
    assert found["left_ventricular_volume"].value == pytest.approx(500 * 40 / 1000)
    assert found["left_ventricular_volume"].unit == "mL"
    assert found["left_ventricular_mass"].value == pytest.approx(300 * 40 / 1000 * 1.05)


def test_one_phase_has_no_ejection_fraction_and_says_why():
    found = by_name(LeftVentricle()(*phase(500), Progress()))["left_ventricular_ejection_fraction"]
    assert math.isnan(found.value)
    assert "end-systole" in found.reason


def test_two_phases_give_the_ejection_fraction_that_the_model_reads():
    fraction, stroke = ejection_fraction(phase(500), phase(200))
    assert fraction.value == pytest.approx(60.0)
    assert stroke.value == pytest.approx(300 * 40 / 1000)
    criterion = load_model("lv-ejection-fraction").spec
    assert fraction.name == criterion.measurement
    assert fraction.unit in criterion.units


def test_the_fraction_needs_no_spacing_but_volumes_are_then_in_pixels():
    ed, es = (phase(count, spacing=(1.0, 1.0, 1.0), info=ImageInfo(modality="MR")) for count in (400, 300))
    fraction, stroke = ejection_fraction(ed, es)
    assert fraction.value == pytest.approx(25.0)
    assert (stroke.value, stroke.unit) == (100.0, "px3")
    found = by_name(LeftVentricle()(*ed, Progress()))
    assert found["left_ventricular_volume"].unit == "px3"
    assert math.isnan(found["left_ventricular_mass"].value)
    assert "spacing" in found["left_ventricular_mass"].reason


@pytest.mark.parametrize(
    ("ed", "es", "word"),
    [
        (phase(200), phase(500), "exchanged"),
        (phase(500), phase(0), "Not found"),
        (phase(500), phase(200, spacing=(1.0, 1.0, 10.0)), "spacing"),
        (phase(500), phase(200, size=(20, 20, 5)), "sizes"),
        (phase(500), phase(200, info=ImageInfo(modality="MR")), "only one"),
    ],
)
def test_phases_that_do_not_fit_give_no_fraction(ed, es, word):
    for measurement in ejection_fraction(ed, es):
        assert math.isnan(measurement.value)
        assert word in measurement.reason


def test_a_segmentation_without_ventricle_gives_reasons_not_zeros():
    image, _ = phase(10)
    nothing = Segmentation((sitk.Image(image.pixels.GetSize(), sitk.sitkUInt8),), ())
    for measurement in LeftVentricle()(image, nothing, Progress()):
        assert math.isnan(measurement.value)
        assert measurement.reason


def cine(areas, spacing=(1.5, 2.0, 1.0)):
    """A cine whose frames have pools of so many pixels."""
    labels = np.zeros((len(areas), 10, 10), np.uint8)
    for frame, area in zip(labels, areas, strict=True):
        frame.reshape(-1)[:area] = 1
    layer = sitk.GetImageFromArray(labels)
    layer.SetSpacing(spacing)
    return MedicalImage(layer, MM), Segmentation((layer,), (segment("left-ventricle", 1),))


def test_the_frames_of_a_cine_with_the_largest_and_smallest_pool_are_found():
    found = by_name(LeftVentricleCine()(*cine([70, 80, 50, 20, 40, 60]), Progress()))
    assert found["left_ventricular_end_diastolic_frame"].value == 2
    assert found["left_ventricular_end_systolic_frame"].value == 4
    assert found["left_ventricular_end_diastolic_area"].value == pytest.approx(80 * 3.0)
    assert found["left_ventricular_end_systolic_area"].unit == "mm2"
    assert found["left_ventricular_fractional_area_change"].value == pytest.approx(75.0)


def test_frames_without_a_pool_are_not_end_systole():
    found = by_name(LeftVentricleCine()(*cine([70, 0, 30]), Progress()))
    assert found["left_ventricular_end_systolic_frame"].value == 3


def test_one_bad_outline_in_a_cine_neither_decides_nor_is_taken():
    areas = [80, 78, 70, 60, 50, 10, 45, 50, 60, 70, 76, 99]
    found = by_name(LeftVentricleCine()(*cine(areas), Progress()))
    assert found["left_ventricular_end_diastolic_frame"].value == 1
    assert found["left_ventricular_end_systolic_frame"].value == 7
    assert found["left_ventricular_end_systolic_area"].value == pytest.approx(45 * 3.0)


def test_a_cine_with_one_outlined_frame_has_no_phases_and_says_why():
    for measurement in LeftVentricleCine()(*cine([0, 40, 0]), Progress()):
        assert math.isnan(measurement.value)
        assert "1 frames" in measurement.reason


def test_end_phases_need_two_sizes():
    assert end_phases([3.0, math.nan, 1.0]) == (0, 2)
    with pytest.raises(InvalidSettingError, match="two phases"):
        end_phases([math.nan, 1.0])


def test_two_existing_segmentations_give_volumes_mass_and_fraction():
    found = by_name(two_phases(phase(500, 300), phase(200), Progress()))
    assert found["left_ventricular_end_diastolic_volume"].value == pytest.approx(20.0)
    assert found["left_ventricular_end_systolic_volume"].value == pytest.approx(8.0)
    assert found["left_ventricular_end_diastolic_mass"].value == pytest.approx(12.6)
    assert found["left_ventricular_ejection_fraction"].value == pytest.approx(60.0)


def with_right_ventricle(phase_of_left, voxels):
    image, segmentation = phase_of_left
    labels = sitk.Image(segmentation.labelmap)
    width, height, _ = labels.GetSize()
    for number in range(voxels):
        labels[number % width, number // width % height, 3] = 3
    return image, Segmentation((labels,), (*segmentation.segments, segment("right-ventricle", 3)))


def test_the_right_ventricle_has_a_volume_or_the_reason_why_not():
    (volume,) = RightVentricle()(*with_right_ventricle(phase(500), 250), Progress())
    assert volume.value == pytest.approx(250 * 40 / 1000)
    assert volume.unit == "mL"
    (missing,) = RightVentricle()(*phase(500), Progress())
    assert math.isnan(missing.value)
    assert "right ventricle" in missing.reason


def test_two_phases_give_the_ejection_fraction_of_each_side_that_was_outlined():
    ed, es = with_right_ventricle(phase(500), 300), with_right_ventricle(phase(200), 150)
    found = by_name(two_phases(ed, es, Progress()))
    assert found["left_ventricular_ejection_fraction"].value == pytest.approx(60.0)
    assert found["right_ventricular_ejection_fraction"].value == pytest.approx(50.0)
    assert found["right_ventricular_end_diastolic_volume"].value == pytest.approx(300 * 40 / 1000)
    assert not any(name.startswith("right") for name in by_name(two_phases(phase(500), phase(200), Progress())))
