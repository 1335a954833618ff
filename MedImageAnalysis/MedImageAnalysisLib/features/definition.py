"""One function = one feature: the decorator that makes a feature's definition from its function.

A family is a module with a :class:`Family` called ``FAMILY``. Each function that it decorates computes one feature from
the family's data; the function's docstring, with the formula, becomes the description of the column.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..analysis import FeatureDefinition

__all__ = ["IBSI", "Family", "Feature", "Undefined", "Units", "Values"]

IBSI = "doi:10.1148/radiol.2020191145"
"""The standard: Zwanenburg et al. 2020; its formulas are in the reference manual, arXiv:1612.07003."""


class Undefined(Exception):
    """A feature has no value for this region; the message says why, and becomes the reason of the empty cell."""


@dataclass(frozen=True)
class Units:
    """The units of the image that a table is made from."""

    length: str = "mm"
    intensity: str = ""

    def fill(self, template: str) -> str:
        """Return the unit for `template`, in which {length} and {intensity} stand for the image's units."""
        return template.format(length=self.length, intensity=self.intensity or "a.u.")


@dataclass(frozen=True)
class Feature:
    """One feature: what it is, and the function that computes it from the data of its family."""

    name: str
    title: str
    family: str
    unit: str
    code: str
    reference: str
    compute: Callable[[Any], Any] = field(repr=False)

    @property
    def description(self) -> str:
        """The docstring of the function: what the feature means, and its formula."""
        return inspect.getdoc(self.compute) or ""

    def definition(self, units: Units) -> FeatureDefinition:
        """Return what a column of this feature means, for an image with these units."""
        return FeatureDefinition(
            name=self.name,
            title=self.title,
            family=self.family,
            unit=units.fill(self.unit),
            description=" ".join(self.description.split()),
            code=self.code,
            reference=self.reference,
        )


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one family for one segment, NaN where `reasons` says why there is none."""

    values: np.ndarray
    reasons: dict[int, str]

    @classmethod
    def empty(cls, count: int, reason: str) -> Values:
        """Return `count` empty cells, all for one reason."""
        return cls(np.full(count, np.nan), dict.fromkeys(range(count), reason))

    @classmethod
    def joined(cls, parts: list[Values]) -> Values:
        """Return the cells of all `parts`, one after the other."""
        reasons: dict[int, str] = {}
        start = 0
        for part in parts:
            reasons.update({start + column: reason for column, reason in part.reasons.items()})
            start += len(part.values)
        values = np.concatenate([part.values for part in parts]) if parts else np.empty(0)
        return cls(values, reasons)


class Family:
    """The features of one family, in the order in which their functions stand in the module.

    Parameters
    ----------
    name, title : str
        Machine name, as in the settings, and what people read.
    reference : str
        DOI of the definitions; a feature may name another.
    """

    def __init__(self, name: str, title: str, reference: str = IBSI) -> None:
        self.name = name
        self.title = title
        self.reference = reference
        self.features: list[Feature] = []

    def feature(self, name: str, title: str, code: str, unit: str = "1", reference: str = "") -> Callable:
        """Register the decorated function as the feature `name`.

        Parameters
        ----------
        name : str
            Machine name; for features of the standard, the tag that the IBSI uses in its tables.
        title : str
        code : str
            The IBSI's four-letter code; for features beyond the standard, scheme and value joined by a colon.
        unit : str
            May contain {length} and {intensity}; "1" for a pure number.
        reference : str
            DOI of the definition, if not that of the family.
        """

        def register(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
            self.features.append(Feature(name, title, self.name, unit, code, reference or self.reference, compute))
            return compute

        return register

    def compute(self, data: Any) -> Values:
        """Compute all features from `data`; a feature that is not defined leaves an empty cell and its reason.

        A function may return one value per gray level matrix: the feature is then their mean. Matrices for which it
        is not defined (NaN) are left out of the mean.
        """
        values = np.full(len(self.features), np.nan)
        reasons: dict[int, str] = {}
        for column, feature in enumerate(self.features):
            try:
                values[column] = _mean_of_defined(feature.compute(data))
            except Undefined as undefined:
                reasons[column] = str(undefined)
                continue
            if not np.isfinite(values[column]):
                values[column] = np.nan
                reasons[column] = "Not defined for this region: the formula divides by zero."
        return Values(values, reasons)


def _mean_of_defined(result: Any) -> float:
    if np.ndim(result) == 0:
        return float(result)
    defined = result[np.isfinite(result)]
    return float(defined.mean()) if defined.size else np.nan
