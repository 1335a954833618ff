"""The driver: which cases are to be done and why, hand them to an engine, keep the journal."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from ..errors import Cancelled, ExportError
from ..preset import Preset
from ..software import code_fingerprint
from .case import CohortCase
from .engines import Engine, Outcome
from .latest import RECORD_DAMAGED, Known, Latest
from .settings import Settings
from .store import Entry, Store
from .work import Task, analyze_case, failed_record

__all__ = ["Plan", "Tally", "dry_plan", "plan", "run_cohort"]

NEW = "new"
INPUT_CHANGED = "its files changed"
CODE_CHANGED = "the program changed"
NOT_WRITTEN = "its result could not be written"
FAILED_BEFORE = "it failed before"

# What a case ended with that says nothing of the case: it is done again without being asked to.
_NOT_THE_CASE = "ExportError"
_UNWRITTEN_IN_A_ROW = 3
# Few enough that their paths fit in memory: a case may have a thousand files.
_BATCH = 100


@dataclass
class Tally:
    """How far a run is.

    Parameters
    ----------
    present : int
        Cases that were in the store and had not changed.
    twice : int
        Cases whose work was started more than once.
    reasons : dict
        How many cases were done for which reason.
    peak_bytes : int
        Most memory that a worker held.
    """

    done: int = 0
    failed: int = 0
    lost: int = 0
    present: int = 0
    twice: int = 0
    peak_bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Cases that this run has finished, with or without a result."""
        return self.done + self.failed + self.lost


@dataclass(frozen=True)
class Plan:
    """A case and why it is to be done; "" = its record is in the store."""

    case: CohortCase
    why: str


Report = Callable[[Tally, Plan | None, Outcome | None], None]


def plan(cases: Iterable[CohortCase], latest: Latest, settings: Settings, retry_failed: bool = False) -> Iterator[Plan]:
    """Yield every case with the reason why it must be (re)done, comparing files, preset and code with the journals."""
    same = settings.sha256

    @cache
    def change_since(before: str) -> str:
        return "" if before == same else settings.change_since(latest.store.kept_settings(before))

    remaining = iter(cases)
    while batch := list(itertools.islice(remaining, _BATCH)):
        known = latest.known([case.name for case in batch])
        for case in batch:
            found = known.get(case.name)
            why = change_since(found.settings) or _why(case, found, latest, settings, retry_failed) if found else NEW
            yield Plan(case, why)


def dry_plan(
    cases: Iterable[CohortCase], folder: Path, preset: Preset | None, retry_failed: bool = False
) -> Iterator[Plan]:
    """Yield the plan of a run without making anything, not even the store."""
    if not folder.exists():
        return (Plan(case, NEW) for case in cases)
    return plan(cases, Latest(Store(folder)), Settings.of(preset, code_fingerprint()), retry_failed)


def run_cohort(
    cases: Iterable[CohortCase],
    folder: Path,
    preset: Preset | None,
    engine: Engine,
    *,
    retry_failed: bool = False,
    thumbnails: bool = True,
    report: Report = lambda tally, planned, outcome: None,
    work: Callable[[Task], str] = analyze_case,
) -> Tally:
    """Do what is missing or changed; return how it ended.

    Parameters
    ----------
    cases : iterable of CohortCase
        Taken one by one, so that a cohort of any size fits in memory.
    folder : Path
        The store; made if it is missing.
    preset : Preset or None
        None = chosen for each case; where the choice is not clear the case fails with that reason.
    engine : Engine
    retry_failed : bool
        Whether to do cases again that ended without a result although nothing changed.
    report : callable
        Called after each case that was finished, and without a case after each that was there already.
    work : callable
        What is done with a case, in a worker; returns the key of the record that it wrote.

    Raises
    ------
    InvalidSettingError
        If the store is of another version.
    ExportError
        If the store cannot be written any more, e.g. on a full disk; what was done is in the store.
    Cancelled
        On Ctrl-C; what was done is in the store.
    """
    store = Store(folder, create=True)
    settings = Settings.of(preset, code_fingerprint())
    store.keep_settings(settings.sha256, settings.text)
    store.sweep()
    driver = _Driver(store, settings, work, retry_failed, thumbnails, report)
    try:
        driver.run(cases, engine)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled by the user. What was done is in the store: run again to go on.") from None
    finally:
        store.close()
    return driver.tally


