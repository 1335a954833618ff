"""The ventricles in short-axis MRI: found in phantoms of known volume and in real hearts."""

import numpy as np
import pytest
import SimpleITK as sitk
from cardiac_phantom import BLOOD, LUNG, MUSCLE, SIZE, SPACING, short_axis

from MedImageAnalysisLib.errors import Cancelled, UnsupportedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.cardiac_mri.borders import rounded
from MedImageAnalysisLib.segmentation.cardiac_mri.method import CardiacMRI
from MedImageAnalysisLib.segmentation.cardiac_mri.polar import ANGLES, closed_path, convex


def dice(found, true):
    return 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))


@pytest.mark.parametrize("largest_mm", [18.0, 26.0])
def test_finds_pool_and_wall_of_small_and_large_ventricles(largest_mm):
    image, labels = short_axis(largest_mm)
    found = sitk.GetArrayFromImage(CardiacMRI()(image, None, Progress()).labelmap)
    assert dice(found == 1, labels == 1) > 0.9
    assert dice(found == 2, labels == 2) > 0.75
    assert np.count_nonzero(found == 1) == pytest.approx(np.count_nonzero(labels == 1), rel=0.2)


def test_papillary_muscles_count_as_pool():
    image, labels = short_axis(26.0)
    values = sitk.GetArrayFromImage(image)
    papillary = np.zeros(labels.shape, bool)
    papillary[:4, 62:66, 84:88] = True
    values[papillary] = MUSCLE
    marred = sitk.GetImageFromArray(values)
    marred.CopyInformation(image)
    found = sitk.GetArrayFromImage(CardiacMRI()(marred, None, Progress()).labelmap)
    assert (found[papillary & (labels == 1)] == 1).mean() > 0.9


def test_a_cavity_that_is_nearly_closed_does_not_take_muscle_for_blood():
    image, labels = short_axis(24.0)
    values = sitk.GetArrayFromImage(image)
    y, x = np.meshgrid(*(np.arange(SIZE) * SPACING[0],) * 2, indexing="ij")
    for number in range(4, 8):
        values[number][(labels[number] == 1) & (np.hypot(y - 100 - number, x - 110) > 5)] = MUSCLE
    closed = sitk.GetImageFromArray(values)
    closed.CopyInformation(image)
    pool = sitk.GetArrayFromImage(CardiacMRI()(closed, None, Progress()).labelmap) == 1
    areas = pool[4:].sum(axis=(1, 2)) * SPACING[0] * SPACING[1]
    assert (areas < 2 * np.pi * 5**2).all()
    assert dice(pool[:4], labels[:4] == 1) > 0.9


def test_slices_above_the_valves_are_left_out_unless_asked_for():
    image, labels = short_axis(24.0)
    values = sitk.GetArrayFromImage(image)
    y, x = np.meshgrid(*(np.arange(SIZE) * SPACING[0],) * 2, indexing="ij")
    # The atrium: as wide, with a thin wall, and vessels around it.
    values[0][(labels[0] == 2) & (np.hypot(y - 100, x - 110) > 24.0 + 3.0)] = BLOOD
    atrium = sitk.GetImageFromArray(values)
    atrium.CopyInformation(image)
    found = sitk.GetArrayFromImage(CardiacMRI()(atrium, None, Progress()).labelmap)
    assert not found[0].any()
    assert found[1].any()
    assert sitk.GetArrayFromImage(CardiacMRI(above_valves=True)(atrium, None, Progress()).labelmap)[0].any()


def test_orientation_in_space_does_not_matter():
    image, _ = short_axis(22.0)
    straight = sitk.GetArrayFromImage(CardiacMRI()(image, None, Progress()).labelmap)
    image.SetDirection((0.0, 0.6, 0.8, 1.0, 0.0, 0.0, 0.0, 0.8, -0.6))
    image.SetOrigin((10.0, -30.0, 55.0))
    tilted = CardiacMRI()(image, None, Progress()).labelmap
    assert np.array_equal(sitk.GetArrayFromImage(tilted), straight)
    assert tilted.GetOrigin() == image.GetOrigin()


def test_finds_the_pool_in_the_frames_of_a_beating_slice():
    largest = [24.0, 22.0, 18.0, 14.0, 16.0, 20.0, 23.0, 24.0]
    frames, labels = zip(*((image[:, :, 2], truth[2]) for image, truth in map(short_axis, largest)), strict=True)
    found = CardiacMRI()(sitk.JoinSeries(frames), None, Progress())
    pool = sitk.GetArrayFromImage(found.labelmap) == 1
    areas = pool.sum(axis=(1, 2))
    assert int(areas.argmin()) == 3
    assert dice(pool, np.stack(labels) == 1) > 0.9


def test_segments_carry_their_terminology():
    image, _ = short_axis(22.0)
    segments = CardiacMRI()(image, None, Progress()).segments
    assert [s.type.value for s in segments] == ["87878005", "49848007", "53085002"]


def test_refuses_where_there_is_no_ventricle():
    empty = sitk.Image([64, 64, 5], sitk.sitkFloat32)
    with pytest.raises(UnsupportedImageError, match="No left ventricle"):
        CardiacMRI()(empty, None, Progress())


