"""Boxes around masks and their connected components."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from MedImageAnalysisLib.imaging.masks import at_edge, bounding_box, component_sizes, components, largest_component

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=7))


@given(masks)
def test_a_box_is_the_least_that_holds_the_mask(mask):
    assert bounding_box(mask) == (ndimage.find_objects(mask.astype(int)) or [None])[0]


def test_a_box_of_labels_holds_all_of_them():
    labels = np.zeros((5, 6), np.uint16)
    labels[1, 2], labels[3, 4] = 7, 300
    assert bounding_box(labels) == (slice(1, 4), slice(2, 5))


@pytest.mark.parametrize(
    ("margin", "expected"), [(1, (slice(0, 3), slice(4, 6))), ((2, 0), (slice(0, 4), slice(5, 6)))]
)
def test_a_margin_widens_the_box_within_the_array(margin, expected):
    mask = np.zeros((5, 6), bool)
    mask[1, 5] = True
    assert bounding_box(mask, margin) == expected


def test_an_array_that_is_a_view_of_another_has_its_own_box():
    mask = np.zeros((6, 8), bool)
    mask[4, 6] = True
    assert bounding_box(mask[::2, ::3].T) == (slice(2, 3), slice(2, 3))


@given(masks, st.booleans())
def test_components_are_those_of_scipy(mask, diagonal):
    expected, _ = ndimage.label(mask, np.ones((3,) * mask.ndim) if diagonal else None)
    assert (components(mask, diagonal=diagonal) == expected).all()


@given(masks)
def test_the_largest_component_is_the_first_of_the_largest(mask):
    labels, count = ndimage.label(mask)
    sizes = [np.count_nonzero(labels == label) for label in range(1, count + 1)]
    expected = labels == 1 + int(np.argmax(sizes)) if sizes else np.zeros_like(mask)
    assert (largest_component(mask) == expected).all()


def test_the_background_has_no_size():
    assert component_sizes(np.array([[0, 1, 1], [2, 0, 0]])).tolist() == [0, 2, 1]
    assert component_sizes(np.zeros((2, 2), int)).tolist() == [0]


@pytest.mark.parametrize("place", [(0, 2, 2), (4, 2, 2), (2, 0, 2), (2, 4, 2), (2, 2, 0), (2, 2, 4)])
def test_a_label_reaches_the_edge_on_any_side(place):
    labels = np.zeros((5, 5, 5), dtype=np.uint8)
    labels[2, 2, 2], labels[place] = 1, 2
    assert at_edge(labels).tolist() == [True, False, True]
