"""An analysis in words, the same everywhere."""

import math

import pytest

from MedImageAnalysisLib.analysis import CategoryProbability, Measurement, Recognition
from MedImageAnalysisLib.percent import percent
from MedImageAnalysisLib.report.words import measurement_words, recognition_words


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "<1 %"), (0.004, "<1 %"), (0.126, "13 %"), (0.5, "50 %"), (0.996, ">99 %"), (1.0, ">99 %")],
)
def test_no_probability_is_said_to_be_certain(probability, words):
    assert percent(probability) == words


def test_a_measurement_is_said_with_its_unit_and_a_ratio_without():
    assert measurement_words(Measurement("v", "Volume", 12.345, "mL", "", "")) == "Volume: 12.35 mL"
    assert measurement_words(Measurement("r", "Ratio", 0.5, "1", "", "")) == "Ratio: 0.5"


def test_a_missing_measurement_is_said_with_its_reason():
    missing = Measurement("r", "Ratio", math.nan, "1", "", "", reason="No heart was found.")
    assert measurement_words(missing) == "Ratio: not measured. No heart was found."


def test_a_recognition_names_the_most_probable_category():
    rows = tuple(CategoryProbability(name, value, 0, 1, True) for name, value in (("Normal", 0.3), ("Benign", 0.7)))
    assert recognition_words(Recognition("m", "1", "Lesion", True, categories=rows)) == "Lesion: Benign (70 %)."


def test_what_was_not_assessed_is_said_with_its_reason():
    refused = Recognition("m", "1", "Lesion", False, reason="The image is too small.")
    assert recognition_words(refused) == "Lesion: not assessed. The image is too small."
