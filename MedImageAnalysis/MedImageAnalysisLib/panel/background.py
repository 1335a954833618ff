"""One computation in a worker thread, for callers whose own thread must stay free, such as a GUI."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Generic, TypeVar

from ..errors import Cancelled
from ..progress import Progress

__all__ = ["BackgroundTask"]

Result = TypeVar("Result")

# How long a cancelled task may go on before the caller is let go.
PATIENCE_S = 0.8


class BackgroundTask(Generic[Result]):
    """Starts `work` in a thread of its own; the caller asks now and then whether it is done.

    A cancelled task that does not reach its next step in time is given up: for the caller it has ended, and its thread
    ends by itself at that step, without a result.

    Parameters
    ----------
    work : callable
        Called with a :class:`Progress` in the worker thread. It may touch neither Qt nor MRML.
    """

    def __init__(self, work: Callable[[Progress], Result]) -> None:
        self._latest = ("", 0.0)
        self._stop = threading.Event()
        self._given_up_at = float("inf")
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
        self._given_up_at = min(self._given_up_at, time.monotonic() + PATIENCE_S)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end of the work; return whether it has ended or is given up.

        A short wait also lends the worker Python's lock, which some programs keep while their event loop idles.
        """
        ended = bool(futures.wait([self._future], timeout=seconds).done)
        return ended or time.monotonic() > self._given_up_at

    def result(self) -> Result:
        """Return what the work returned, or raise what it raised; waits for its end.

        Raises
        ------
        Cancelled
            At once if the user asked to stop, whether the work noticed or not.
        """
        if not self.cancelling:
            return self._future.result()
        raise Cancelled("Cancelled by the user. Nothing was changed.")

    def _report(self, message: str, fraction: float) -> None:
        # One assignment of a tuple: a reader in another thread sees the old pair or the new one.
        self._latest = (message, fraction)
