"""Which way up a chest is: what a network is sure of tells, whatever finds the heart."""

import numpy as np
import pytest

from MedImageAnalysisLib.segmentation.chest_xray.orientation import seems_turned
from MedImageAnalysisLib.segmentation.pixel_classifier.outline import certainty


@pytest.fixture
def content():
    """A frame whose upper left quarter is bright."""
    frame = np.zeros((2, 8, 8), dtype=np.float32)
    frame[:, :4, :4] = 1
    return frame


def sure_of(rows, columns):
    """A network that is sure of the heart if the bright quarter is there, and doubts it elsewhere."""

    def heart_in(view):
        return np.full((8, 8), 0.95 if view[0, rows, columns].all() else 0.8)

    return heart_in


UPPER, LOWER = slice(0, 4), slice(4, 8)


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (UPPER, LOWER, "mirrored"),
        (LOWER, UPPER, "upside down"),
        (LOWER, LOWER, "turned by 180 degrees"),
        (UPPER, UPPER, ""),
    ],
)
def test_the_view_in_which_the_heart_is_surest_tells(content, rows, columns, words):
    heart_in = sure_of(rows, columns)
    assert seems_turned(content, certainty(heart_in(content)), heart_in) == words


def test_a_little_surer_is_not_enough(content):
    assert seems_turned(content, 0.94, sure_of(UPPER, LOWER)) == ""


def test_a_heart_that_is_doubted_in_every_view_tells_nothing(content):
    assert seems_turned(content, 0.8, lambda view: np.full((8, 8), 0.9)) == ""


def test_certainty_is_the_mean_within_the_outline():
    assert certainty(np.array([[0.2, 0.6], [0.9, 0.5]])) == pytest.approx(0.75)
    assert certainty(np.zeros((4, 4))) == 0
