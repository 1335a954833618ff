"""What a store knows of each case: its latest journal line, found without holding a million of them in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .store import Store

__all__ = ["RECORD_DAMAGED", "Known", "Latest"]

RECORD_GONE = "its record is gone"
RECORD_DAMAGED = "its record is damaged"
ARTIFACTS_GONE = "its artifacts are gone"


class Known(NamedTuple):
    """The latest journal line about a case; the fields are those of :class:`~.store.Entry`."""

    case: str
    at: float
    key: str
    fingerprint: str
    settings: str
    code: str
    status: str
    error: str
    size: int
    artifacts: bool


_NAMES = ", ".join(f'"{name}"' for name in Known._fields)
_MARKS = ", ".join("?" * len(Known._fields))
_UPDATES = ", ".join(f'"{name}" = excluded."{name}"' for name in Known._fields if name != "case")


class Latest:
    """The latest line of each case, as they are when this object is made.

    Kept in a nameless SQLite database: small ones stay in memory, large ones go to a temporary file by themselves,
    which vanishes with this object.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._base = sqlite3.connect("")
        self._base.execute("PRAGMA cache_size = -16000")
        self._base.execute(f'CREATE TABLE latest ({_NAMES}, PRIMARY KEY ("case")) WITHOUT ROWID')
        self._base.executemany(
            f"INSERT INTO latest VALUES ({_MARKS}) ON CONFLICT DO UPDATE SET {_UPDATES} WHERE excluded.at >= latest.at",
            store.noted(Known._fields),
        )

    def known(self, cases: Sequence[str]) -> dict[str, Known]:
        """Return what is known of some hundreds of cases; those that no line is about are left out."""
        marks = ", ".join("?" * len(cases))
        rows = self._base.execute(f'SELECT {_NAMES} FROM latest WHERE "case" IN ({marks})', cases)
        return {row[0]: Known._make(row) for row in rows}

    def with_record(self) -> Iterator[Known]:
        """Yield the latest line of each case whose record is there, in order of the cases' names."""
        rows = self._base.execute(f'SELECT {_NAMES} FROM latest ORDER BY "case"')
        return (each for each in map(Known._make, rows) if self.store.measure(each.key))

    def fault(self, known: Known) -> str:
        """Return what is wrong with the record and its artifacts, by a look at the disk; "" = they are there."""
        found = self.store.measure(known.key)
        if not found:
            return RECORD_GONE
        if known.size not in (0, found):
            return RECORD_DAMAGED
        return ARTIFACTS_GONE if known.artifacts and not self.store.has_artifacts(known.key) else ""

    def close(self) -> None:
        """Let the temporary file go."""
        self._base.close()
