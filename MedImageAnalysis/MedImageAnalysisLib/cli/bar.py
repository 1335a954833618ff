"""Progress on the terminal: a bar where there is one, plain lines where there is not; Ctrl-C cancels cleanly."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..progress import Progress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """Give a :class:`Progress` that shows on standard error; the first Ctrl-C asks the work to stop."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    with _interrupt_flag() as interrupted:
        if quiet:
            yield Progress(cancelled=interrupted.is_set)
            return
        console = Console(stderr=True)
        if not console.is_terminal:
            yield Progress(report=_LinePrinter(), cancelled=interrupted.is_set)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task("Starting", total=1.0)

            def show(message: str, fraction: float) -> None:
                bar.update(task, description=message or None, completed=fraction)

            yield Progress(report=show, cancelled=interrupted.is_set)


class _LinePrinter:
    """Prints each message once, for logs and pipes."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, message: str, fraction: float) -> None:
        if message and message != self._last:
            self._last = message
            print(f"{100 * fraction:3.0f} %  {message}", file=sys.stderr, flush=True)


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """Give a flag that the first Ctrl-C sets; a second Ctrl-C interrupts at once, as usual."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    usual = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, usual)
