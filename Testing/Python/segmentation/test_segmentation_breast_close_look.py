"""Lesions on breast ultrasound seen closely: which square is looked at, what the network gets, what is made of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedImageAnalysisLib.errors import MissingPackageError
from MedImageAnalysisLib.segmentation.breast_ultrasound import close_look
from MedImageAnalysisLib.segmentation.breast_ultrasound.close_look import (
    LEAST_SIDE,
    MARGIN,
    SIZE,
    cropped,
    seen_closely,
    square_around,
)
from MedImageAnalysisLib.segmentation.pixel_classifier.frame import Frame

SIDE = 256
Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float32)
MIDDLE = Frame(120.0, 100.0, 40.0, 40.0)


class Echo:
    """A network that takes what it sees for log-odds of a lesion."""

    def run(self, inputs):
        return {"lesion": inputs["image"]}


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr(close_look, "load_network", lambda path: Echo())


def box(left: int, top: int, right: int, bottom: int, side: int = SIDE) -> np.ndarray:
    mask = np.zeros((side, side), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def test_square_lies_around_the_lesion_with_a_margin():
    square = square_around(box(60, 100, 160, 140), SIDE)
    assert (square.x, square.y) == (109.5, 119.5)
    assert square.half_width == square.half_height == pytest.approx(MARGIN * 100 / 2)


def test_square_around_a_small_lesion_shows_its_surroundings():
    assert square_around(box(60, 60, 64, 64), SIDE).half_width == pytest.approx(LEAST_SIDE * SIDE / 2)


def test_square_is_the_same_for_a_coarser_mask():
    assert square_around(box(15, 25, 40, 35, 64), SIDE) == square_around(box(60, 100, 160, 140), SIDE)


def test_crop_shows_each_place_where_it_is():
    rows, columns = cropped(Y, MIDDLE), cropped(X, MIDDLE)
    centers = (np.arange(SIZE) - (SIZE - 1) / 2) * 80 / SIZE
    np.testing.assert_allclose(columns, np.broadcast_to(120 + centers, (SIZE, SIZE)), atol=1e-3)
    np.testing.assert_allclose(rows, np.broadcast_to(100 + centers[:, None], (SIZE, SIZE)), atol=1e-3)


@given(st.floats(0, 255), st.floats(0, 255), st.floats(5, 300))
def test_crop_repeats_the_border_and_invents_no_gray_value(x, y, half):
    crop = cropped(X, Frame(x, y, half, half))
    assert crop.min() >= -1e-3
    assert crop.max() <= 255 + 1e-3
    np.testing.assert_allclose(cropped(np.full_like(X, 0.3), Frame(x, y, half, half)), 0.3, atol=1e-5)


def test_mirrored_picture_gives_the_mirrored_crop():
    canvas = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    mirrored = Frame(SIDE - 1 - MIDDLE.x, MIDDLE.y, 40.0, 40.0)
    np.testing.assert_allclose(cropped(canvas[:, ::-1], mirrored), cropped(canvas, MIDDLE)[:, ::-1], atol=1e-6)


@pytest.mark.usefixtures("echo")
def test_both_views_count_where_they_belong():
    canvas = (X - 100) / 10
    expected = 1 / (1 + np.exp(-cropped(canvas, MIDDLE)))
    np.testing.assert_allclose(seen_closely(canvas, MIDDLE), expected, atol=1e-6)


def test_square_on_a_larger_picture_covers_the_same_part():
    square = MIDDLE.scaled(400 / SIDE, 300 / SIDE)
    for middle, half, size, old in ((square.x, square.half_width, 400, 120), (square.y, square.half_height, 300, 100)):
        assert (middle - half + 0.5) / size == pytest.approx((old - 40 + 0.5) / SIDE)
        assert (middle + half + 0.5) / size == pytest.approx((old + 40 + 0.5) / SIDE)


def test_without_its_packages_it_says_what_to_install(monkeypatch):
    def missing(path):
        raise MissingPackageError.of("onnx", "onnx", "Running a network")

    monkeypatch.setattr(close_look, "load_network", missing)
    with pytest.raises(MissingPackageError, match="onnx"):
        seen_closely(X, MIDDLE)


def test_weights_that_ship_are_small():
    weights = [path.stat().st_size for path in Path(close_look.__file__).parent.glob("*.onnx")]
    assert len(weights) == 2
    assert max(weights) <= 5 * 2**20
