"""Many machines: the engine on dask.distributed, for a scheduler that runs already or a cluster of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from ...errors import MedImageError, MissingPackageError
from .engine import Outcome, guarded

__all__ = ["DaskEngine"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class DaskEngine:
    """Workers of a dask scheduler; each must be able to import this package.

    Parameters
    ----------
    address : str
        Of a running scheduler, e.g. "tcp://node1:8786"; "" starts a cluster of `workers` processes on this machine.
    workers : int
        Processes of the local cluster.
    patience_seconds : float
        How long to wait for the scheduler and for the first worker.
    memory_bytes : int, optional
        Limit per worker of the local cluster, watched by its nanny.
    """

    address: str = ""
    workers: int = 2
    patience_seconds: float = 60.0
    memory_bytes: int | None = None

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome; see :class:`~.engine.Engine`."""
        try:
            import dask
            import distributed
        except ImportError as missing:
            raise MissingPackageError.of("dask[distributed]", "cohort", "Spreading a cohort over machines") from missing
        # A case that kills its worker is tried on one more worker, then given up: not the default of three.
        settings = {"distributed.scheduler.allowed-failures": 1}
        with (
            dask.config.set(settings),
            self._cluster(distributed) as cluster,
            distributed.Client(cluster, timeout=self.patience_seconds) as client,
        ):
            self._wait_for_workers(client)
            yield from self._run(client, distributed, partial(guarded, work), iter(items))

    def _cluster(self, distributed: Any) -> Any:
        from contextlib import nullcontext

        if self.address:
            return nullcontext(self.address)
        # One process each, with a nanny: without it one bad case would end the only worker for good.
        return distributed.LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=self.memory_bytes or 0,
            dashboard_address=None,
        )

    def _wait_for_workers(self, client: Any) -> None:
        try:
            client.wait_for_workers(1, timeout=self.patience_seconds)
        except TimeoutError as problem:
            raise MedImageError(
                f"No dask worker came within {self.patience_seconds:g} s. Start workers for the scheduler "
                f"{self.address or 'of this machine'} with: dask worker ADDRESS --nthreads 1 --nanny"
            ) from problem

    def _run(self, client: Any, distributed: Any, work: Callable, items: Iterator[Item]) -> Iterator:
        finished = distributed.as_completed(with_results=False)
        running: dict[str, Item] = {}

        def fill() -> None:
            while len(running) < 3 * max(1, len(client.scheduler_info(n_workers=-1)["workers"])):
                try:
                    item = next(items)
                except StopIteration:
                    return
                future = client.submit(work, item, pure=False, retries=0)
                running[future.key] = item
                finished.add(future)

        fill()
        while running:
            future = next(finished)
            yield running.pop(future.key), _outcome(future)
            future.release()
            fill()


def _outcome(future: Any) -> Outcome:
    problem = future.exception()
    if problem is None:
        return future.result()
    return replace(Outcome("lost"), reason=f"Its worker died ({type(problem).__name__}).", attempts=2)
