"""Judge a model on cases it has never seen: all figures of its card, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..linear import LinearSpec, outlier_distance, project, stranger_score
from ..model import Model
from ..probabilities import softmax
from .metrics import (
    Estimate,
    accuracy,
    balanced_accuracy,
    calibration_error,
    estimate,
    roc_auc,
    share_true,
)

__all__ = ["Answers", "Judgement", "PairJudgement", "judge", "judge_answers", "judge_pair", "predicted"]


@dataclass(frozen=True, eq=False)
class Judgement:
    """Figures by name, and the confusion matrix (rows: truth)."""

    figures: dict[str, Estimate]
    confusion: np.ndarray
    cases: int


@dataclass(frozen=True)
class PairJudgement:
    """How well two categories are told from one another, on the cases of these two."""

    auc: Estimate
    balanced_accuracy: Estimate
    cases: int


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of some cases, and how it means it.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (cases, classes)
    strange : numpy.ndarray of bool, shape (cases,)
        Not assessed, as unlike the training data.
    set_thresholds, priors : tuple of float
        As in the model's description.
    sets : numpy.ndarray of bool, shape (cases, classes), optional
        Which categories are in the prediction sets, where the thresholds come from these cases: cross-fitted.
    """

    probabilities: np.ndarray
    strange: np.ndarray
    set_thresholds: tuple[float, ...]
    priors: tuple[float, ...]
    sets: np.ndarray | None = None


def predicted(model: Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities of rows of features, and which rows are not assessed as unlike the training data.

    Both are as `recognize` finds them.
    """
    arrays = model.weights()
    z, u = project(arrays, x)
    scores = u @ arrays["weights"] + arrays["intercept"]
    distance = outlier_distance(arrays, z, u)
    low, high = model.spec.outlier_range
    strange = (distance < low) | (distance > high)
    if model.spec.stranger_limit is not None:
        strange |= stranger_score(arrays, u) > model.spec.stranger_limit
    return softmax(scores / model.spec.temperature), strange


def judge(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    groups: Sequence[str],
    positive: Sequence[int],
    question: str,
    repeats: int = 1000,
) -> Judgement:
    """Return the figures of a linear `model` on features `x` with true categories `y`; see :func:`judge_answers`."""
    spec: LinearSpec = model.spec
    answers = Answers(*predicted(model, x), spec.set_thresholds, spec.priors)
    return judge_answers(answers, y, groups, positive, question, repeats)


def judge_answers(
    answers: Answers,
    y: np.ndarray,
    groups: Sequence[str],
    positive: Sequence[int],
    question: str,
    repeats: int = 1000,
) -> Judgement:
    """Return the figures of what a model says of cases with true categories `y`.

    The two-class figures treat the categories in `positive` as one, and the others as one; a case is called positive if
    their probabilities add up to at least one half. Calibration is judged as the model states its probabilities, with
    all categories as common as its priors say: each case counts in inverse proportion to the cases of its category.
    """
    p, strange = answers.probabilities, answers.strange
    members = list(positive)
    score, truth = p[:, members].sum(axis=1), np.isin(y, members)
    called = score >= 0.5
    sets = p >= np.asarray(answers.set_thresholds) if answers.sets is None else answers.sets
    classes = p.shape[1]
    two = np.stack([1 - score, score], axis=1)
    even = np.asarray(answers.priors)[y] / np.maximum(np.bincount(y, minlength=classes), 1)[y]
    measures = {
        f"AUC, {question}": lambda i: roc_auc(score[i], truth[i]),
        f"Accuracy, {question}": lambda i: float((called[i] == truth[i]).mean()),
        f"Sensitivity, {question}": lambda i: share_true(called[i][truth[i]]),
        f"Specificity, {question}": lambda i: share_true(~called[i][~truth[i]]),
        f"Accuracy, {classes} categories": lambda i: accuracy(p[i], y[i]),
        f"Balanced accuracy, {classes} categories": lambda i: balanced_accuracy(p[i], y[i]),
        "Mean AUC, one against the others": lambda i: float(
            np.mean([roc_auc(p[i, k], y[i] == k) for k in range(classes)])
        ),
        f"Calibration error, {question}": lambda i: calibration_error(
            two[i], truth[i].astype(int), case_weights=even[i]
        ),
        f"Calibration error, {classes} categories": lambda i: calibration_error(p[i], y[i], case_weights=even[i]),
        "Coverage of the prediction sets": lambda i: share_true(sets[i, y[i]]),
        "Mean size of the prediction sets": lambda i: float(sets[i].sum(axis=1).mean()),
        "Share flagged as unlike the training data": lambda i: float(strange[i].mean()),
    }
    figures = {name: estimate(measure, groups, repeats=repeats) for name, measure in measures.items()}
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (y, p.argmax(axis=1)), 1)
    return Judgement(figures, confusion, len(y))


def judge_pair(probabilities: np.ndarray, y: np.ndarray, groups: Sequence[str], pair: tuple[int, int]) -> PairJudgement:
    """Return how well the second category of `pair` is told from the first; other categories are left aside."""
    own = np.isin(y, pair)
    two, truth = probabilities[own][:, list(pair)], (y[own] == pair[1]).astype(np.int64)
    share = two[:, 1] / two.sum(axis=1)
    kept = [group for group, is_own in zip(groups, own, strict=True) if is_own]
    return PairJudgement(
        estimate(lambda i: roc_auc(share[i], truth[i] == 1), kept),
        estimate(lambda i: balanced_accuracy(two[i], truth[i]), kept),
        len(kept),
    )
