"""Named collections of steps, methods and models that fill themselves from the files of one package.

To add an entry, add one file to the stage's package: nothing else lists it. The files are imported at the first
look-up, not when the package is imported, so that Slicer pays nothing for what is not used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from .errors import UnknownNameError

__all__ = ["Registry"]

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries by name, collected from all modules of `package` and of the packages in it.

    Parameters
    ----------
    kind : str
        What an entry is called in messages, e.g. "preprocessing step".
    package : str
        Dotted name of the package whose modules register the entries.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def register(self, entry: Entry) -> Entry:
        """Add `entry`, which has a `name`; usable as a class decorator."""
        name = entry.name
        if not name:
            raise ValueError(f"A {self.kind} needs a name: {entry!r}")
        if name in self._entries:
            raise ValueError(f"Two entries are called {name!r}: every {self.kind} needs a name of its own")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> Entry:
        entries = self._load()
        if name not in entries:
            raise UnknownNameError(f"There is no {self.kind} called {name!r:.80}. Known: {', '.join(sorted(entries))}.")
        return entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._load()))

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def __len__(self) -> int:
        return len(self._load())

    def values(self) -> tuple[Entry, ...]:
        """Return all entries, sorted by name."""
        entries = self._load()
        return tuple(entries[name] for name in sorted(entries))

    def _load(self) -> dict[str, Entry]:
        if not self._complete:
            package = importlib.import_module(self._package)
            for module in pkgutil.walk_packages(package.__path__, f"{self._package}."):
                importlib.import_module(module.name)
            self._complete = True
        return self._entries
