"""Grids: sameness, words, and labels brought from one to another."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Segmentation
from MedImageAnalysisLib.imaging.geometry import describe_grid, resample_segmentation, same_grid, scaled
from MedImageAnalysisLib.terminology import generic_segment


@pytest.fixture
def a_volume():
    image = sitk.GetImageFromArray(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6))
    image.SetSpacing((0.5, 0.7, 2.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    return image


def moved(image, **changes):
    copy = sitk.Image(image)
    for name, value in changes.items():
        getattr(copy, f"Set{name}")(value)
    return copy


def test_a_rounded_header_is_the_same_grid(a_volume):
    assert same_grid(a_volume, moved(a_volume, Origin=(-10.0001, 20.0, 30.0), Spacing=(0.5 + 1e-6, 0.7, 2.0)))


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": (-10.1, 20.0, 30.0)},
        {"Spacing": (0.5, 0.7, 2.1)},
        {"Direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_place_is_another_grid(a_volume, changes):
    assert not same_grid(a_volume, moved(a_volume, **changes))


def test_another_size_is_another_grid(a_volume):
    assert not same_grid(a_volume, a_volume[:, :, 1:])


def test_a_grid_is_said_in_words(a_volume):
    assert describe_grid(a_volume).startswith("6 x 5 x 4 voxels of 0.5 x 0.7 x 2 mm at origin (-10.00, 20.00, 30.00)")


def test_labels_come_to_another_grid_at_the_same_place(a_volume):
    labels = sitk.Cast(a_volume > 60, sitk.sitkUInt8)
    segmentation = Segmentation((labels,), (generic_segment("bright", 1),))
    coarse = sitk.Resample(a_volume, [3, 3, 4], sitk.Transform(), sitk.sitkNearestNeighbor, a_volume.GetOrigin(),
                           (1.0, 1.4, 2.0), a_volume.GetDirection(), 0, sitk.sitkInt16)  # fmt: skip
    there = resample_segmentation(segmentation, coarse)
    assert same_grid(there.labelmap, coarse)
    assert np.array_equal(sitk.GetArrayFromImage(there.labelmap), sitk.GetArrayFromImage(coarse) > 60)


def test_labels_on_the_grid_are_not_touched(a_volume):
    segmentation = Segmentation((sitk.Cast(a_volume > 60, sitk.sitkUInt8),), (generic_segment("bright", 1),))
    assert resample_segmentation(segmentation, a_volume) is segmentation


def test_a_change_of_the_unit_of_length_can_be_undone(a_volume):
    assert same_grid(scaled(scaled(a_volume, 0.2), 5.0), a_volume)
    assert scaled(a_volume, 2).GetSpacing() == (1.0, 1.4, 4.0)
