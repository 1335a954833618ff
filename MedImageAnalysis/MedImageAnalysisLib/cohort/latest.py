"""What a store knows of each case: its latest journal line, found without holding a million of them in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter

from .store import Entry, Store

__all__ = ["Latest"]

_COLUMNS = tuple(field.name for field in fields(Entry))
_UPDATES = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name != "case")
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)


class Latest:
    """The latest line of each case, and which records are there, as they are when this object is made.

    Kept in a nameless SQLite database: small ones stay in memory, large ones go to a temporary file by themselves,
    which vanishes with this object.
    """

    def __init__(self, store: Store) -> None:
        self._base = sqlite3.connect("")
        self._base.execute("PRAGMA cache_size = -4000")
        self._base.execute(f'CREATE TABLE latest ({_NAMES}, PRIMARY KEY ("case")) WITHOUT ROWID')
        self._base.execute("CREATE TABLE records (key PRIMARY KEY) WITHOUT ROWID")
        marks = ", ".join("?" * len(_COLUMNS))
        self._base.executemany(
            f"INSERT INTO latest VALUES ({marks}) ON CONFLICT DO UPDATE SET {_UPDATES} WHERE excluded.at >= latest.at",
            map(attrgetter(*_COLUMNS), store.entries()),
        )
        self._base.executemany("INSERT OR IGNORE INTO records VALUES (?)", zip(store.keys()))

    def entry(self, case: str) -> Entry | None:
        """Return the latest line about a case, or None."""
        row = self._base.execute(f'SELECT {_NAMES} FROM latest WHERE "case" = ?', (case,)).fetchone()
        return Entry(*row) if row else None

    def noted(self, case: str) -> float | None:
        """Return when the latest line about a case was noted, or None."""
        row = self._base.execute('SELECT at FROM latest WHERE "case" = ?', (case,)).fetchone()
        return row[0] if row else None

    def has_record(self, key: str) -> bool:
        """Tell whether a record is in the store."""
        return self._base.execute("SELECT 1 FROM records WHERE key = ?", (key,)).fetchone() is not None

    def entries(self) -> Iterator[Entry]:
        """Yield the latest line of each case whose record is there, in order of the cases' names."""
        rows = self._base.execute(f'SELECT {_NAMES} FROM latest WHERE key IN records ORDER BY "case"')
        return (Entry(*row) for row in rows)

    def close(self) -> None:
        """Let the temporary file go."""
        self._base.close()
