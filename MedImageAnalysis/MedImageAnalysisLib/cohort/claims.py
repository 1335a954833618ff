"""Claims: of several drivers on one store, only one works on a case at a time.

A claim is a lock on one byte of one file (POSIX record locks, which network file systems know, too). The operating
system ends it with the process that holds it, so that a killed worker leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["claimed"]


@contextmanager
def claimed(file: Path, key: str = "0", wait: bool = False) -> Iterator[bool]:
    """Claim `key` (hexadecimal) for the time of the block; give False if another process has it.

    Where there are no such locks (Windows, some file systems) every claim is granted: work may then be done twice,
    which costs time only.

    Parameters
    ----------
    wait : bool
        Whether to wait until the other process has let go.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    with file.open("a+b") as locks:
        try:
            fcntl.lockf(locks, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, int(key[:15], 16))
        except (BlockingIOError, PermissionError):
            yield False
            return
        except OSError:  # this file system has no locks
            pass
        # Closing the file lets go.
        yield True
