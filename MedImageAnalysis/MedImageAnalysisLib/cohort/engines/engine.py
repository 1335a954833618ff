"""What an engine is: it runs one function over many items and tells how each ended, and never raises for one item."""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...errors import MedImageError

__all__ = ["Engine", "Outcome", "guarded", "not_transferred"]

Item = TypeVar("Item")
_MOST_FRAMES = 100
_NO_MEMORY = re.compile("bad_alloc|allocat", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """How the work on one item ended.

    Parameters
    ----------
    status : {"done", "error", "lost"}
        "error": the work raised, `reason` and `log` say what. "lost": its process died or was ended by a limit.
    error : str
        Kind of the error, e.g. "GeometryError".
    attempts : int
        How often the work was started.
    peak_bytes : int
        Most memory that the process of the work has held so far; 0 where that cannot be asked.
    """

    status: str
    value: Any = None
    reason: str = ""
    log: str = ""
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0
    peak_bytes: int = 0


class Engine(Protocol):
    """Runs a picklable function over items, in any order, with bounded memory of its own."""

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome as soon as it is known; take items only as fast as they are worked on."""
        ...


def guarded(work: Callable[[Item], Any], item: Item) -> Outcome:
    """Do the work in the worker; what it raises becomes data: only the death of a process reaches the engine."""
    started = time.perf_counter()
    try:
        outcome = Outcome("done", work(item))
    except MedImageError as error:
        outcome = Outcome("error", reason=str(error), log=_frames(), error=type(error).__name__)
    except Exception as error:
        outcome = Outcome("error", reason=_reason(error), log=_frames(), error=type(error).__name__)
    return replace(outcome, seconds=time.perf_counter() - started, peak_bytes=_peak_bytes())


def not_transferred(error: Exception) -> Outcome:
    """Return the outcome of an item that, or whose result, could not be sent between driver and worker."""
    name = type(error).__name__
    return Outcome("error", reason=f"{name} between driver and worker.", error=name)


def _reason(error: Exception) -> str:
    # ITK tells by its words alone that it got no memory.
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return "The memory limit was reached."
    return f"{type(error).__name__} in {_place(error)}"


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # Linux counts in kilobytes, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _frames() -> str:
    """Return where it happened, without the text of the error: it could quote the header of a file."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    return "\n".join(_described(frame) for frame in frames[-_MOST_FRAMES:])


def _place(error: Exception) -> str:
    return _described(traceback.extract_tb(error.__traceback__)[-1])


def _described(frame: traceback.FrameSummary) -> str:
    return f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})"
