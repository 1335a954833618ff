"""The embedded engine: processes on this machine, each with a pipe of its own.

Nothing is shared between the processes, neither a queue nor a lock: one that dies at any moment, in the middle of a
message or while it starts, cannot hold up another. The driver hears of a result and of a death by the pipe,
and looks after every process once a second besides, so that it never waits for one that is gone.
"""

from __future__ import annotations

import multiprocessing.connection
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from .engine import Outcome, guarded
from .process import WorkerProcess

__all__ = ["PoolEngine"]

Item = TypeVar("Item")
# A case whose process died is tried once more: the machine may have killed it for want of memory.
_ATTEMPTS = 2
_WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class PoolEngine:
    """Processes on this machine.

    Parameters
    ----------
    workers : int
    seconds_per_case : float, optional
        A case that takes longer is ended and lost.
    memory_bytes : int, optional
        Limit per worker.
    """

    workers: int
    seconds_per_case: float | None = None
    memory_bytes: int | None = None

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome; see :class:`~.engine.Engine`.

        Raises
        ------
        MedImageError
            If processes cannot start, e.g. under too low a limit of memory.
        """
        with tempfile.TemporaryDirectory(prefix="medimage-") as folder:
            logs = (Path(folder) / f"{number}.log" for number in range(self.workers))
            limits = (self.memory_bytes, self.seconds_per_case)
            crew = [WorkerProcess(partial(guarded, work), *limits, log) for log in logs]
            try:
                yield from self._run(crew, iter(items))
            finally:
                for process in crew:
                    process.kill()
                for process in crew:
                    process.bury()

    def _run(self, crew: list[WorkerProcess], items: Iterator[Item]) -> Iterator[tuple[Item, Outcome]]:
        waiting = _Waiting(items)
        for process in crew:
            waiting.occupy(process)
        while busy := [process for process in crew if process.busy]:
            _wait_for(busy)
            for process in busy:
                outcome = process.look()
                if outcome is None:
                    continue
                item, attempt = process.take()
                again = outcome.status == "lost" and attempt < _ATTEMPTS and not process.is_overdue
                if again:
                    waiting.put_back(item, attempt + 1)
                # Its next item first: it works while the driver writes down the last one.
                waiting.occupy(process)
                if not again:
                    yield item, replace(outcome, attempts=attempt)


class _Waiting(Generic[Item]):
    """The items that no process works on yet, those first that come back from a process that died."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._back: deque[tuple[Item, int]] = deque()
        self._items = items

    def put_back(self, item: Item, attempt: int) -> None:
        self._back.append((item, attempt))

    def occupy(self, process: WorkerProcess) -> None:
        """Give the process an item if there is one."""
        if self._back:
            process.give(*self._back.popleft())
            return
        for item in self._items:
            process.give(item, 1)
            return


def _wait_for(busy: list[WorkerProcess]) -> None:
    """Wait until a process has something to say, but not for long: a death may go unannounced."""
    seconds = min(_WATCH_SECONDS, *(process.seconds_left for process in busy))
    multiprocessing.connection.wait([process.pipe for process in busy], timeout=max(0.0, seconds))
