"""Long work in a thread of its own, while the calling thread reports progress and listens for cancel."""

from __future__ import annotations

import contextvars
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import replace
from typing import TypeVar

from .progress import Progress

__all__ = ["attended", "leave_given_up"]

Result = TypeVar("Result")

# While nothing is heard from the work, cancel is looked for and the last progress told again this often.
LISTEN_S = 0.1
# Images of fewer voxels are worked on in the calling thread: no step takes long on them.
SMALL = 1 << 16

# Time for cancelled work to end by itself before the process is ended.
_PARTING_S = 1.0

_here = threading.local()
_given_up: set[futures.Future] = set()


def attended(work: Callable[[Progress], Result], progress: Progress, voxels: int = SMALL) -> Result:
    """Return ``work(progress)``; meanwhile progress is reported, and cancel heard, several times a second.

    The work runs in a thread of its own, which is free to spend seconds in one call of SimpleITK, scipy or numpy:
    these let go of Python's lock. All callbacks of `progress` are called in the calling thread, in order; while the
    work says nothing, the last message and fraction are repeated. The result is that of a direct call, bit for bit.

    A cancelled call raises at once. Its thread ends, and its memory is free, at the next step of the work, or at the
    end of a filter that cannot be stopped: the next attended call waits for that (cancel is heard there too), so that
    no more than one of them piles up, and so does the end of the interpreter.

    Parameters
    ----------
    work : callable
        Called with the progress that it reports to. Inside, nested calls of `attended` are plain calls.
    progress : Progress
    voxels : int
        Size of the image; small ones are worked on directly. Without it, the work always gets its thread.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    Exception
        What the work raised, with its traceback.
    """
    if voxels < SMALL or getattr(_here, "attended", False):
        return work(progress)
    # The fractions that come out of the thread are those of the whole.
    whole = replace(progress, start=0.0, stop=1.0)
    _wait_for_given_up(progress)
    told: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
    stop = threading.Event()
    inside = replace(progress, report=lambda message, fraction: told.put((message, fraction)), cancelled=stop.is_set)
    executor = futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="MedImageAnalysis")
    future = executor.submit(contextvars.copy_context().run, _marked, work, inside)
    future.add_done_callback(lambda _: told.put(None))
    try:
        _attend(told, whole, (progress.message, progress.start))
    except BaseException:
        stop.set()
        _give_up(future)
        raise
    finally:
        executor.shutdown(wait=future.done())
    return future.result()


def leave_given_up(code: int) -> None:
    """End this process with an exit code if cancelled work still goes on, for which its end would wait for long.

    For programs whose work can be cut off anywhere, as the command line. Work that listens gets some time to end.
    """
    if _given_up and futures.wait(tuple(_given_up), timeout=_PARTING_S).not_done:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _marked(work: Callable[[Progress], Result], progress: Progress) -> Result:
    _here.attended = True
    return work(progress)


def _attend(told: queue.SimpleQueue, progress: Progress, latest: tuple[str, float]) -> None:
    """Pass on what is told until the work has ended; raise Cancelled if asked to stop."""
    while True:
        try:
            step = told.get(timeout=LISTEN_S)
        except queue.Empty:
            progress.step(*latest)
            continue
        if step is None:
            return
        latest = step
        progress.step(*latest)


def _give_up(future: futures.Future) -> None:
    """Remember the work until it ends; nobody looks at its result."""
    _given_up.add(future)
    future.add_done_callback(_given_up.discard)


def _wait_for_given_up(progress: Progress) -> None:
    while pending := tuple(_given_up):
        progress.step("Waiting for the end of cancelled work")
        futures.wait(pending, timeout=LISTEN_S)
