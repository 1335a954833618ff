"""Regions with sharp borders, and what is high or low around a place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedImageAnalysisLib.segmentation.bone_xray.sharp_regions import filled, sharp_regions
from MedImageAnalysisLib.segmentation.bone_xray.soft_tissue import local_expectile

EVERYWHERE = np.ones((60, 60), dtype=bool)


def disk(row: float, column: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:60, :60]
    return np.hypot(y - row, x - column) <= radius


@pytest.fixture
def nested() -> list[np.ndarray]:
    """A large region that falls apart into two smaller ones."""
    left, right = disk(30, 18, 9), disk(30, 42, 9)
    return [disk(30, 30, 27), left | right]


def worth(*borders: tuple[np.ndarray, float]) -> np.ndarray:
    """Each border of a region is worth something, all else speaks against a region."""
    values = np.full((60, 60), -1.0)
    for region, value in borders:
        values[region & ~ndimage.binary_erosion(region)] = value
    return values


def test_region_with_the_sharper_border_is_taken_whole(nested):
    found = sharp_regions(nested, worth((nested[0], 2.0), (nested[1], 0.5)), EVERYWHERE, 5)
    np.testing.assert_array_equal(found, nested[0])


def test_two_sharp_regions_are_taken_instead_of_the_one_around_them(nested):
    found = sharp_regions(nested, worth((nested[0], 0.2), (nested[1], 2.0)), EVERYWHERE, 5)
    np.testing.assert_array_equal(found, nested[1])


def test_one_of_two_is_taken_where_the_other_is_blurred(nested):
    left = disk(30, 18, 9)
    found = sharp_regions(nested, worth((left, 2.0)), EVERYWHERE, 5)
    np.testing.assert_array_equal(found, left)


def test_no_region_is_taken_where_all_borders_are_blurred(nested):
    assert not sharp_regions(nested, worth(), EVERYWHERE, 5).any()


def test_small_regions_are_left_out(nested):
    found = sharp_regions(nested, worth((nested[1], 2.0)), EVERYWHERE, 2 * nested[1].sum())
    assert not found.any()


def test_border_at_the_edge_of_what_counts_is_worth_nothing():
    half = np.zeros((60, 60), dtype=bool)
    half[:, :30] = True
    counted = np.ones((60, 60), dtype=bool)
    counted[:, 29] = False
    assert not sharp_regions([half], np.full((60, 60), 1.0), counted, 5).any()


def test_holes_are_filled_up_to_a_size_but_not_at_the_edge():
    mask = np.ones((60, 60), dtype=bool)
    small, large = disk(15, 15, 3), disk(40, 40, 10)
    mask[small | large] = False
    mask[:3, :3] = False
    found = filled(mask, small.sum())
    assert found[small].all()
    assert not found[large].any()
    assert not found[:3, :3].any()


@given(factor=st.floats(0.1, 50), share=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_exact_relation_is_found_at_every_share(factor, share):
    regressor = np.random.default_rng(0).uniform(1, 2, (60, 60)).astype(np.float32)
    found = local_expectile(factor * regressor, regressor, EVERYWHERE, share, 8)
    np.testing.assert_allclose(found, factor, rtol=0.01)


def test_expectiles_grow_with_their_share_and_lie_between_the_extremes():
    values = np.kron(np.random.default_rng(1).uniform(0, 1, (15, 15)), np.ones((4, 4))).astype(np.float32)
    low, middle, high = (
        local_expectile(values, np.ones_like(values), EVERYWHERE, share, 10) for share in (0.05, 0.5, 0.95)
    )
    assert (low < middle).all()
    assert (middle < high).all()
    assert low.min() >= 0.9 * values.min()
    assert high.max() <= values.max()


def test_what_is_masked_does_not_count():
    values = np.ones((60, 60), np.float32)
    values[:, 32:] = 100
    mask = np.zeros((60, 60), dtype=bool)
    mask[:, :32] = True
    found = local_expectile(values, np.ones_like(values), mask, 0.5, 8)
    np.testing.assert_allclose(found[:, :32], 1, rtol=0.01)
