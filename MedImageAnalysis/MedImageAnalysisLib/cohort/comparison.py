"""What changed between two stores of the same cases: which values of which cases, beyond a tolerance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from .latest import Latest
from .rows import rows_of
from .store import CaseRecord, Store

__all__ = ["Change", "Comparison", "Tolerance", "ValueChange", "compare_stores"]


@dataclass(frozen=True)
class Tolerance:
    """How much two values may differ: absolutely, or relative to the larger of them."""

    relative: float = 1e-6
    absolute: float = 1e-9

    def allows(self, a: float, b: float) -> bool:
        """Tell whether two values count as equal."""
        return math.isclose(a, b, rel_tol=self.relative, abs_tol=self.absolute)


@dataclass(frozen=True)
class Change:
    """One value of one case that changed; None = there is no value."""

    case: str
    before: float | None
    after: float | None

    @property
    def size(self) -> float:
        """Absolute difference; infinite if one side has no value."""
        return math.inf if self.before is None or self.after is None else abs(self.after - self.before)


@dataclass
class ValueChange:
    """How one feature, measurement or probability changed over all cases.

    Parameters
    ----------
    compared : int
        Cases in which either side has it.
    changed : int
        Cases in which it differs beyond the tolerance.
    largest : list of Change
        The cases that changed most, the largest change first.
    """

    name: str
    compared: int = 0
    changed: int = 0
    largest: list[Change] = field(default_factory=list)

    def add(self, change: Change, keep: int) -> None:
        """Count a change and keep it if it is among the largest."""
        self.changed += 1
        self.largest = sorted([*self.largest, change], key=lambda one: (-one.size, one.case))[:keep]


@dataclass
class Comparison:
    """The outcome of a comparison.

    Parameters
    ----------
    compared : int
        Cases that are in both stores.
    status : list of (case, before, after)
        Cases that ended differently.
    values : dict of ValueChange
        By name.
    """

    compared: int = 0
    only_before: list[str] = field(default_factory=list)
    only_after: list[str] = field(default_factory=list)
    status: list[tuple[str, str, str]] = field(default_factory=list)
    values: dict[str, ValueChange] = field(default_factory=dict)

    @property
    def changed(self) -> list[ValueChange]:
        """The values that changed in any case, those that changed in most cases first."""
        found = [value for value in self.values.values() if value.changed]
        return sorted(found, key=lambda value: (-value.changed, value.name))

    @property
    def is_equal(self) -> bool:
        """Tell whether nothing differs."""
        return not (self.only_before or self.only_after or self.status or self.changed)


def compare_stores(before: Path, after: Path, tolerance: Tolerance = Tolerance(), examples: int = 5) -> Comparison:
    """Compare two stores case by case.

    Cases belong together if their images have the same bytes, so that stores with other pseudonyms can be compared.

    Parameters
    ----------
    examples : int
        How many of the most changed cases are named for each value.

    Raises
    ------
    InvalidSettingError
        If one of them is not a store.
    """
    result = Comparison()
    first, second = Store(before), Store(after)
    index: dict[tuple[str, int], str] = {}
    for identity, record in _identified(second):
        index[identity] = record.key
    for identity, record in _identified(first):
        key = index.pop(identity, None)
        if key is None:
            result.only_before.append(record.case)
            continue
        other = second.read(key)
        result.compared += 1
        if record.status != other.status:
            result.status.append((record.case, record.status, other.status))
        _compare(record, other, tolerance, examples, result)
    result.only_after = sorted(second.read(key).case for key in index.values())
    return result


def _identified(store: Store) -> Iterator[tuple[tuple[str, int], CaseRecord]]:
    """Yield current records with the hash of their images, numbered where several cases have the same image."""
    seen: dict[str, int] = {}
    with closing(Latest(store)) as latest:
        for entry in latest.with_record():
            record = store.read(entry.key)
            content = record.input_sha256 or record.case
            seen[content] = seen.get(content, -1) + 1
            yield (content, seen[content]), record


def _compare(a: CaseRecord, b: CaseRecord, tolerance: Tolerance, examples: int, result: Comparison) -> None:
    left, right = _values(a), _values(b)
    for name in dict.fromkeys((*left, *right)):
        x, y = left.get(name), right.get(name)
        value = result.values.setdefault(name, ValueChange(name))
        value.compared += 1
        if x is None and y is None:
            continue
        if x is None or y is None or not tolerance.allows(x, y):
            value.add(Change(a.case, x, y), examples)


def _values(record: CaseRecord) -> dict[str, float | None]:
    rows = rows_of(record, 0.0)
    kinds = ("feature", "measurement", "probability")
    return {"/".join(filter(None, row[3:6])): row[6] for row in rows if row[3] in kinds}
