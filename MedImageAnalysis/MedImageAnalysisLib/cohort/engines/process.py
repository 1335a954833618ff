"""One worker process as its driver sees it: give it an item, look how the work ended, end it."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import MedImageError
from .engine import Outcome, not_transferred
from .worker import READY, one_thread_for_libraries, serve, stack_of

__all__ = ["WorkerProcess"]

# What a process may need to start, on a machine that is short of everything.
_START_SECONDS = 300.0
_BURY_SECONDS = 10.0
# When so many in a row end before they can work, none ever will.
_STARTS = 10


class WorkerProcess:
    """A process that works on one item at a time. It is started when it is first given one, and again after its death.

    Parameters
    ----------
    work : callable
        Gives the :class:`~.engine.Outcome` of an item; picklable.
    memory_bytes : int or None
        Limit of memory.
    seconds_per_case : float or None
        The process is killed when it works longer on an item.
    log : Path
        File in which the process notes where it is when it crashes or its time is almost over.
    """

    def __init__(
        self, work: Callable[[Any], Outcome], memory_bytes: int | None, seconds_per_case: float | None, log: Path
    ) -> None:
        self.busy = False
        self.is_overdue = False
        self._work = work
        self._memory_bytes = memory_bytes
        self._seconds = seconds_per_case
        self._log = log
        self._process: Any = None
        self.pipe: Any = None
        self._is_ready = False
        self._failed_starts = 0
        self._given: tuple[Any, int] | None = None
        self._deadline = math.inf

    @property
    def seconds_left(self) -> float:
        """Until the process is overdue."""
        return self._deadline - time.monotonic()

    def give(self, item: Any, attempt: int) -> None:
        """Let the process work on an item; `attempt` counts from 1."""
        self._given = (item, attempt)
        self.busy = True
        self.is_overdue = False
        if self._process is None or not self._process.is_alive():
            self._start()
        elif self._is_ready:
            self._send()

    def take(self) -> tuple[Any, int]:
        """Return the item whose outcome is known, and the attempt."""
        given, self._given = self._given, None
        self.busy = False
        return given

    def look(self) -> Outcome | None:
        """Return how the work on the item ended, or None while it goes on.

        Raises
        ------
        MedImageError
            If the process ended before it could work, and so did those before it.
        """
        # In this order: a process that has died may have told its result before.
        is_alive = self._process.is_alive()
        message = self._received()
        if message == READY:
            self._is_ready = True
            self._failed_starts = 0
            self._send()
        elif message is not None:
            return message
        elif not is_alive or self.seconds_left <= 0:
            return self._after_death(is_alive)
        return None

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()

    def bury(self) -> None:
        """Let go of the process that was killed; one that the operating system cannot end is left to it."""
        if self._process is not None:
            self._process.join(_BURY_SECONDS)
            self.pipe.close()

    def _received(self) -> Any:
        try:
            return self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, OSError):
            return None
        except Exception as error:
            return not_transferred(error)

    def _after_death(self, was_alive: bool) -> Outcome | None:
        """Return the outcome of an item whose process is gone or overdue; None if it had not begun with it."""
        was_ready = self._is_ready
        self.is_overdue = was_alive and was_ready
        self.kill()
        self.bury()
        if was_ready:
            limit = f"Took longer than the limit of {self._seconds:g} s." if was_alive else ""
            return Outcome("lost", reason=limit or f"Its process died ({self._end()}).", log=stack_of(self._log))
        self._failed_starts += 1
        if self._failed_starts == _STARTS:
            limit = f", whose limit is {self._memory_bytes / 1e9:g} GB" if self._memory_bytes else ""
            raise MedImageError(
                f"{_STARTS} worker processes in a row ended before they could work ({self._end()}). Above it says why "
                f"if they could tell; else they may need more memory{limit}."
            )
        self._start()
        return None

    def _end(self) -> str:
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
        return f"{name}; the machine may be out of memory" if name == "SIGKILL" else name

    def _start(self) -> None:
        # A fresh process each time: a forked one would inherit locks that threads of the driver hold.
        context = multiprocessing.get_context("spawn")
        self._log.unlink(missing_ok=True)
        self.pipe, far_end = context.Pipe()
        arguments = (far_end, self._work, self._memory_bytes, self._seconds, str(self._log))
        process = context.Process(target=serve, args=arguments, daemon=True)
        self._is_ready = False
        self._deadline = time.monotonic() + _START_SECONDS
        try:
            with one_thread_for_libraries():
                process.start()
        except OSError as problem:
            raise MedImageError(f"A worker process cannot be started: {problem.strerror}.") from problem
        finally:
            # With the driver's copy closed, a message that a death cuts off ends the reading.
            far_end.close()
        self._process = process

    def _send(self) -> None:
        self._deadline = math.inf if self._seconds is None else time.monotonic() + self._seconds
        try:
            self.pipe.send(self._given[0])
        except OSError:
            # It died just now: the next look finds it dead.
            return
