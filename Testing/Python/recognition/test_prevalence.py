"""How people write how common categories are."""

import pytest

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.prevalence import checked_prevalence, parse_prevalence


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
    with pytest.raises(InvalidSettingError, match="not all with 0"):
        parse_prevalence(["normal=0", "pneumonia=0%"])


@pytest.mark.parametrize("share", ["0.5", None, True, float("nan"), float("inf"), -0.1, 2e6, 10**400])
def test_shares_that_are_no_numbers_within_bounds_are_refused_wherever_they_come_from(share):
    with pytest.raises(InvalidSettingError, match="must be a number from 0 to 1,000,000"):
        checked_prevalence({"normal": share})


def test_what_is_taken_on_the_command_line_is_taken_from_the_record_too():
    stated = parse_prevalence(["normal=80%", "pneumonia=20%"])
    assert checked_prevalence(dict(stated)) == stated
