"""The heart ends on the diaphragm: at the line between its lowest contacts with the lungs, which sags a little."""

import numpy as np
import pytest

from MedImageAnalysisLib.segmentation.chest_xray.heart_base import SAG, above_diaphragm, base_of

SIZE = 200


def chest(bottom, left_base=140):
    """Levels of a heart between columns 80 and 140 down to `bottom`, and of the lungs beside it."""
    levels = [np.zeros((SIZE, SIZE), np.float32) for _ in range(3)]
    heart, right, left = levels
    heart[70:bottom, 80:140] = 1
    right[30:140, 30:80] = 1
    left[30:left_base, 140:180] = 1
    return tuple(levels)


def inside(levels):
    return levels > 0.5


def test_what_hangs_below_the_diaphragm_is_cut_off():
    heart, right, left = chest(165)
    cut = inside(above_diaphragm(heart, right, left, 1.0))
    depth = np.flatnonzero(cut[:, 110])[-1] - 142
    assert depth == pytest.approx(60 * SAG, abs=2)
    assert np.array_equal(cut[:140], inside(heart)[:140])


def test_the_sag_is_the_same_in_space_where_pixels_are_not_square():
    depths = [np.flatnonzero(inside(above_diaphragm(*chest(165), aspect))[:, 110])[-1] - 142 for aspect in (1.0, 2.0)]
    assert depths[1] == pytest.approx(2 * depths[0], abs=2)


def test_a_heart_that_ends_above_it_stays():
    heart, right, left = chest(140)
    assert np.array_equal(inside(above_diaphragm(heart, right, left, 1.0)), inside(heart))


def test_an_apex_above_the_right_angle_is_a_lung_cut_short():
    base = base_of(*map(inside, chest(165, left_base=130)))
    assert base.left[0] == base.right[0]


@pytest.mark.parametrize("left_base", [80, 30])
def test_a_lung_that_is_hidden_below_tells_nothing(left_base):
    heart, right, left = chest(165, left_base)
    assert base_of(inside(heart), inside(right), inside(left)) is None
    assert np.array_equal(above_diaphragm(heart, right, left, 1.0), heart)


def test_without_a_heart_there_is_no_base():
    heart, right, left = chest(70)
    assert base_of(inside(heart), inside(right), inside(left)) is None
