"""How a worker process starts: one ITK thread, limits on memory and time, and an end when its driver is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["prepare_process", "start_worker", "time_limit"]

_WATCH_SECONDS = 1.0
_THREADS_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


def start_worker(memory_bytes: int | None = None) -> None:
    """Prepare a process that the pool has started for work on many cases.

    Parameters
    ----------
    memory_bytes : int, optional
        Limit on private memory; beyond it allocations fail and the case ends with an error.
    """
    # Ctrl-C reaches the whole process group; the driver decides what stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    prepare_process(memory_bytes)


@cache
def prepare_process(memory_bytes: int | None) -> None:
    """Give this process one thread and its limit of memory; once, however often it is called."""
    for variable in _THREADS_OF_LIBRARIES:
        os.environ[variable] = "1"
    if memory_bytes:
        _limit_memory(memory_bytes)
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


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
