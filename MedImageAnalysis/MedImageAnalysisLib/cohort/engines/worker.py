"""What a worker process does: one thread, limits on memory and time, and an end when its driver is gone."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from .engine import Outcome, not_transferred

__all__ = ["READY", "one_thread_for_libraries", "prepare_process", "serve", "stack_of", "time_limit"]

READY = "ready"
_WATCH_SECONDS = 1.0
# Where a case hangs is noted shortly before its time is over.
_ALMOST = 0.95
_FRAME = re.compile(r'  File "(?:.*[/\\])?([^"]*)", line (\d+) in (.*)')
_THREADS_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


def serve(
    pipe: Any, work: Callable[[Any], Outcome], memory_bytes: int | None, seconds_per_case: float | None, log: str
) -> None:
    """Work on the items that come through a pipe until it is closed; the main function of a process of the pool."""
    # Ctrl-C reaches the whole process group; the driver decides what stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    prepare_process(memory_bytes)
    with open(log, "w", encoding="utf-8") as stacks:
        faulthandler.enable(stacks, all_threads=False)
        pipe.send(READY)
        while True:
            try:
                item = pipe.recv()
            except EOFError:
                return
            except Exception as error:
                pipe.send(not_transferred(error))
                continue
            if seconds_per_case:
                faulthandler.dump_traceback_later(_ALMOST * seconds_per_case, file=stacks)
            outcome = work(item)
            faulthandler.cancel_dump_traceback_later()
            try:
                pipe.send(outcome)
            except Exception as error:
                pipe.send(not_transferred(error))


def stack_of(log: Path) -> str:
    """Return where a process was when it crashed or its time was almost over, the innermost function last."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # After a crash there is the one thread that crashed; else the main thread is the last one.
    thread = text.rpartition("(most recent call first):")[2]
    return "\n".join(f"{name} ({file}:{line})" for file, line, name in reversed(_FRAME.findall(thread)))


@contextmanager
def one_thread_for_libraries() -> Iterator[None]:
    """Let processes that are started in this block inherit that numerical libraries use one thread.

    A library reads the variable when it is loaded, which in a new process is before any of our code runs.
    """
    before = {variable: os.environ.get(variable) for variable in _THREADS_OF_LIBRARIES}
    os.environ.update(dict.fromkeys(_THREADS_OF_LIBRARIES, "1"))
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value


@cache
def prepare_process(memory_bytes: int | None) -> None:
    """Give this process one thread and its limit of memory; once, however often it is called."""
    for variable in _THREADS_OF_LIBRARIES:
        os.environ[variable] = "1"
    # Warnings of libraries quote headers, and standard error is a log file on a cluster.
    warnings.simplefilter("ignore")
    if memory_bytes:
        _limit_memory(memory_bytes)
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """End this process if the block takes longer: only so can work in compiled code be stopped."""
    if seconds is None:
        yield
        return
    watch = threading.Timer(seconds, os._exit, args=(1,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the machine's own then holds
        return
    # RLIMIT_DATA counts what a process really allocates; RLIMIT_AS would also count mapped libraries.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