def test_stops_when_asked():
    image, _ = short_axis(22.0)
    with pytest.raises(Cancelled):
        CardiacMRI()(image, None, Progress(cancelled=lambda: True))


def test_the_closed_path_finds_a_wavy_valley():
    wave = np.rint(20 + 5 * np.sin(np.arange(ANGLES) * 2 * np.pi / ANGLES)).astype(int)
    cost = np.ones((ANGLES, 40), np.float32)
    cost[np.arange(ANGLES), wave] = 0
    assert np.array_equal(closed_path(cost, 0.1), wave)


def test_the_convex_hull_fills_a_notch_and_keeps_a_circle():
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    circle = np.full(ANGLES, 10.0)
    notched = circle.copy()
    notched[10:13] = 6.0
    assert np.array_equal(convex(circle, angles), circle)
    assert np.allclose(convex(notched, angles), circle, atol=0.25)


def test_the_pool_of_a_contracted_ventricle_is_round_and_that_of_a_wide_one_stays():
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    corners = 10.0 + 1.5 * np.cos(3 * angles)
    contracted = rounded(corners, np.full(ANGLES, 24.0))
    assert contracted.min() > 11.0
    assert (contracted >= corners).all()
    assert np.array_equal(rounded(corners, corners + 4.0), corners)


@pytest.mark.parametrize("patient", ["patient001", "patient043"])
def test_real_ventricles_are_outlined(patient, real_data):
    folder = real_data / "cardiac_mri_acdc"
    image = sitk.ReadImage(folder / f"{patient}_ed_image.nii.gz", sitk.sitkFloat32)
    image.SetSpacing((350 / image.GetWidth(),) * 3)
    truth = sitk.GetArrayFromImage(sitk.ReadImage(folder / f"{patient}_ed_label.nii.gz"))
    found = sitk.GetArrayFromImage(CardiacMRI()(image, None, Progress()).labelmap)
    assert dice(found == 1, truth == 3) > 0.88
    assert dice(found == 2, truth == 2) > 0.6


def crescent(image, labels):
    """The blood of the right ventricle in the phantom: what is as bright as it, and not the left pool."""
    return (sitk.GetArrayFromImage(image) > 110) & (labels == 0)


@pytest.fixture
def heart():
    return short_axis(24.0)


def test_the_blood_behind_the_septum_is_the_right_ventricle(heart):
    image, labels = heart
    found = CardiacMRI()(image, None, Progress())
    assert [s.type.value for s in found.segments] == ["87878005", "49848007", "53085002"]
    assert dice(sitk.GetArrayFromImage(found.labelmap) == 3, crescent(image, labels)) > 0.9


def test_fat_behind_the_thin_free_wall_is_not_blood(heart):
    image, labels = heart
    values, blood = sitk.GetArrayFromImage(image), crescent(image, labels)
    y, x = np.meshgrid(*(np.arange(SIZE) * SPACING[0],) * 2, indexing="ij")
    for number in range(len(values)):
        pool = 24.0 * (1 - 0.07 * number) + 4
        away = np.hypot(y - 100, (x - 80) * 0.8)
        outside = (labels[number] == 0) & (x < 100)
        values[number][outside & (away >= pool) & (away < pool + 4.5)] = MUSCLE
        values[number][outside & (away >= pool + 4.5) & (away < pool + 25)] = BLOOD * 0.9
    fatty = sitk.GetImageFromArray(values)
    fatty.CopyInformation(image)
    found = sitk.GetArrayFromImage(CardiacMRI()(fatty, None, Progress()).labelmap) == 3
    assert dice(found, blood) > 0.85


def test_the_patients_right_is_known_from_the_geometry():
    image, labels = short_axis(24.0)
    values = sitk.GetArrayFromImage(image)
    blood = crescent(image, labels)
    # As much blood lies on the other side of the left ventricle.
    values[:, :, 80:] = np.where(labels[:, :, 80:] > 0, values[:, :, 80:], values[:, :, 67:7:-1])
    both = sitk.GetImageFromArray(values)
    both.CopyInformation(image)
    straight = sitk.GetArrayFromImage(CardiacMRI()(both, None, Progress()).labelmap) == 3
    assert np.count_nonzero(straight & blood) > np.count_nonzero(straight & ~blood)
    both.SetDirection((-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    turned = sitk.GetArrayFromImage(CardiacMRI()(both, None, Progress()).labelmap) == 3
    assert turned.any()
    assert np.count_nonzero(turned & blood) < np.count_nonzero(turned & ~blood)


def test_a_heart_without_blood_behind_its_wall_has_no_right_ventricle(heart):
    image, labels = heart
    values = np.where(labels == 0, LUNG, sitk.GetArrayFromImage(image)).astype(np.float32)
    alone = sitk.GetImageFromArray(values)
    alone.CopyInformation(image)
    assert len(CardiacMRI()(alone, None, Progress()).segments) == 2
    assert len(CardiacMRI(right_ventricle=False)(image, None, Progress()).segments) == 2
