"""How people write how common categories are."""

import pytest

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.recognition.prevalence import parse_prevalence


def test_shares_are_numbers_or_percentages():
    assert parse_prevalence(["normal = 80%", "pneumonia=0.2"]) == (("normal", 0.8), ("pneumonia", 0.2))


def test_nothing_stated_is_nothing():
    assert parse_prevalence([]) == ()


@pytest.mark.parametrize("text", ["normal", "normal=", "=0.5", "normal=-1", "normal=inf", "normal=nan", "normal=%"])
def test_what_is_not_a_share_is_refused_with_an_example(text):
    with pytest.raises(InvalidSettingError, match=r"KEY=SHARE, e\.g\. normal=0\.8"):
        parse_prevalence([text])


def test_a_category_stated_twice_is_refused():
    with pytest.raises(InvalidSettingError, match="stated twice"):
        parse_prevalence(["normal=0.5", "normal=0.5"])


def test_all_zero_is_refused():
    with pytest.raises(InvalidSettingError, match="above 0"):
        parse_prevalence(["normal=0", "pneumonia=0%"])
