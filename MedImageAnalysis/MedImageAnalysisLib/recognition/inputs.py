"""The inputs of a linear model: cells of the feature table, reduced over segments, and measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis import FeatureTable
from .case import RecognitionCase
from .schema import Fields

__all__ = ["STATISTICS", "Input", "Reading", "missing_inputs", "read_input"]

STATISTICS = ("value", "mean", "std", "min", "max", "p10", "p50", "p90", "count")


@dataclass(frozen=True)
class Reading:
    """The value of one input in one case: NaN, with the reason, if the case does not have it."""

    value: float
    title: str
    unit: str
    reason: str = ""


@dataclass(frozen=True)
class Input:
    """One number taken from a case.

    Parameters
    ----------
    source : {"feature", "measurement"}
    name : str
        Name of the feature or measurement.
    segment : str
        Key or name of the segment, or "*" for all segments.
    statistic : str
        How the feature's values over the matching segments become one number; "value" needs exactly one match, "count"
        counts the segments that have the feature.
    """

    source: str
    name: str
    segment: str = "*"
    statistic: str = "value"

    @property
    def key(self) -> str:
        """A stable name for tables of evidence, e.g. ``mean(intensity_mean)``."""
        if self.source == "measurement":
            return self.name
        inside = self.name if self.segment == "*" else f"{self.name}[{self.segment}]"
        return inside if self.statistic == "value" else f"{self.statistic}({inside})"

    def to_json(self) -> dict[str, str]:
        """Return the plain values that :func:`read_input` makes an equal input of."""
        if self.source == "measurement":
            return {"measurement": self.name}
        return {"feature": self.name, "segment": self.segment, "statistic": self.statistic}

    def read(self, case: RecognitionCase) -> Reading:
        """Return the value of this input in `case`."""
        if self.source == "measurement":
            return self._read_measurement(case)
        if case.features is None:
            return Reading(math.nan, self.key, "", "no features were extracted")
        return self._read_feature(case.features)

    def _read_measurement(self, case: RecognitionCase) -> Reading:
        measured = case.measurement(self.name)
        if measured is None:
            return Reading(math.nan, self.name, "", "the measurement was not made")
        reason = "" if math.isfinite(measured.value) else measured.reason or "it could not be measured"
        return Reading(measured.value, measured.title, measured.unit, reason)

    def _read_feature(self, table: FeatureTable) -> Reading:
        column = next((j for j, d in enumerate(table.definitions) if d.name == self.name), None)
        if column is None:
            return Reading(math.nan, self.key, "", "the feature was not extracted")
        definition = table.definitions[column]
        title = definition.title if self.statistic == "value" else f"{definition.title} ({self.statistic} over regions)"
        unit = "" if self.statistic == "count" else definition.unit
        rows = [i for i, s in enumerate(table.segments) if self.segment in ("*", s.key, s.name)]
        cells = table.values[rows, column]
        cells = cells[np.isfinite(cells)]
        if self.statistic == "count":
            return Reading(float(cells.size), title, unit)
        if not cells.size:
            return Reading(math.nan, title, unit, f"no segment '{self.segment}' has a value")
        if self.statistic == "value" and len(rows) != 1:
            return Reading(math.nan, title, unit, f"{len(rows)} segments match '{self.segment}', one is needed")
        return Reading(_reduced(cells, self.statistic), title, unit)


def read_input(data: Any, place: str) -> Input:
    """Read and check one element of the list "inputs" of a model.json."""
    fields = Fields(data, place)
    measurement = fields.text("measurement", "")
    if measurement:
        fields.done()
        return Input("measurement", measurement)
    found = Input(
        "feature",
        fields.text("feature", pattern=r"[A-Za-z0-9_.\-]{1,120}"),
        fields.text("segment", "*"),
        fields.choice("statistic", STATISTICS, "value"),
    )
    fields.done()
    return found


def missing_inputs(inputs: Sequence[Input], readings: Sequence[Reading]) -> str:
    """Return which inputs the case does not have, as the reason for not assessing it, or "" if it has all."""
    missing = [(s.key, r.reason) for s, r in zip(inputs, readings, strict=True) if not math.isfinite(r.value)]
    if not missing:
        return ""
    first, reason = missing[0]
    return f"{len(missing)} of {len(inputs)} inputs are missing, e.g. {first}: {reason or 'empty'}."


def _reduced(cells: np.ndarray, statistic: str) -> float:
    if statistic == "value":
        return float(cells[0])
    if statistic.startswith("p"):
        return float(np.percentile(cells, int(statistic[1:])))
    return float(getattr(np, statistic)(cells))
