"""The shape model of the heart, on ellipses."""

import numpy as np
import pytest
from scipy import ndimage

from MedImageAnalysisLib.segmentation.chest_xray.heart_shape import HeartShape, fit_shape

SIZE = 192


def ellipse(radius_x: float, radius_y: float, x: float = 105, y: float = 125) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return ((columns - x) / radius_x) ** 2 + ((rows - y) / radius_y) ** 2 <= 1


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def shape() -> HeartShape:
    """Fitted to ellipses of many widths and heights."""
    rng = np.random.default_rng(0)
    sizes = rng.uniform((32, 28), (52, 44), (60, 2))
    return fit_shape([ellipse(*size, *rng.normal((105, 125), 2)) for size in sizes])


def test_few_modes_tell_ellipses(shape):
    assert 2 <= len(shape.modes) <= 8


def test_clear_outline_is_kept(shape):
    truth = ellipse(45, 33)
    soft = ndimage.gaussian_filter(truth.astype(np.float32), 1)
    assert overlap(shape.completed(soft) > 0.5, truth) >= 0.96


def test_uncertain_base_is_filled_in(shape):
    """Where the probability fades out slowly, the shape says where the outline is likely to be."""
    truth = ellipse(45, 40)
    fading = ndimage.gaussian_filter(truth.astype(np.float32), 1)
    fading *= np.clip((165 - np.arange(SIZE)) / 45, 0, 1)[:, None]
    before, after = overlap(fading > 0.5, truth), overlap(shape.completed(fading) > 0.5, truth)
    assert after > before + 0.03


def test_nothing_is_made_up_without_a_heart_in_the_center(shape):
    assert shape.completed(np.zeros((SIZE, SIZE), np.float32)) is None
    assert shape.completed(ellipse(15, 15, 30, 30).astype(np.float32)) is None


def test_outline_is_one_piece(shape):
    noisy = ellipse(40, 35) * 0.8 + np.random.default_rng(1).uniform(0, 0.3, (SIZE, SIZE))
    assert ndimage.label(shape.completed(noisy.astype(np.float32)) > 0.5)[1] == 1
