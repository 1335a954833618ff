"""`medimage cohort` and `medimage compare`: a preset over many studies, and what changed between two versions."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import closing
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..choice import AUTO
from ..errors import Cancelled, ExportError, InvalidSettingError, MissingPackageError
from ..export.atomic import check_folder
from .cohort_progress import CohortProgress, summary_lines
from .options import AsJson

if TYPE_CHECKING:
    from ..cohort.engines import Engine
    from ..cohort.run import Tally
    from ..cohort.source import Source
    from ..preset import Preset

__all__ = ["add_to"]

SOME_WITHOUT_RESULT = 3
_CORES = os.cpu_count() or 1


class EngineName(str, Enum):
    """Where the cases are computed."""

    pool = "pool"
    dask = "dask"
    shard = "shard"


Input = Annotated[
    Path,
    typer.Argument(metavar="INPUT", help="A folder tree of images (DICOM in any order), or a CSV table of cases."),
]
PresetName = Annotated[str, typer.Option("--preset", "-p", help="Name of a preset, a file, or 'auto'.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="STORE", help="The store; made if it is missing.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]
WhichEngine = Annotated[EngineName, typer.Option("--engine", help="Where the cases are computed.")]
Shard = Annotated[str, typer.Option(metavar="I/N", help="Do the I-th of N parts of the cases (from 1/N to N/N).")]
Scheduler = Annotated[str, typer.Option(metavar="ADDRESS", help="Of a running dask scheduler, e.g. tcp://node1:8786.")]
TimeLimit = Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="A case that takes longer is given up.")]
MemoryLimit = Annotated[
    float | None, typer.Option(min=0.1, metavar="GB", help="Per worker; by default the machine's memory, shared out.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Do cases again that ended without a result.")]
KeepIds = Annotated[bool, typer.Option("--keep-ids", help="Call cases and patients by their own ids, not pseudonyms.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key", help="File with the key of the pseudonyms; by default STORE.key, beside it.")
]
Thumbnails = Annotated[bool, typer.Option(help="Keep a small picture of each case.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done and what is left out; do nothing.")]
StoreFolder = Annotated[Path, typer.Argument(help="The store of a cohort.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(cohort)
    app.command()(compare)


def cohort(
    input_path: Input,
    preset: PresetName,
    output: Output,
    workers: Workers = _CORES,
    engine: WhichEngine = EngineName.pool,
    shard: Shard = "",
    scheduler: Scheduler = "",
    time_limit: TimeLimit = 3600.0,
    memory_limit: MemoryLimit = None,
    retry_failed: RetryFailed = False,
    keep_ids: KeepIds = False,
    key: KeyFile = None,
    thumbnails: Thumbnails = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Analyze many studies into one store; run it again to do what is missing or changed. Exit code 3: some failed."""
    from ..preset import load_preset

    chosen = None if preset == AUTO else load_preset(preset)
    part = _part(shard, engine)
    if not dry_run:
        check_folder(output)
    with closing(_source(input_path, output, key, keep_ids, dry_run, as_json)) as source:
        if chosen:
            source.check_suits(chosen)
        source.take_part(*part)
        if dry_run:
            _tell_plan(source, output, chosen, retry_failed, as_json)
            return
        where = _engine(engine, workers, scheduler, time_limit, memory_limit)
        tally = _run(source, output, chosen, where, retry_failed, thumbnails, as_json)
    if tally.failed or tally.lost:
        raise typer.Exit(SOME_WITHOUT_RESULT)


def compare(
    before: StoreFolder,
    after: StoreFolder,
    relative: Annotated[float, typer.Option(min=0, help="Relative tolerance.")] = 1e-6,
    absolute: Annotated[float, typer.Option(min=0, help="Absolute tolerance.")] = 1e-9,
    as_json: AsJson = False,
) -> None:
    """Tell what changed between two stores, per value and case. Exit code 3: something did."""
    from ..cohort.comparison import Tolerance, compare_stores

    found = compare_stores(before, after, Tolerance(relative, absolute))
    if as_json:
        values = [asdict(value) for value in found.changed]
        print(json.dumps(asdict(found) | {"values": values}, indent=1, ensure_ascii=False))
    else:
        _tell_comparison(found)
    if not found.is_equal:
        raise typer.Exit(SOME_WITHOUT_RESULT)


def _source(path: Path, output: Path, key: Path | None, keep_ids: bool, dry_run: bool, quiet: bool) -> Source:
    from ..cohort.identity import Pseudonyms, key_file_of
    from ..cohort.source import open_source

    key_file = key or key_file_of(output.resolve())
    # A dry run leaves nothing behind: without a key its pseudonyms hold only for this once.
    pseudonyms = Pseudonyms.fleeting() if dry_run and not key_file.exists() else Pseudonyms.from_file(key_file)

    def show(count: int) -> None:
        if not quiet and count % 10_000 == 0:
            print(f"Looked at {count} files", file=sys.stderr, flush=True)

    return open_source(path, pseudonyms, keep_ids=keep_ids, leave_out=output, report=show)