class _Driver:
    """One run over a cohort."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        work: Callable[[Task], str],
        retry_failed: bool,
        thumbnails: bool,
        report: Report,
    ) -> None:
        self.tally = Tally()
        self._work_on_case = work
        self._store = store
        self._settings = settings
        self._retry_failed = retry_failed
        self._thumbnails = thumbnails
        self._report = report
        # Of the cases that are being worked on now: why.
        self._why: dict[str, str] = {}
        # What another driver was at work on when it was this driver's turn.
        self._elsewhere: list[Task] = []
        self._unwritten = 0

    def run(self, cases: Iterable[CohortCase], engine: Engine) -> None:
        with closing(Latest(self._store)) as latest:
            self._work(engine, self._tasks(cases, latest))
        while self._elsewhere:
            waiting, self._elsewhere = self._elsewhere, []
            self._work(engine, (replace(task, wait=True) for task in waiting))

    def _tasks(self, cases: Iterable[CohortCase], latest: Latest) -> Iterator[Task]:
        for planned in plan(cases, latest, self._settings, self._retry_failed):
            if not planned.why:
                self.tally.present += 1
                self._report(self.tally, None, None)
                continue
            self._why[planned.case.name] = planned.why
            anew = planned.why == RECORD_DAMAGED
            yield Task(planned.case, self._store.folder, self._settings, self._thumbnails, anew=anew)

    def _work(self, engine: Engine, tasks: Iterator[Task]) -> None:
        # Closed here and not when it is forgotten: processes end before this returns, whatever happened.
        with closing(engine.run(self._work_on_case, tasks)) as outcomes:
            for task, outcome in outcomes:
                if outcome.status == "done" and not outcome.value:
                    self._elsewhere.append(task)
                    continue
                why = self._why.pop(task.case.name)
                self._count(outcome, why)
                self._keep(task, outcome, why)
                self._report(self.tally, Plan(task.case, why), outcome)
                self._check_writable(outcome)

    def _check_writable(self, outcome: Outcome) -> None:
        """Stop when one result after the other cannot be written: to go on would compute for nothing."""
        self._unwritten = self._unwritten + 1 if outcome.error == _NOT_THE_CASE else 0
        if self._unwritten == _UNWRITTEN_IN_A_ROW:
            raise ExportError(
                f"{_UNWRITTEN_IN_A_ROW} results in a row could not be written: {outcome.reason} "
                "Make room for the store and run again to go on."
            )

    def _count(self, outcome: Outcome, why: str) -> None:
        tally = self.tally
        tally.done += outcome.status == "done"
        tally.failed += outcome.status == "error"
        tally.lost += outcome.status == "lost"
        tally.twice += outcome.attempts > 1
        tally.peak_bytes = max(tally.peak_bytes, outcome.peak_bytes)
        tally.reasons[why] = tally.reasons.get(why, 0) + 1

    def _keep(self, task: Task, outcome: Outcome, why: str) -> None:
        """Write the journal's line, and the record of a case that failed; that of a case that is done is there."""
        key = outcome.value
        if outcome.status != "done":
            record = failed_record(task, outcome.status, outcome.reason, outcome.log)
            key = record.key
            # Another driver, or an attempt whose process died after its work, may have written the result.
            if self._store.finished(key) is None:
                self._store.write(record)
        self._store.note(
            Entry(
                case=task.case.name,
                fingerprint=_fingerprint(task.case),
                settings=task.settings.sha256,
                code=task.settings.code,
                key=key,
                status=outcome.status,
                seconds=round(outcome.seconds, 3),
                attempts=outcome.attempts,
                reason=outcome.reason,
                why=why,
                error=outcome.error,
                at=time.time(),
                size=self._store.measure(key),
                artifacts=self._store.has_artifacts(key),
            )
        )


def _why(case: CohortCase, known: Known, latest: Latest, settings: Settings, retry_failed: bool) -> str:
    if known.code != settings.code:
        return CODE_CHANGED
    if _fingerprint(case) != known.fingerprint:
        return INPUT_CHANGED
    if known.error == _NOT_THE_CASE:
        return NOT_WRITTEN
    if fault := latest.fault(known):
        return fault
    return FAILED_BEFORE if retry_failed and known.status != "done" else ""


def _fingerprint(case: CohortCase) -> str:
    """Return the mark of the case's files, or "" if one of them is gone."""
    try:
        return case.fingerprint()
    except OSError:
        return ""
