"""How a worker process starts: one ITK thread, limits on memory, and an end when its driver is gone."""

from __future__ import annotations

import os
import signal
import threading
import time

__all__ = ["start_worker"]

_WATCH_SECONDS = 1.0


def start_worker(memory_bytes: int | None = None) -> None:
    """Prepare this process for work on many cases.

    Parameters
    ----------
    memory_bytes : int, optional
        Limit on private memory; beyond it allocations fail and the case ends with an error.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ[variable] = "1"
    # Ctrl-C reaches the whole process group; the driver decides what stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory_bytes:
        _limit_memory(memory_bytes)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


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
