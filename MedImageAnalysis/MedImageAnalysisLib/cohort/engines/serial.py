"""One case after the other in this process: for few cases, and to compare the other engines with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from .engine import Outcome, guarded

__all__ = ["SerialEngine"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class SerialEngine:
    """No processes, no limits."""

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome; see :class:`~.engine.Engine`."""
        for item in items:
            yield item, guarded(work, item)
