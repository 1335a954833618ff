"""The Agatston score on plaques whose score is computed by hand."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition import RecognitionCase, load_model, recognize
from MedImageAnalysisLib.terminology import segment

DIRECTIONS = {"axial": (1, 0, 0, 0, 1, 0, 0, 0, 1), "turned": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}


def heart(plaques=(), spacing=(0.5, 0.5, 3.0), blood=40, direction=DIRECTIONS["axial"], info=None):
    """A heart of 60 x 60 x 12 voxels with plaques (index of slice, row, column; HU), and its segmentation."""
    hu = np.full((12, 60, 60), blood, np.int16)
    calcium = np.zeros(hu.shape, np.uint8)
    for where, value in plaques:
        hu[where] = value
        calcium[where] = 1
    pixels = sitk.GetImageFromArray(hu)
    pixels.SetSpacing(spacing)
    pixels.SetDirection(direction)
    layers = []
    for array in (np.ones(hu.shape, np.uint8), calcium):
        layer = sitk.GetImageFromArray(array)
        layer.CopyInformation(pixels)
        layers.append(layer)
    segments = (segment("heart", 1, 0), *((segment("vascular-calcification", 1, 1),) if plaques else ()))
    image = MedicalImage(pixels, info or ImageInfo(modality="CT", intensity_unit="HU", spacing_source="PixelSpacing"))
    return image, Segmentation(tuple(layers), segments)


def measured(image, segmentation, **settings) -> dict:
    found = MEASURES["agatston-score"](**settings)(image, segmentation, Progress())
    return {measurement.name: measurement for measurement in found}


def box(level, row, column, rows, columns):
    return (level, slice(row, row + rows), slice(column, column + columns))


@pytest.mark.parametrize(
    ("peak", "factor"), [(130, 1), (199, 1), (200, 2), (299, 2), (300, 3), (399, 3), (400, 4), (1500, 4)]
)
def test_the_factor_follows_the_highest_intensity(peak, factor):
    # 4 x 5 pixels of 0.25 mm2 are 5 mm2.
    score = measured(*heart([(box(5, 20, 20, 4, 5), 130), (box(5, 21, 21, 1, 1), peak)]))["agatston_score"]
    assert score.value == pytest.approx(5 * factor)


def test_lesions_and_slices_add_up_each_with_its_own_factor():
    plaques = [
        (box(3, 10, 10, 4, 4), 250),  # 4 mm2 x 2
        (box(4, 10, 10, 4, 2), 450),  # the same lesion in the next slice: 2 mm2 x 4
        (box(4, 40, 40, 8, 8), 150),  # another one: 16 mm2 x 1
    ]
    found = measured(*heart(plaques))
    assert found["agatston_score"].value == pytest.approx(4 * 2 + 2 * 4 + 16 * 1)
    assert found["calcium_volume"].value == pytest.approx((4 + 2 + 16) * 3)
    assert found["calcified_lesions"].value == 2


def test_lesions_of_one_square_millimeter_count_and_smaller_ones_do_not():
    assert measured(*heart([(box(5, 10, 10, 2, 2), 500)]))["agatston_score"].value == pytest.approx(4)
    assert measured(*heart([(box(5, 10, 10, 1, 3), 500)]))["agatston_score"].value == 0


def test_pixels_that_touch_at_a_corner_are_one_lesion():
    plaques = [(box(5, 10, 10, 1, 2), 140), (box(5, 11, 12, 1, 2), 320)]
    assert measured(*heart(plaques))["agatston_score"].value == pytest.approx(1.0 * 3)


def test_voxels_below_the_limit_do_not_count():
    assert measured(*heart([(box(5, 10, 10, 4, 4), 129)]))["agatston_score"].value == 0


@pytest.mark.parametrize("distance", [1.5, 2.5, 3.0, 6.0])
def test_the_distance_of_slices_scales_the_score(distance):
    found = measured(*heart([(box(5, 10, 10, 4, 4), 250)], spacing=(0.5, 0.5, distance)))
    assert found["agatston_score"].value == pytest.approx(8 * distance / 3)


def test_thin_slices_are_scored_as_the_thick_ones_that_they_make():
    # Three slices of 1 mm of one plaque: averaged with their neighbors they have 110, 180, 250, 180 and 110 HU.
    plaques = [(box(level, 10, 10, 4, 4), 250) for level in (4, 5, 6)]
    image, segmentation = heart(plaques, spacing=(0.5, 0.5, 1.0))
    calcium = sitk.GetArrayViewFromImage(segmentation.layers[1]) > 0
    assert calcium[:, 12, 12].sum() == 3
    # 4 mm2, three slices at a third of 3 mm: factors 1, 2, 1.
    assert measured(image, segmentation)["agatston_score"].value == pytest.approx(4 * (1 + 2 + 1) / 3)


def test_noise_in_thin_slices_does_not_count():
    noisy = np.random.default_rng(2).normal(40, 35, (12, 60, 60)).astype(np.int16)
    image, segmentation = heart([(np.s_[:], 131)], spacing=(0.8, 0.8, 1.0))
    pixels = sitk.GetImageFromArray(noisy)
    pixels.CopyInformation(image.pixels)
    found = measured(MedicalImage(pixels, image.info), segmentation)
    assert (noisy >= 130).sum() > 150
    assert found["agatston_score"].value < 3


def test_the_orientation_of_the_file_does_not_matter():
    plaques = [(box(3, 10, 10, 4, 4), 250), (box(4, 10, 10, 4, 2), 450)]
    image, segmentation = heart(plaques)
    order = (2, 0, 1)
    pixels = sitk.PermuteAxes(image.pixels, order)
    layers = tuple(sitk.PermuteAxes(layer, order) for layer in segmentation.layers)
    turned = Segmentation(layers, segmentation.segments)
    assert measured(MedicalImage(pixels, image.info), turned)["agatston_score"].value == pytest.approx(16)
    assert measured(*heart(plaques, direction=DIRECTIONS["turned"]))["agatston_score"].value == pytest.approx(16)


def test_a_heart_without_calcium_scores_zero():
    assert [m.value for m in measured(*heart()).values()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (heart(blood=300), "contrast agent"),
        (heart(info=ImageInfo(modality="MR", spacing_source="x")), "Hounsfield"),
        (heart(info=ImageInfo(modality="CT")), "spacing"),
    ],
    ids=["contrast agent", "no HU", "no spacing"],
)
def test_what_cannot_be_scored_has_a_reason(case, reason):
    for measurement in measured(*case).values():
        assert math.isnan(measurement.value)
        assert reason in measurement.reason


def test_without_a_heart_there_is_no_score():
    image, segmentation = heart()
    score = measured(image, Segmentation(segmentation.layers, ()))["agatston_score"]
    assert math.isnan(score.value)
    assert "heart" in score.reason


def test_the_model_takes_the_score():
    image, segmentation = heart([(box(5, 10, 10, 20, 20), 450)])
    found = MEASURES["agatston-score"]()(image, segmentation, Progress())
    case = RecognitionCase(image, image.pixels, segmentation, None, found)
    result = recognize(load_model("coronary-calcium-agatston"), case)
    assert result.assessed
    assert max(result.categories, key=lambda c: c.probability).category.startswith(("Severe", "Moderate"))
