"""One computation in a worker thread, for callers whose own thread must stay free, such as a GUI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Generic, TypeVar

from .errors import Cancelled
from .progress import Progress

__all__ = ["BackgroundTask"]

Result = TypeVar("Result")


class BackgroundTask(Generic[Result]):
    """Starts `work` in a thread of its own; the caller asks now and then whether it is done.

    Parameters
    ----------
    work : callable
        Called with a :class:`Progress` in the worker thread. It may touch neither Qt nor MRML.
    """

    def __init__(self, work: Callable[[Progress], Result]) -> None:
        self._latest = ("", 0.0)
        self._stop = threading.Event()
        executor = futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="MedImageAnalysis")
        self._future = executor.submit(work, Progress(self._report, self._stop.is_set))
        # Nothing more is submitted: the thread ends with its work.
        executor.shutdown(wait=False)

    @property
    def progress(self) -> tuple[str, float]:
        """The latest message, and the fraction done (0 to 1)."""
        return self._latest

    @property
    def cancelling(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end of the work; return whether it has ended.

        A short wait also lends the worker Python's lock, which some programs keep while their event loop idles.
        """
        return bool(futures.wait([self._future], timeout=seconds).done)

    def result(self) -> Result:
        """Return what the work returned, or raise what it raised; waits for its end.

        Raises
        ------
        Cancelled
            If the user asked to stop, even if the work did not notice in time.
        """
        value = self._future.result()
        if self.cancelling:
            raise Cancelled("Cancelled by the user. Nothing was changed.")
        return value

    def _report(self, message: str, fraction: float) -> None:
        # One assignment of a tuple: a reader in another thread sees the old pair or the new one.
        self._latest = (message, fraction)
