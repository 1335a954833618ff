"""The cohort engine: speed on two workers, overhead per case, memory of the driver, and stores of 100,000 cases.

    python benchmarks/cohort.py [--data FOLDER] [--images 200] [--round 20] [--preset chest-xray] [--only NAME]

Parts: speed (real images, needs the shared data), overhead (cases that sleep for a second), memory (simulated cases),
scan (a simulated store). Prints one table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from common import PACKAGE
from common.data import add_data_option
from MedImageAnalysisLib.cohort import run as driver
from MedImageAnalysisLib.cohort.case import CohortCase
from MedImageAnalysisLib.cohort.derived import rebuild
from MedImageAnalysisLib.cohort.engines.dask_cluster import DaskEngine
from MedImageAnalysisLib.cohort.engines.pool import PoolEngine
from MedImageAnalysisLib.cohort.latest import Latest
from MedImageAnalysisLib.cohort.settings import Settings
from MedImageAnalysisLib.cohort.store import CaseRecord, Entry, Store, record_key
from MedImageAnalysisLib.cohort.work import Task, analyze_case
from MedImageAnalysisLib.preset import load_preset

Row = tuple[str, str]
SLEEPING_CASES = 40
SIMULATED = 100_000

# Workers import the package and this script too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(PACKAGE), str(Path(__file__).parent)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument(
        "--round", type=int, default=20, help="images that one and two workers take in turn; many hide the starts"
    )
    parser.add_argument("--preset", default="chest-xray")
    parser.add_argument("--only", choices=("speed", "overhead", "memory", "scan"))
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive is not None:
        drive(options.drive)
        return
    parts = {
        "speed": lambda: speed(options.data, options.images, options.round, options.preset),
        "overhead": overhead,
        "memory": driver_memory,
        "scan": scan,
    }
    print(f"load at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    for name, part in parts.items():
        if options.only in (None, name):
            for what, figure in part():
                print(f"{what:64} {figure:>22}", flush=True)


def speed(data: Path, count: int, each: int, preset_name: str) -> Iterator[Row]:
    """Compare one worker and two on real images, in turns, so that both meet the same load of the machine."""
    images = sorted((data / "chest_xray_kermany").rglob("*.jp*g"))
    images = images[:: max(1, len(images) // count)][:count]
    if not images:
        yield "speed: no real images here (set MEDIMAGE_DATA)", "-"
        return
    preset = load_preset(preset_name)
    rounds = [images[start : start + each] for start in range(0, len(images), each)]
    found: dict[int, list[float]] = {1: [], 2: []}
    walls = {1: 0.0, 2: 0.0}
    size = failed = peak = 0
    for number, part in enumerate(rounds):
        for workers in (1, 2) if number % 2 else (2, 1):
            with tempfile.TemporaryDirectory() as folder:
                store = Path(folder) / "store"
                cases = (CohortCase(f"case-{index}", (path,)) for index, path in enumerate(part))
                started = time.perf_counter()
                tally = driver.run_cohort(cases, store, preset, PoolEngine(workers), work=analyze_and_time)
                walls[workers] += time.perf_counter() - started
                # The first case of a worker imports what all need.
                for file in store.glob("*.times"):
                    found[workers] += map(float, file.read_text().splitlines()[1:])
                size += sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
                failed, peak = failed + tally.failed + tally.lost, max(peak, tally.peak_bytes)
    yield from told(found, walls, len(images), each)
    yield "  without a result, of both", str(failed)
    yield "  peak memory of a worker", f"{peak / 1e6:.0f} MB"
    yield "  store per case", f"{size / len(images) / 2e3:.1f} kB"


def told(found: dict[int, list[float]], walls: dict[int, float], count: int, each: int) -> Iterator[Row]:
    """Yield wall times with all starts, and processor times, which other programs disturb less."""
    for workers, seconds in found.items():
        yield f"{count} images, {workers} worker(s), rounds of {each}: wall", f"{walls[workers]:.1f} s"
        yield "  processor time per case", f"{mean(seconds):.3f} s" if seconds else "too few cases"
    yield "  speed of 2 workers against 1 by the clock, starts included", f"{walls[1] / walls[2]:.2f} x"
    if all(found.values()):
        yield "  the same by processor time, without starts", f"{2 * mean(found[1]) / mean(found[2]):.2f} x"


def analyze_and_time(task: Task) -> str:
    """Analyze a case and note its processor time in a file of this worker."""
    started = time.process_time()
    key = analyze_case(task)
    with (task.store / f"{os.getpid()}.times").open("a") as file:
        file.write(f"{time.process_time() - started}\n")
    return key


def sleep_a_second(number: int) -> int:
    """A case that takes a second and no processor."""
    time.sleep(1)
    return number


def overhead() -> Iterator[Row]:
    """Time what engines add to cases of one second, once their workers run."""
    for name, engine in (("pool", PoolEngine(2)), ("dask", DaskEngine(workers=2))):
        started = time.perf_counter()
        ends = []
        with closing(engine.run(sleep_a_second, range(SLEEPING_CASES))) as outcomes:
            for _ in outcomes:
                ends.append(time.perf_counter() - started)
        # The first case of each worker pays for its start.
        steady = (ends[-1] - ends[1]) / (SLEEPING_CASES / 2 - 1)
        yield f"{name}: overhead on a case of 1 s, {SLEEPING_CASES} cases, 2 workers", f"{100 * (steady - 1):.1f} %"
        yield f"{name}: start of the workers", f"{ends[0] - 1:.1f} s"


def note_quickly(task: Task) -> str:
    """Write a record without an analysis."""
    key = record_key(task.case.name, task.settings.sha256, task.settings.code, task.case.name)
    Store(task.store).write(CaseRecord(key, task.case.name, "done"))
    return key


def driver_memory() -> Iterator[Row]:
    """Compare the peak memory of drivers of few and many cases."""
    peaks = {}
    for count in (10, 10_000):
        started = time.perf_counter()
        printed = subprocess.run(
            [sys.executable, __file__, "--drive", str(count)], check=True, capture_output=True, text=True
        ).stdout
        seconds = time.perf_counter() - started
        peaks[count] = int(printed.split()[-1])
        yield f"driver of {count} cases: peak memory", f"{peaks[count] / 1e6:.1f} MB"
        yield f"driver of {count} cases: per case", f"{1e3 * seconds / count:.1f} ms"
    yield "  growth", f"{100 * (peaks[10_000] / peaks[10] - 1):+.1f} %"


def drive(count: int) -> None:
    """Run simulated cases; print the peak memory of this process."""
    import resource

    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image"
        image.write_bytes(b"x")
        cases = (CohortCase(f"case-{number:07d}", (image,)) for number in range(count))
        store = Path(folder) / "store"
        tally = driver.run_cohort(cases, store, load_preset("generic-2d"), PoolEngine(2), work=note_quickly)
        assert tally.done == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def scan() -> Iterator[Row]:
    """Time what a run does before its first case, and the table, on a store of many cases."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [CohortCase(f"case-{n:07d}", (Path(folder) / f"in-{n % 100}" / str(n),)) for n in range(SIMULATED)]
        settings = Settings.of(load_preset("generic-2d"), "code")
        store = Store(Path(folder) / "store", create=True)
        simulate(store, cases, settings)
        yield f"resume scan of {SIMULATED} cases", timed(resume_scan, store, cases, settings)
        yield "table of all of them, from nothing", timed(rebuild, store)
        yield "table when nothing changed", timed(rebuild, store)
        for case in cases[:100]:
            store.note(entry(case, settings, at=2.0))
        yield "table when 100 cases changed", timed(rebuild, store)
        store.close()
        size = sum(path.stat().st_size for path in (store.folder / "results.parquet").iterdir())
        yield "table per case (10 values)", f"{size / SIMULATED:.0f} B"