def _part(shard: str, engine: EngineName) -> tuple[int, int]:
    """Return which part of how many; 1 of 1 = all."""
    if not shard:
        if engine is EngineName.shard:
            raise InvalidSettingError("The engine 'shard' needs --shard I/N, e.g. --shard 1/10.")
        return 1, 1
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InvalidSettingError(f"--shard is {shard!r:.40}, but must be from 1/N to N/N, e.g. 1/10.")
    return int(found[1]), int(found[2])


def _engine(name: EngineName, workers: int, scheduler: str, seconds: float, gigabytes: float | None) -> Engine:
    from ..cohort.engines.dask_cluster import DaskEngine
    from ..cohort.engines.pool import PoolEngine

    memory = int(gigabytes * 1e9) if gigabytes else _share_of_memory(workers)
    if name is EngineName.dask:
        # The machines of a running scheduler have their own size.
        limit = None if scheduler and not gigabytes else memory
        return DaskEngine(scheduler, workers, seconds_per_case=seconds, memory_bytes=limit)
    if scheduler:
        raise InvalidSettingError("--scheduler is for --engine dask.")
    return PoolEngine(workers, seconds_per_case=seconds, memory_bytes=memory)


def _share_of_memory(workers: int) -> int | None:
    """Return nine tenths of the machine's memory, divided among the workers; None where it cannot be asked."""
    try:
        return int(0.9 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / workers)
    except (AttributeError, ValueError, OSError):
        return None


def _run(
    source: Source,
    output: Path,
    preset: Preset | None,
    engine: Engine,
    retry_failed: bool,
    thumbnails: bool,
    as_json: bool,
) -> Tally:
    from ..cohort.run import run_cohort

    progress = CohortProgress(len(source), quiet=as_json)
    try:
        tally = run_cohort(
            source.cases(),
            output,
            preset,
            engine,
            retry_failed=retry_failed,
            thumbnails=thumbnails,
            report=progress.update,
        )
    except (Cancelled, ExportError):
        progress.end()
        raise
    progress.end()
    quarantined = _keep_quarantine(source, output)
    note = _update_table(output)
    if as_json:
        facts: dict[str, Any] = asdict(tally) | {"quarantined": quarantined, "seconds": round(progress.seconds, 1)}
        print(json.dumps(facts | {"store": str(output), "note": note}, indent=1))
    else:
        for line in (*summary_lines(tally, quarantined, progress.seconds), *filter(None, [note])):
            print(line)
    return tally


def _keep_quarantine(source: Source, output: Path) -> int:
    from ..cohort.store import Store

    return Store(output).keep_quarantine(source.quarantined())


def _update_table(output: Path) -> str:
    from ..cohort.derived import rebuild
    from ..cohort.store import Store

    try:
        made = rebuild(Store(output))
    except MissingPackageError as missing:
        return f"No table of all values was written. {missing}"
    return f"Table: {output / 'results.parquet'} ({made.cases} cases, {made.changed} new or changed)"


def _tell_plan(source: Source, output: Path, preset: Preset | None, retry_failed: bool, as_json: bool) -> None:
    from ..cohort.run import dry_plan

    planned = dry_plan(source.cases(), output, preset, retry_failed)
    if as_json:
        cases = [{"case": each.case.name, "files": len(each.case.files), "why": each.why} for each in planned]
        left_out = [asdict(each) for each in source.quarantined()]
        print(json.dumps({"cases": cases, "quarantined": left_out}, indent=1, ensure_ascii=False))
        return
    to_do = 0
    for each in planned:
        to_do += bool(each.why)
        print(
            f"{each.case.name}  {len(each.case.files)} file(s)  {f'to do: {each.why}' if each.why else 'in the store'}"
        )
    left_out = 0
    for quarantined in source.quarantined():
        left_out += 1
        print(f"{quarantined.name}  left out: {quarantined.reason}")
    print(f"{to_do} of {len(source)} cases to do, {left_out} files or series left out. Nothing was done (dry run).")


def _tell_comparison(found: Any) -> None:
    changed = found.changed
    print(f"{found.compared} cases in both stores; {len(changed)} of {len(found.values)} values changed.")
    for words, cases in (("Only in the first", found.only_before), ("Only in the second", found.only_after)):
        if cases:
            print(f"{words}: {len(cases)} ({', '.join(cases[:5])}{', ...' if len(cases) > 5 else ''})")
    for case, before, after in found.status:
        print(f"{case}: {before} -> {after}")
    for value in changed:
        print(f"{value.name}: changed in {value.changed} of {value.compared} cases")
        for change in value.largest:
            print(f"    {change.case}  {_figure(change.before)} -> {_figure(change.after)}")


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.10g}"
