"""A record as rows of one long table: each value with its case, its name and its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .store import CaseRecord

__all__ = ["COLUMNS", "VERSION", "rows_of"]

VERSION = 1

# Name, kind ("word" recurs, "text" does not) and meaning of each column.
COLUMNS = (
    ("case", "word", "Pseudonym of the case"),
    ("patient", "word", "Pseudonym of the patient, or empty"),
    ("label", "word", "Label of the case table, or empty"),
    ("kind", "word", "case, covariate, feature, measurement, probability or quality"),
    ("group", "word", "Segment of a feature; model of a probability; else empty"),
    ("name", "word", "Name of the feature, measurement, category, covariate or check"),
    ("value", "number", "The value; empty if there is none, and text then says why"),
    ("lower", "number", "Lower end of a probability's interval"),
    ("upper", "number", "Upper end of a probability's interval"),
    ("unit", "word", "Unit of the value; 1 = a share"),
    ("text", "text", "Status and reason of a case, value of a covariate, why a value is missing"),
    ("record", "word", "Key of the record in the store"),
    ("noted", "number", "When the case was noted as finished, seconds since 1970"),
)


@dataclass(frozen=True)
class _Value:
    """The part of a row that differs within a case."""

    kind: str
    name: str
    value: float | None = None
    group: str = ""
    unit: str = ""
    text: str = ""
    lower: float | None = None
    upper: float | None = None


def rows_of(record: CaseRecord, noted: float) -> Iterator[tuple]:
    """Yield the rows of one record in the order of :data:`COLUMNS`; the first is of the kind "case"."""
    for one in _values(record):
        what = (one.kind, one.group, one.name, one.value, one.lower, one.upper, one.unit, one.text)
        yield (record.case, record.patient, record.label, *what, record.key, noted)


def _values(record: CaseRecord) -> Iterator[_Value]:
    yield _Value("case", record.status, text=record.reason)
    for name, text in record.covariates.items():
        yield _Value("covariate", name, _number(text), text=text)
    analysis = record.analysis
    if analysis is None:
        return
    yield from _features(analysis["features"])
    for found in analysis["measurements"]:
        yield _Value("measurement", found["name"], found["value"], unit=found["unit"], text=found["reason"])
    for recognition in analysis["recognitions"]:
        yield from _probabilities(recognition)
    for finding in analysis["quality"]:
        yield _Value("quality", finding["check"], text=f"{finding['level']}: {finding['reason']}")


def _features(table: Mapping[str, Any]) -> Iterator[_Value]:
    reasons = {(cell["segment"], cell["feature"]): cell["reason"] for cell in table["empty_cells"]}
    for segment, values in zip(table["segments"], table["values"], strict=True):
        for definition, value in zip(table["definitions"], values, strict=True):
            name = definition["name"]
            yield _Value("feature", name, value, segment, definition["unit"], reasons.get((segment, name), ""))


def _probabilities(recognition: Mapping[str, Any]) -> Iterator[_Value]:
    model = recognition["model"]
    if not recognition["assessed"]:
        yield _Value("probability", "not assessed", None, model, "1", recognition["reason"])
    for found in recognition["categories"]:
        interval = {"lower": found["lower"], "upper": found["upper"]}
        yield _Value("probability", found["category"], found["probability"], model, "1", **interval)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
