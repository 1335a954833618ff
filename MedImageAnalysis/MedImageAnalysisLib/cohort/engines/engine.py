"""What an engine is: it runs one function over many items and tells how each ended, and never raises for one item."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ...errors import MedImageError

__all__ = ["Engine", "Outcome", "guarded"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Outcome:
    """How the work on one item ended.

    Parameters
    ----------
    status : {"done", "error", "lost"}
        "error": the work raised, `reason` and `log` say what. "lost": its process died or was ended by a limit.
    attempts : int
        How often the work was started.
    """

    status: str
    value: Any = None
    reason: str = ""
    log: str = ""
    attempts: int = 1
    seconds: float = 0.0


class Engine(Protocol):
    """Runs a picklable function over items, in any order, with bounded memory of its own."""

    def run(self, work: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Yield each item with its outcome as soon as it is known; take items only as fast as they are worked on."""
        ...


def guarded(work: Callable[[Item], Any], item: Item) -> Outcome:
    """Do the work in the worker; what it raises becomes data: only the death of a process reaches the engine."""
    started = time.perf_counter()
    try:
        return Outcome("done", work(item), seconds=time.perf_counter() - started)
    except MedImageError as error:
        return Outcome("error", reason=str(error), seconds=time.perf_counter() - started)
    except MemoryError:
        return Outcome("error", reason="The memory limit was reached.", log=_frames())
    except Exception as error:
        reason = f"{type(error).__name__} in {_place(error)}"
        return Outcome("error", reason=reason, log=_frames(), seconds=time.perf_counter() - started)


def _frames() -> str:
    """Return where it happened, without the text of the error: it could quote the header of a file."""
    import sys

    frames = traceback.extract_tb(sys.exc_info()[2])
    return "\n".join(f"{frame.name} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})" for frame in frames)


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
