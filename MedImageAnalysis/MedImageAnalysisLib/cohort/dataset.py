"""The results of a cohort as numbers to learn from: a feature matrix, labels, and who belongs together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InvalidSettingError
from .latest import Latest
from .rows import rows_of
from .store import CaseRecord, Store

__all__ = ["Dataset", "current_records", "label_of", "read_dataset"]

KINDS = ("feature", "measurement", "probability", "covariate")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Cases in rows, values in columns.

    Parameters
    ----------
    cases : tuple of str
    parts : tuple of (kind, group, name)
        Of each column; see :data:`~.rows.COLUMNS`.
    x : numpy.ndarray of float64, shape (cases, columns)
        NaN where a case has no such value.
    labels : tuple of str
        "" for a case without a label.
    groups : tuple of str
        Patient of each case, or the case itself if the patient is not known: never to be split between training and
        test.
    covariates : tuple of mapping
        Further columns of the case table, as text.
    presets : tuple of str
        Name of the preset that made the values of each case.
    """

    cases: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...]
    x: np.ndarray
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    covariates: tuple[Mapping[str, str], ...]
    presets: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, e.g. "feature/Left lung/mesh_volume"."""
        return tuple("/".join(filter(None, part)) for part in self.parts)


def read_dataset(folder: Path, kinds: tuple[str, ...] = ("feature", "measurement"), label: str = "") -> Dataset:
    """Read the cases of a store that are done, in the order of their names.

    Parameters
    ----------
    kinds : tuple of str
        Which values to take, of :data:`KINDS`.
    label : str
        Name of a covariate to take as the label instead of the column `label`.

    Raises
    ------
    InvalidSettingError
        If there is no such store, kind or covariate, or no case is done.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise InvalidSettingError(f"There are no values of the kind {min(unknown)!r}. Known: {', '.join(KINDS)}.")
    columns: dict[tuple[str, str, str], int] = {}
    known, rows = [], []
    for record in current_records(Store(folder)):
        if record.status != "done":
            continue
        preset = record.analysis["provenance"]["preset"]["name"]
        known.append((record.case, label_of(record, label), record.patient or record.case, record.covariates, preset))
        values = _values(record, kinds)
        places = [columns.setdefault(name, len(columns)) for name in values]
        rows.append((np.array(places, dtype=np.int64), np.array(list(values.values()), dtype=np.float64)))
    if not known:
        raise InvalidSettingError(f"The store {folder.name} has no case that is done.")
    x = np.full((len(known), len(columns)), np.nan)
    for row, (places, values) in zip(x, rows, strict=True):
        row[places] = values
    cases, *others = zip(*known, strict=True)
    return Dataset(cases, tuple(columns), x, *others)


def current_records(store: Store) -> Iterator[CaseRecord]:
    """Yield the record that now stands for each case, in the order of the cases' names."""
    with closing(Latest(store)) as latest:
        for entry in latest.with_record():
            yield store.read(entry.key)


def label_of(record: CaseRecord, name: str = "") -> str:
    """Return the label of a case, or the covariate of that name in its place.

    Raises
    ------
    InvalidSettingError
        If the case has no such covariate.
    """
    if not name:
        return record.label
    if name not in record.covariates:
        raise InvalidSettingError(f"The case {record.case} has no covariate {name!r:.80}.")
    return record.covariates[name]


def _values(record: CaseRecord, kinds: tuple[str, ...]) -> dict[tuple[str, str, str], float]:
    found = {}
    for _, _, _, kind, group, name, value, *_ in rows_of(record, 0.0):
        if kind in kinds:
            found[kind, group, name] = np.nan if value is None else value
    return found
