"""From a cohort to a model: what training and judging take from a store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidModelError, InvalidSettingError
from ..recognition.inputs import Input
from ..recognition.model import Model
from ..recognition.training.data import HELD_OUT, SPLIT_SEED, drawn_groups
from ..recognition.training.feature_table import FeatureRows
from ..recognition.training.judging import Answers, predicted
from .dataset import Dataset, current_records, label_of, read_dataset
from .rows import rows_of
from .store import CaseRecord, Store

__all__ = ["JudgedCases", "TrainingRows", "recorded_answers", "training_rows"]

# A value that more cases lack than this is no input; of the others, cases that lack one are left out.
_LACKING = 0.05
_SIDES = {"train", "val"}


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows to train on, the preset that made them, and what was left out, in words."""

    rows: FeatureRows
    preset: str
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class JudgedCases:
    """What a model says of the labelled cases of a store.

    Parameters
    ----------
    answers : Answers
    y : numpy.ndarray of int
        True categories, as places in the model's classes.
    groups : tuple of str
        Patients.
    notes : tuple of str
        What was left out, in words.
    """

    answers: Answers
    y: np.ndarray
    groups: tuple[str, ...]
    notes: tuple[str, ...]


def training_rows(folder: Path, label: str = "") -> TrainingRows:
    """Return features and measurements of the labelled cases of a store; cases of one patient form a group.

    A covariate `split` with "train" and "val" says which cases are held out; without it a fifth of the patients is.

    Parameters
    ----------
    label : str
        Name of a covariate to take as the label instead of the column `label`.

    Raises
    ------
    InvalidSettingError
        If no case has a label, several presets made the values, or no value is there in nearly all cases.
    """
    found = read_dataset(folder, label=label)
    labelled = np.array([bool(text) for text in found.labels])
    if not labelled.any():
        raise InvalidSettingError(f"No case of the store {folder.name} has a label. Name a covariate with --label.")
    presets = sorted(set(found.presets))
    if len(presets) > 1:
        raise InvalidSettingError(
            f"The cases of the store {folder.name} were made by several presets ({', '.join(presets)}), whose values "
            "cannot be mixed. Run one preset over all of them."
        )
    is_there = np.isfinite(found.x)
    columns = is_there[labelled].mean(axis=0) >= 1 - _LACKING
    kept = labelled & is_there[:, columns].all(axis=1)
    if not columns.any() or not kept.any():
        raise InvalidSettingError(f"No feature or measurement is there in nearly all cases of the store {folder.name}.")
    rows = _rows(found, columns, np.flatnonzero(kept))
    left_out = {
        "cases have no label": int((~labelled).sum()),
        f"values are missing in more than {_LACKING:.0%} of the cases": int((~columns).sum()),
        "cases lack one of the other values": int((labelled & ~kept).sum()),
    }
    return TrainingRows(rows, presets[0], tuple(_notes(left_out)))


def recorded_answers(model: Model, folder: Path, label: str = "") -> JudgedCases:
    """Return what a model says of the labelled cases of a store.

    That is what it said in the run that made the store; a linear model that was not asked then, but whose inputs are
    values of the store, is asked now.

    Raises
    ------
    InvalidModelError
        If the model was not asked and cannot be asked from the values of the store.
    InvalidSettingError
        If there is no such store or a label is none of the model's categories.
    """
    cases = [(record, label_of(record, label)) for record in current_records(Store(folder)) if record.status == "done"]
    labelled = [(record, text) for record, text in cases if text]
    if not labelled:
        raise InvalidSettingError(f"No case of the store {folder.name} has a label. Name a covariate with --label.")
    y = np.array(_places(model, [text for _, text in labelled]))
    records = [record for record, _ in labelled]
    told = [_recorded(model, record) for record in records]
    if all(answer is None for answer in told):
        answers, asked = _asked_now(model, folder, records)
    else:
        asked = np.array([bool(answer) and answer["assessed"] for answer in told])
        answers = _as_recorded(model, [answer for answer, is_asked in zip(told, asked, strict=True) if is_asked])
    if not asked.any():
        raise InvalidModelError(f"The model {model.name} assessed none of the labelled cases of the store.")
    groups = tuple(record.patient or record.case for record, is_asked in zip(records, asked, strict=True) if is_asked)
    left_out = {
        "cases have no label": len(cases) - len(labelled),
        "cases were not assessed by the model": int((~asked).sum()),
    }
    return JudgedCases(answers, y[asked], groups, tuple(_notes(left_out)))