def resume_scan(store: Store, cases: list[CohortCase], settings: Settings) -> None:
    """Find out that nothing is to be done."""
    with closing(Latest(store)) as latest:
        assert not any(planned.why for planned in driver.plan(cases, latest, settings))


def timed(work: Callable[..., Any], *arguments: Any) -> str:
    """Return wall and processor time: on a busy machine they differ."""
    started, processor = time.perf_counter(), time.process_time()
    work(*arguments)
    return f"{time.perf_counter() - started:.1f} s ({time.process_time() - processor:.1f} s CPU)"


def entry(case: CohortCase, settings: Settings, at: float) -> Entry:
    key = record_key(case.name, settings.sha256, settings.code, case.name)
    return Entry(case.name, case.fingerprint(), settings.sha256, settings.code, key, "done", at=at)


def simulate(store: Store, cases: list[CohortCase], settings: Settings) -> None:
    """Fill a store as a run would, but without waiting for the disk after each record."""
    for case in cases:
        case.files[0].parent.mkdir(exist_ok=True)
        case.files[0].write_bytes(b"x")
        noted = entry(case, settings, at=1.0)
        covariates = {f"value-{number}": str(number / 7) for number in range(10)}
        path = store.record_path(noted.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = CaseRecord(noted.key, case.name, "done", covariates=covariates)
        path.write_text(json.dumps({"format": 1, **asdict(record)}))
        store.note(noted)


if __name__ == "__main__":
    main()
