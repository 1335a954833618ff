"""Prediction sets: they hold 90 % of each category, and a case has no say in how its own set is judged."""

from pathlib import Path

import numpy as np
import pytest

from MedImageAnalysisLib.recognition.training.answers import with_sets
from MedImageAnalysisLib.recognition.training.conformal import cross_fitted_sets, set_thresholds
from MedImageAnalysisLib.recognition.training.data import LabelledImage
from MedImageAnalysisLib.recognition.training.judging import Answers, judge_answers


def told(number, seed=0, rare=0.2):
    """Probabilities of two categories, the second one rare, and what is true."""
    random = np.random.default_rng(seed)
    y = (random.random(number) < rare).astype(int)
    p = 1 / (1 + np.exp(-random.normal(3 * y - 1.5, 1.5)))
    return np.stack([1 - p, p], axis=1), y


def covered(sets, y):
    inside = sets[np.arange(len(y)), y]
    return [inside[y == k].mean() for k in (0, 1)]


def test_thresholds_keep_their_promise_for_other_cases_of_each_category():
    thresholds = set_thresholds(*told(4000), 0.9)
    p, y = told(4000, seed=1)
    assert covered(p >= np.array(thresholds), y) == pytest.approx([0.9, 0.9], abs=0.03)


def test_thresholds_keep_their_promise_exactly_for_the_cases_they_come_from():
    p, y = told(4000)
    assert covered(p >= np.array(set_thresholds(p, y, 0.9)), y) == pytest.approx([0.9, 0.9], abs=0.01)


def test_too_few_cases_exclude_nothing():
    assert set_thresholds(np.full((8, 2), 0.5), np.arange(8) % 2, 0.9) == (0.0, 0.0)


@pytest.mark.parametrize("number", [100, 1000])
def test_cross_fitted_sets_cover_what_they_promise(number):
    found = []
    for seed in range(20):
        p, y = told(number, seed)
        found.append(covered(cross_fitted_sets(p, y, [str(i) for i in range(number)], 0.9), y))
    # Few cases of a category: their finite number makes sets larger, never smaller.
    assert 0.885 <= np.mean(found, axis=0).min() <= np.mean(found, axis=0).max() <= 0.95


def test_no_group_has_a_say_in_its_own_sets():
    p = np.tile([0.8, 0.2], (40, 1))
    p[:4] = 0.1, 0.9
    y = np.zeros(40, dtype=int)
    # In one group the four are judged by the others, who know none like them; apart they stand up for one another.
    together = cross_fitted_sets(p, y, ["odd"] * 4 + [str(i) for i in range(36)], 0.9)
    assert not together[:4, 0].any()
    assert together[4:, 0].all()
    assert set_thresholds(p, y, 0.9)[0] == 0.1


def test_figures_are_of_the_cross_fitted_sets_and_thresholds_of_all_cases():
    p, y = told(300)
    cases = [LabelledImage(Path(f"{i}.png"), k, f"g{i}", held_out=True) for i, k in enumerate(y)]
    answers = with_sets(Answers(p, np.zeros(300, dtype=bool), (0.0, 0.0), (0.5, 0.5)), cases, 0.9)
    assert answers.set_thresholds == set_thresholds(p, y, 0.9)
    judgement = judge_answers(answers, y, [case.group for case in cases], (1,), "second", repeats=2)
    own = answers.sets[np.arange(300), y].mean()
    assert judgement.figures["Coverage of the prediction sets"].value == pytest.approx(own)
