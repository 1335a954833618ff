"""Many machines: the engine on dask.distributed, for a scheduler that runs already or a cluster of this machine."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ...errors import MedImageError, MissingPackageError
from ...software import code_fingerprint
from .engine import Outcome, guarded
from .worker import prepare_process, time_limit

__all__ = ["DaskEngine"]

Item = TypeVar("Item")
_WATCH_SECONDS = 1.0
# A scheduler that was lost has forgotten the cases: waiting for its return would only bridge a short break.
_RECONNECT_SECONDS = 4.0
_CLOSE_SECONDS = 5.0
_COUNT_SECONDS = 5.0
_HAND_OVER_SECONDS = 30.0


@dataclass(frozen=True)
class DaskEngine:
    """Workers of a dask scheduler; each must be able to import this package.

    Parameters
    ----------
    address : str
        Of a running scheduler, e.g. "tcp://node1:8786"; "" starts a cluster of `workers` processes on this machine.
    workers : int
        Processes of the local cluster.
    seconds_per_case : float, optional
        A case that takes longer ends its worker, which its nanny starts again, and is lost.
    patience_seconds : float
        How long to wait for the scheduler and for a worker.
    memory_bytes : int, optional
        Limit per worker.
    """

    address: str = ""
    workers: int = 2
    seconds_per_case: float | None = None
    patience_seconds: float = 60.0
    memory_bytes: int | None = None

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome; see :class:`~.engine.Engine`.

        Raises
        ------
        MedImageError
            If the scheduler cannot be reached or is lost, or no worker comes.
        """
        try:
            import dask
            import distributed
        except ImportError as missing:
            raise MissingPackageError.of("dask[distributed]", "cohort", "Spreading a cohort over machines") from missing
        # A case that kills its worker is tried on one more worker, then given up: not the default of three.
        # One case at a time per worker, so that no other case is suspected with it.
        settings = {"distributed.scheduler.allowed-failures": 1, "distributed.scheduler.worker-saturation": 1.0}
        limited = partial(_limited, work, self.memory_bytes, self.seconds_per_case, code_fingerprint())
        with (
            dask.config.set(settings),
            self._cluster(distributed) as cluster,
            self._client(distributed, cluster) as client,
        ):
            self._wait_for_workers(client)
            yield from self._run(client, limited, iter(items))

    def _cluster(self, distributed: Any) -> Any:
        if self.address:
            return nullcontext(self.address)
        # One process each, with a nanny: without it one bad case would end the only worker for good.
        return distributed.LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=self.memory_bytes or 0,
            dashboard_address=_dashboard(),
        )

    @contextmanager
    def _client(self, distributed: Any, cluster: Any) -> Iterator[Any]:
        try:
            client = distributed.Client(cluster, timeout=self.patience_seconds)
        except (OSError, TimeoutError, ValueError) as problem:
            raise MedImageError(
                f"No dask scheduler answers at {self.address or 'this machine'}. Start one with: dask scheduler"
            ) from problem
        try:
            yield client
        finally:
            client.close(timeout=_CLOSE_SECONDS)

    def _wait_for_workers(self, client: Any) -> None:
        try:
            client.wait_for_workers(1, timeout=self.patience_seconds)
        except TimeoutError as problem:
            raise MedImageError(
                f"No dask worker came within {self.patience_seconds:g} s. Start workers for the scheduler "
                f"{self.address or 'of this machine'} with: dask worker ADDRESS --nthreads 1 --nanny"
            ) from problem

    def _run(self, client: Any, work: Callable, items: Iterator[Item]) -> Iterator[tuple[Item, Outcome]]:
        finished: queue.SimpleQueue = queue.SimpleQueue()
        running: dict[str, Item] = {}
        workers = _WorkerCount(client)

        def fill() -> None:
            # While the scheduler does not answer nothing is submitted: the next wait finds out whether it is gone.
            while client.status == "running" and len(running) < 3 * max(1, workers.count()):
                try:
                    item = next(items)
                except StopIteration:
                    return
                future = client.submit(work, item, pure=False, retries=0)
                running[future.key] = item
                future.add_done_callback(finished.put)

        fill()
        while running:
            future = self._next(finished, client, workers)
            try:
                outcome = self._outcome(future)
            except TimeoutError:
                # Its worker died before it could hand over the result: the scheduler has it computed again.
                future.add_done_callback(finished.put)
                continue
            yield running.pop(future.key), outcome
            future.release()
            fill()

    def _next(self, finished: queue.SimpleQueue, client: Any, workers: _WorkerCount) -> Any:
        """Wait for a case to end; give up when the scheduler is gone, or all workers for too long."""
        without_scheduler = without_workers = 0.0
        while True:
            try:
                future = finished.get(timeout=_WATCH_SECONDS)
            except queue.Empty:
                connected = client.status == "running"
                without_scheduler = 0.0 if connected else without_scheduler + _WATCH_SECONDS
                manned = connected and workers.count() > 0
                without_workers = 0.0 if manned else without_workers + _WATCH_SECONDS
                if without_scheduler > _RECONNECT_SECONDS or without_workers > self.patience_seconds:
                    raise MedImageError(_GONE) from None
                continue
            if future.cancelled():
                raise MedImageError(_GONE)
            return future

    def _outcome(self, future: Any) -> Outcome:
        problem = future.exception(_HAND_OVER_SECONDS)
        if problem is None:
            outcome = future.result(_HAND_OVER_SECONDS)
            if outcome.error == _OTHER_PROGRAM:
                raise MedImageError(_OTHER_PROGRAM)
            return outcome
        limit = f" or took longer than {self.seconds_per_case:g} s" if self.seconds_per_case else ""
        return Outcome("lost", reason=f"Its worker died{limit} ({type(problem).__name__}).", attempts=2)


class _WorkerCount:
    """The number of workers, asked of the scheduler now and then only: each question waits for its answer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._asked = -math.inf
        self._count = 0

    def count(self) -> int:
        if time.monotonic() - self._asked > _COUNT_SECONDS:
            self._count = len(self._client.scheduler_info(n_workers=-1)["workers"])
            self._asked = time.monotonic()
        return self._count


_GONE = "The dask scheduler or all its workers are gone. What was done is in the store: start them and run again."

_OTHER_PROGRAM = (
    "A dask worker runs another version of this package than this machine. What was done is in the store: install the "
    "same version on all workers and run again."
)


def _limited(
    work: Callable[[Item], Any], memory_bytes: int | None, seconds_per_case: float | None, code: str, item: Item
) -> Outcome:
    """Do the work on a dask worker as the pool's processes do it, if it runs the same program."""
    prepare_process(memory_bytes)
    if code_fingerprint() != code:
        return Outcome("error", reason=_OTHER_PROGRAM, error=_OTHER_PROGRAM)
    with time_limit(seconds_per_case):
        return guarded(work, item)


def _dashboard() -> str | None:
    """Return where the dashboard of a local cluster listens, on this machine only, if bokeh is there to draw it."""
    from importlib.util import find_spec

    return "127.0.0.1:0" if find_spec("bokeh") else None
