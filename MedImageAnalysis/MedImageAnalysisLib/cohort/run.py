"""The driver: which cases are to be done and why, hand them to an engine, keep the journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Cancelled
from ..preset import Preset
from ..software import code_fingerprint
from .case import CohortCase
from .engines import Engine, Outcome
from .store import Entry, Store
from .work import Task, analyze_case, failed_record, settings_hash

__all__ = ["Plan", "Tally", "plan", "run_cohort"]

NEW = "new"
INPUT_CHANGED = "its files changed"
SETTINGS_CHANGED = "the preset changed"
CODE_CHANGED = "the program changed"
RECORD_GONE = "its record is gone"
FAILED_BEFORE = "it failed before"


@dataclass
class Tally:
    """How far a run is."""

    done: int = 0
    failed: int = 0
    lost: int = 0
    present: int = 0
    twice: int = 0
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


def plan(cases: Iterable[CohortCase], store: Store, preset_json: str, code: str, retry_failed: bool) -> Iterator[Plan]:
    """Yield every case with the reason why it must be (re)done, comparing files, preset and code with the journals."""
    latest = {entry.case: entry for entry in store.entries()}
    keys = store.keys()
    settings = settings_hash(preset_json)
    for case in cases:
        entry = latest.get(case.name)
        yield Plan(case, _why(case, entry, settings, code, keys, retry_failed))


def run_cohort(
    cases: Iterable[CohortCase],
    store_folder: Path,
    preset: Preset,
    engine: Engine,
    *,
    retry_failed: bool = False,
    report: Callable[[Tally, Plan | None, Outcome | None], None] = lambda tally, planned, outcome: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Tally:
    """Do what is missing or changed; return how it ended.

    Parameters
    ----------
    cases : iterable of CohortCase
        Taken one by one, so that a cohort of any size fits in memory.
    engine : Engine
    retry_failed : bool
        Whether to do cases again that ended with an error although nothing changed.
    report : callable
        Called after each case.
    cancelled : callable
        Asked between cases; when it returns True the run stops and the store can be resumed.

    Raises
    ------
    InvalidSettingError
        If the store is of another version.
    Cancelled
        If the user asked to stop; what was done is in the store.
    """
    preset_json = json.dumps(preset.to_json(), sort_keys=True)
    code = code_fingerprint()
    store = Store(store_folder, preset.to_json())
    tally = Tally()
    reasons: dict[str, str] = {}

    def tasks() -> Iterator[Task]:
        for planned in plan(cases, store, preset_json, code, retry_failed):
            if not planned.why:
                tally.present += 1
                continue
            reasons[planned.case.name] = planned.why
            tally.reasons[planned.why] = tally.reasons.get(planned.why, 0) + 1
            yield Task(planned.case, store_folder, preset_json, code)

    try:
        for task, outcome in engine.run(analyze_case, tasks()):
            _keep(store, task, outcome, tally)
            report(tally, Plan(task.case, reasons.pop(task.case.name)), outcome)
            if cancelled():
                raise Cancelled("Cancelled by the user. What was done is in the store; run again to go on.")
    finally:
        store.close()
    return tally


def _why(case: CohortCase, entry: Entry | None, settings: str, code: str, keys: set[str], retry_failed: bool) -> str:
    if entry is None:
        return NEW
    if entry.settings != settings:
        return SETTINGS_CHANGED
    if entry.code != code:
        return CODE_CHANGED
    if _fingerprint(case) != entry.fingerprint:
        return INPUT_CHANGED
    if entry.key not in keys:
        return RECORD_GONE
    return FAILED_BEFORE if retry_failed and entry.status != "done" else ""


def _keep(store: Store, task: Task, outcome: Outcome, tally: Tally) -> None:
    """Write the record of a case that failed (a worker wrote that of a case that is done) and the journal's line."""
    if outcome.status == "done":
        tally.done += 1
        key = outcome.value
    else:
        record = failed_record(task, outcome.status, outcome.reason, outcome.log)
        store.write(record)
        key = record.key
        tally.failed += outcome.status == "error"
        tally.lost += outcome.status == "lost"
    tally.twice += outcome.attempts > 1
    store.note(
        Entry(
            case=task.case.name,
            fingerprint=_fingerprint(task.case),
            settings=settings_hash(task.preset),
            code=task.code,
            key=key,
            status=outcome.status,
            seconds=round(outcome.seconds, 3),
            attempts=outcome.attempts,
            reason=outcome.reason,
        )
    )


def _fingerprint(case: CohortCase) -> str:
    """Return the mark of the case's files, or "" if one of them is gone."""
    try:
        return case.fingerprint()
    except OSError:
        return ""
