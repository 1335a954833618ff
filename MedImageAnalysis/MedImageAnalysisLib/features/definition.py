"""One function = one feature: the decorator that makes a feature's definition from its function.

A family is a module with a :class:`Family` called ``FAMILY``. Each function that it decorates computes one feature from
the family's data; the function's docstring, with the formula, becomes the description of the column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..analysis import FeatureDefinition

__all__ = ["IBSI", "Calculator", "Family", "Feature", "Undefined", "Units", "Values"]

IBSI = "doi:10.1148/radiol.2020191145"
"""The standard: Zwanenburg et al. 2020; its formulas are in the reference manual, arXiv:1612.07003."""


class Undefined(Exception):
    """A feature has no value for this region; the message says why, and becomes the reason of the empty cell."""


@dataclass(frozen=True)
class Units:
    """The units of the image that a table is made from."""

    length: str = "mm"
    intensity: str = "a.u."
    ivh_intensity: str = "a.u."

    def fill(self, template: str) -> str:
        """Return the unit for `template`, in which the names of the fields in braces stand for the image's units."""
        return template.format(length=self.length, intensity=self.intensity, ivh_intensity=self.ivh_intensity)


@dataclass(frozen=True)
class Feature:
    """One feature: what it is, and the function that computes it from the data of its family."""

    name: str
    title: str
    family: str
    unit: str
    description: str
    code: str
    reference: str
    compute: Callable[[Any], Any] = field(repr=False)

    def definition(self, units: Units) -> FeatureDefinition:
        """Return what a column of this feature means, for an image with these units."""
        return FeatureDefinition(
            name=self.name,
            title=self.title,
            family=self.family,
            unit=units.fill(self.unit),
            description=self.description,
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
    words : dict of str
        What stands for the names in braces in the docstrings of functions that several families share.
    """

    def __init__(self, name: str, title: str, reference: str = IBSI, words: dict[str, str] | None = None) -> None:
        self.name = name
        self.title = title
        self.reference = reference
        self.words = words or {}
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
            May contain {length}, {intensity} and {ivh_intensity}; "1" for a pure number.
        reference : str
            DOI of the definition, if not that of the family.
        """

        def register(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
            description = " ".join((compute.__doc__ or "").split())
            for word, meaning in self.words.items():
                description = description.replace("{" + word + "}", meaning)
            source = reference or self.reference
            self.features.append(Feature(name, title, self.name, unit, description, code, source, compute))
            return compute

        return register

    def compute(self, *parts: Any) -> Values:
        """Compute all features; one that is not defined leaves an empty cell and its reason.

        A feature is the mean over all parts (e.g. slices), and over all matrices of a part if its function returns one
        value for each. Where it is not defined, a part or matrix is left out of the mean.
        """
        values = np.full(len(self.features), np.nan)
        reasons: dict[int, str] = {}
        # One mean over a table of features costs less than a mean for each.
        by_length: dict[int, list[int]] = {}
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [_results(parts, feature) for feature in self.features]
            for column, (results, _) in enumerate(found):
                if isinstance(results, np.ndarray):
                    by_length.setdefault(len(results), []).append(column)
                else:
                    values[column] = results
            for length, columns in by_length.items():
                values[columns] = np.add.reduce(np.array([found[column][0] for column in columns]), axis=1) / length
        for column in (~np.isfinite(values)).nonzero()[0].tolist():
            results, reason = found[column]
            defined = np.extract(np.isfinite(results), results)
            values[column] = np.add.reduce(defined) / defined.size if defined.size else np.nan
            if not defined.size:
                reasons[column] = reason
        return Values(values, reasons)


def _results(parts: tuple[Any, ...], feature: Feature) -> tuple[float | np.ndarray, str]:
    """Return the values for all parts that have one, and the reason if some have none."""
    reason = "Not defined for this region: the formula divides by zero."
    found = []
    for part in parts:
        try:
            found.append(feature.compute(part))
        except Undefined as undefined:
            reason = str(undefined)
        except ZeroDivisionError:
            # Arrays divide by zero without complaint, and Python's own numbers do not.
            found.append(np.nan)
    return found[0] if len(found) == 1 else np.hstack([*found, []]), reason


class Calculator(NamedTuple):
    """A family and the function that computes its values for a region."""

    family: Family
    compute: Callable[[Any], Values]
