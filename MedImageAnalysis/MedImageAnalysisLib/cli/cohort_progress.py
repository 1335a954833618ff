"""How far a cohort is: one line that is drawn over on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..cohort.engines import Outcome
    from ..cohort.run import Plan, Tally

__all__ = ["CohortProgress", "summary_lines"]

_TERMINAL_SECONDS = 0.2
_LINE_SECONDS = 10.0


class CohortProgress:
    """Shows done, failed, speed and the time that is left on standard error.

    Parameters
    ----------
    total : int
        Cases of the run, those included that are in the store already.
    """

    def __init__(self, total: int, quiet: bool = False) -> None:
        self._total = total
        self._quiet = quiet
        self._on_terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._shown = 0.0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def update(self, tally: Tally, planned: Plan | None, outcome: Outcome | None) -> None:
        """Show a case that was finished, and at once one that failed."""
        if self._quiet:
            return
        if outcome and outcome.status != "done":
            self._say(f"{planned.case.name} {_WORDS[outcome.status]}: {outcome.reason}")
        now = time.monotonic()
        if now - self._shown < (_TERMINAL_SECONDS if self._on_terminal else _LINE_SECONDS):
            return
        self._shown = now
        line = self.line(tally)
        if self._on_terminal:
            sys.stderr.write(f"\r{line:<79.79}")
            sys.stderr.flush()
        else:
            print(line, file=sys.stderr, flush=True)

    def line(self, tally: Tally) -> str:
        """Return the state in one line."""
        words = f"{tally.finished + tally.present} of {self._total}"
        if tally.present:
            words += f" ({tally.present} were there)"
        words += f", {tally.failed} failed, {tally.lost} lost"
        seconds = self.seconds
        if not tally.finished or not seconds:
            return words
        speed = tally.finished / seconds
        left = (self._total - tally.finished - tally.present) / speed
        return f"{words}, {60 * speed:.3g} cases/min, {_duration(left)} left"

    def end(self) -> None:
        """Leave the line that is drawn over."""
        if self._on_terminal and not self._quiet:
            sys.stderr.write("\n")

    def _say(self, text: str) -> None:
        start = f"\r{'':79}\r" if self._on_terminal else ""
        print(start + text, file=sys.stderr, flush=True)


_WORDS = {"error": "failed", "lost": "lost"}


def summary_lines(tally: Tally, quarantined: int, seconds: float) -> Iterator[str]:
    """Yield what a run did, for people."""
    yield (
        f"{tally.done} done, {tally.failed} failed, {tally.lost} lost, {tally.present} were in the store, "
        f"{quarantined} left out; {_duration(seconds)}"
    )
    for why, count in sorted(tally.reasons.items()):
        yield f"  {count} because: {why}"
    if tally.twice:
        yield f"  {tally.twice} were started more than once, since their process died"
    if tally.peak_bytes:
        yield f"  a worker held at most {tally.peak_bytes / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"