def _rows(found: Dataset, columns: np.ndarray, kept: np.ndarray) -> FeatureRows:
    inputs = (
        Input("measurement", name) if kind == "measurement" else Input("feature", name, group)
        for (kind, group, name), wanted in zip(found.parts, columns, strict=True)
        if wanted
    )
    groups = tuple(found.groups[row] for row in kept)
    sides = [found.covariates[row].get("split", "") for row in kept]
    held = [side == "val" for side in sides] if set(sides) == _SIDES else drawn_groups(groups, HELD_OUT, SPLIT_SEED)
    labels = tuple(found.labels[row] for row in kept)
    return FeatureRows(tuple(inputs), found.x[np.ix_(kept, columns)], labels, groups, np.array(held))


def _notes(left_out: Mapping[str, int]) -> Iterator[str]:
    return (f"Left out: {count} {words}." for words, count in left_out.items() if count)


def _places(model: Model, labels: Iterable[str]) -> list[int]:
    """Return the places of labels among the model's classes, of which they are the titles or keys."""
    known = {category.key: place for place, category in enumerate(model.classes)}
    known |= {category.title: place for place, category in enumerate(model.classes)}
    labels = list(labels)
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise InvalidSettingError(
            f"The store has labels that are no categories of {model.name}: {', '.join(unknown)[:200]}. Its categories: "
            f"{', '.join(category.title for category in model.classes)}."
        )
    return [known[text] for text in labels]


def _recorded(model: Model, record: CaseRecord) -> Mapping[str, Any] | None:
    for answer in record.analysis["recognitions"]:
        if (answer["model"], answer["version"]) == (model.name, model.version):
            return answer
    return None


def _as_recorded(model: Model, told: list[Mapping[str, Any]]) -> Answers:
    titles = [category.title for category in model.classes]
    categories = [{found["category"]: found for found in answer["categories"]} for answer in told]
    probabilities = np.array([[found[title]["probability"] for title in titles] for found in categories])
    sets = np.array([[found[title]["in_prediction_set"] for title in titles] for found in categories])
    return Answers(probabilities, np.zeros(len(told), dtype=bool), (), _priors(model), sets)


def _asked_now(model: Model, folder: Path, records: list[CaseRecord]) -> tuple[Answers, np.ndarray]:
    """Return what the model says of the values of records, and which of them have all that it needs."""
    inputs = model.spec.inputs if model.kind == "linear" and not model.spec.descriptors else ()
    if not inputs or any(one.source == "feature" and (one.statistic, one.segment) == ("value", "*") for one in inputs):
        raise InvalidModelError(
            f"The store {folder.name} holds no answers of {model.name} {model.version}. Run the cohort with a preset "
            "that asks it."
        )
    x = np.array([list(_inputs_in(record, inputs)) for record in records])
    complete = np.isfinite(x).all(axis=1)
    probabilities, strange = predicted(model, x[complete]) if complete.any() else (np.zeros((0, 2)), complete[:0])
    return Answers(probabilities, strange, model.spec.set_thresholds, model.spec.priors), complete


def _inputs_in(record: CaseRecord, inputs: Iterable[Input]) -> Iterator[float]:
    names = {segment["key"]: segment["name"] for segment in record.analysis["segments"]}
    values = {row[3:6]: row[6] for row in rows_of(record, 0.0)}
    for one in inputs:
        place = ("measurement", "", one.name)
        if one.source == "feature":
            place = ("feature", names.get(one.segment, one.segment), one.name)
        value = values.get(place) if one.statistic == "value" else None
        yield math.nan if value is None else value


def _priors(model: Model) -> tuple[float, ...]:
    even = (1 / len(model.classes),) * len(model.classes)
    return getattr(model.spec, "priors", even)
