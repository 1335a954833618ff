"""The field of a picture: where it lies, and a picture cut to it."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.imaging.picture_field import cut_to_field, find_field


def test_the_field_of_a_large_picture_reaches_its_last_row():
    """Blocks of the reduced picture do not divide 2047 rows."""
    pixels = np.zeros((2047, 1500), np.uint16)
    pixels[:, 400:1101] = 1000
    first, last = find_field(sitk.GetImageFromArray(pixels))
    assert (first[1], last[1]) == (0, 2046)
    assert first[0] == pytest.approx(400, abs=4)
    assert last[0] == pytest.approx(1100, abs=4)


def test_picture_is_cut_to_its_field_where_enough_of_it_is_left():
    picture = sitk.GetImageFromArray(np.pad(np.random.default_rng(2).uniform(50, 200, (90, 70)), ((20, 10), (30, 40))))
    picture.SetSpacing((0.2, 0.3))
    start, field = cut_to_field(picture, 64)
    assert (start, field.GetSize()) == ([30, 20], (70, 90))
    assert field.GetOrigin() == pytest.approx((6.0, 6.0))
    assert cut_to_field(picture, 80) == ([0, 0], picture)
    assert cut_to_field(field, 64) == ([0, 0], field)
