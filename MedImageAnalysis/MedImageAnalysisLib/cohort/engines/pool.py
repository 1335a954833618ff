"""The embedded engine: a pool of processes on this machine, on the library Pebble.

Pebble knows which case a dead process was working on and ends a process whose case takes too long, which the standard
library's pool cannot: one bad case costs one case.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, TimeoutError, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from ...errors import MedImageError, MissingPackageError
from .engine import Outcome, guarded
from .worker import start_worker

__all__ = ["PoolEngine"]

Item = TypeVar("Item")
# A case whose process died is tried once more: the machine may have killed it for want of memory.
_ATTEMPTS = 2
# What a worker may need to start, beside the limit of a case; and what a pool may need to end.
_GRACE_SECONDS = 30.0
_END_SECONDS = 10.0
# A pool that stops answering is replaced, so many times in one run.
_POOLS = 20


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
        """Yield each item with its outcome; see :class:`~.engine.Engine`."""
        try:
            from pebble import ProcessPool
        except ImportError as missing:
            raise MissingPackageError.of("pebble", "cohort", "Analyzing a cohort in several processes") from missing
        left: list[tuple[Item, int]] = []
        source = iter(items)
        for _ in range(_POOLS):
            pool = ProcessPool(
                max_workers=self.workers,
                initializer=start_worker,
                initargs=(self.memory_bytes,),
                context=multiprocessing.get_context("spawn"),
            )
            try:
                left = yield from self._run(pool, partial(guarded, work), left, source)
            finally:
                pool.stop()
                # A pool that does not answer may not end either; its workers are killed all the same.
                with suppress(TimeoutError, OSError):
                    pool.join(timeout=_END_SECONDS)
            if not left:
                return
        raise MedImageError(
            f"The worker processes stopped answering {_POOLS} times. What was done is kept; restart the machine or use "
            "fewer workers, then run again."
        )

    def _run(
        self, pool: Any, work: Callable, first: list[tuple[Item, int]], items: Iterator[Item]
    ) -> Generator[tuple[Item, Outcome], None, list[tuple[Item, int]]]:
        """Work on `first`, then on `items`; return what is left when the pool does not answer any more."""
        running: dict[Any, tuple[Item, int]] = {}
        patience = self.seconds_per_case + _GRACE_SECONDS if self.seconds_per_case else None

        def submit(item: Item, attempt: int) -> None:
            running[pool.schedule(work, args=(item,), timeout=self.seconds_per_case)] = (item, attempt)

        def fill() -> None:
            # Two waiting items per worker keep it busy; more would only cost memory.
            while len(running) < 3 * self.workers:
                try:
                    submit(next(items), 1)
                except StopIteration:
                    return

        for item, attempt in first:
            submit(item, attempt)
        fill()
        while running:
            finished, _ = wait(running, timeout=patience, return_when=FIRST_COMPLETED)
            if not finished:
                # Every case that runs is past its limit: a worker died in a way that the pool did not notice.
                return list(running.values())
            for future in finished:
                item, attempt = running.pop(future)
                outcome = self._outcome(future)
                if (
                    outcome.status == "lost"
                    and attempt < _ATTEMPTS
                    and not isinstance(future.exception(), TimeoutError)
                ):
                    submit(item, attempt + 1)
                else:
                    yield item, replace(outcome, attempts=attempt)
            fill()
        return []

    def _outcome(self, future: Any) -> Outcome:
        from pebble import ProcessExpired

        problem = future.exception()
        if problem is None:
            return future.result()
        if isinstance(problem, TimeoutError):
            return Outcome("lost", reason=f"Took longer than the limit of {self.seconds_per_case:g} s.")
        if isinstance(problem, ProcessExpired):
            return Outcome("lost", reason=f"Its process died (exit code {problem.exitcode}).")
        # The item or its result could not be sent between the processes.
        return Outcome("error", reason=f"{type(problem).__name__} between driver and worker: {problem}")
