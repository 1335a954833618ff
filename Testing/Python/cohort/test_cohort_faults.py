"""Nothing is lost: whatever dies, hangs or fills up, every other case is in the store exactly once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from MedImageAnalysisLib.cohort.claims import claimed
from MedImageAnalysisLib.cohort.dataset import current_records
from MedImageAnalysisLib.cohort.engines.dask_cluster import DaskEngine
from MedImageAnalysisLib.cohort.engines.pool import PoolEngine
from MedImageAnalysisLib.cohort.engines.serial import SerialEngine
from MedImageAnalysisLib.cohort.identity import Pseudonyms
from MedImageAnalysisLib.cohort.run import run_cohort
from MedImageAnalysisLib.cohort.source import open_source
from MedImageAnalysisLib.cohort.store import Store
from MedImageAnalysisLib.errors import ExportError, MedImageError

sys.path.insert(0, str(Path(__file__).parent))
from misbehaving_work import analyze_or_misbehave

pytestmark = [
    pytest.mark.usefixtures("same_program", "importable_in_workers"),
    pytest.mark.skipif(os.name != "posix", reason="processes are killed with POSIX signals"),
]
KEY = Pseudonyms(bytes(32))
# A driver in a process of its own; the program is held to be the same as in this one.
DRIVER = """
import json, sys
from pathlib import Path
from misbehaving_work import analyze_or_misbehave
from MedImageAnalysisLib.cohort import run as driver
from MedImageAnalysisLib.cohort.engines.pool import PoolEngine
from MedImageAnalysisLib.cohort.identity import Pseudonyms
from MedImageAnalysisLib.cohort.source import open_source
from MedImageAnalysisLib.preset import Preset
driver.code_fingerprint = lambda: "0123456789abcdef"
if __name__ == "__main__":
    images, store, preset = sys.argv[1:]
    cases = open_source(Path(images), Pseudonyms(bytes(32))).cases()
    report = lambda tally, planned, outcome: print(tally.done, flush=True)
    driver.run_cohort(cases, Path(store), Preset.from_json(json.loads(preset)), PoolEngine(1),
                      report=report, work=analyze_or_misbehave)
"""


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def run(images, store, simple_preset):
    def run_once(engine, **options):
        cases = open_source(images, KEY).cases()
        return run_cohort(cases, store, simple_preset, engine, work=analyze_or_misbehave, **options)

    return run_once


@pytest.fixture
def driver(images, store, simple_preset):
    """Starts a driver as a process."""
    started = []

    def start():
        arguments = [sys.executable, "-c", DRIVER, str(images), str(store), json.dumps(simple_preset.to_json())]
        started.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def statuses(store):
    """How the cases of a store ended; each case and each of its records counts once."""
    found = list(current_records(Store(store)))
    assert len({record.case for record in found}) == len(found) == len(list(Store(store).keys()))
    return Counter(record.status for record in found)


def kill_a_worker():
    import psutil

    children = psutil.Process().children(recursive=True)
    next(child for child in children if "spawn_main" in " ".join(child.cmdline())).kill()


def test_a_worker_that_is_killed_costs_nothing(run, store, monkeypatch):
    monkeypatch.setenv("SECONDS_PER_CASE", "0.3")
    killed = []

    def kill_once(tally, planned, outcome):
        if not killed:
            killed.append(kill_a_worker())

    tally = run(PoolEngine(workers=2), report=kill_once)
    assert (tally.done, tally.failed, tally.lost) == (10, 0, 0)
    assert tally.twice <= 1
    assert statuses(store) == {"done": 10}


def test_cases_that_crash_hang_or_eat_memory_are_recorded_and_the_others_done(run, store, images, write_image):
    for number, name in enumerate(("kill", "hang", "eat", "raise")):
        write_image(images / f"{name}.nrrd", 100 + number)
    tally = run(PoolEngine(workers=2, seconds_per_case=12, memory_bytes=2 * 2**30))
    assert (tally.done, tally.failed, tally.lost, tally.twice) == (10, 2, 2, 1)
    assert statuses(store) == {"done": 10, "error": 2, "lost": 2}
    reasons = {record.reason for record in current_records(Store(store)) if record.status != "done"}
    assert reasons >= {"Took longer than the limit of 12 s.", "The memory limit was reached."}
    assert any("process died" in reason for reason in reasons)
    (raised,) = (record for record in current_records(Store(store)) if record.reason.startswith("ValueError"))
    assert "behave" in raised.log
    assert "Doe" not in raised.log + raised.reason


def test_a_driver_that_is_killed_goes_on_where_it_was(run, store, driver, monkeypatch):
    monkeypatch.setenv("SECONDS_PER_CASE", "0.2")
    process = driver()
    for _ in range(3):
        process.stdout.readline()
    process.kill()
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in store.glob("cases/*/*.json")}
    assert 3 <= len(before) < 10
    monkeypatch.delenv("SECONDS_PER_CASE")
    tally = run(SerialEngine())
    assert tally.present >= 3
    assert tally.present + tally.done == 10
    assert statuses(store) == {"done": 10}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_drivers_on_one_store_share_the_work(run, store, driver, monkeypatch):
    monkeypatch.setenv("SECONDS_PER_CASE", "0.2")
    other = driver()
    tally = run(PoolEngine(workers=1))
    other.communicate(timeout=60)
    assert other.returncode == 0
    assert tally.present + tally.done == 10
    assert statuses(store) == {"done": 10}


def test_a_claim_holds_for_other_processes_and_ends_with_its_own(tmp_path):
    code = (
        "import sys; from pathlib import Path; from MedImageAnalysisLib.cohort.claims import claimed\n"
        "with claimed(Path(sys.argv[1]), 'ab12') as mine: print(mine, flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "locks")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "True\n"
    with claimed(tmp_path / "locks", "ab12") as mine:
        assert not mine
    with claimed(tmp_path / "locks", "ab13") as mine:
        assert mine
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with claimed(tmp_path / "locks", "ab12") as mine:
        assert mine


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB; returns its folder and a function that makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted without root")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=20m", str(folder)], check=True)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_the_run_and_the_next_one_completes_it(images, small_disk, simple_preset):
    disk, enlarge = small_disk
    store = disk / "store"

    def run_all():
        return run_cohort(open_source(images, KEY).cases(), store, simple_preset, SerialEngine())

    with pytest.raises(ExportError, match="could not be written"):
        run_all()
    assert all(json.loads(path.read_text(encoding="utf-8"))["case"] for path in store.glob("cases/*/*.json"))
    assert 0 < len(list(store.glob("cases/*/*.json"))) < 10
    enlarge()
    tally = run_all()
    assert tally.present + tally.done == 10
    assert tally.present > 0
    assert statuses(store) == {"done": 10}


def test_a_result_that_could_not_be_written_is_done_again_without_being_asked(run, store, monkeypatch):
    from MedImageAnalysisLib.cohort import work

    def full(*arguments):
        raise ExportError("segmentation.seg.nrrd could not be written: No space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr(work, "_write_artifacts", full)
        with pytest.raises(ExportError, match=r"3 results in a row.*No space left"):
            run(SerialEngine())
    assert run(SerialEngine()).reasons == {"its result could not be written": 3, "new": 7}
    assert statuses(store) == {"done": 10}


@pytest.fixture
def dask_processes(tmp_path):
    """A scheduler and a worker of their own; returns the address and the scheduler."""
    pytest.importorskip("distributed", reason="the dask engine needs the extra 'cohort'")
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [*command, "scheduler", "--scheduler-file", str(file), "--port", "0", "--host", "127.0.0.1", "--no-dashboard"],
        **quiet,
    )
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text(encoding="utf-8").endswith("}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker_options = ["--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
    worker = subprocess.Popen([*command, "worker", *worker_options], cwd=tmp_path, **quiet)
    yield json.loads(file.read_text(encoding="utf-8"))["address"], scheduler
    for process in (worker, scheduler):
        process.terminate()
        process.wait(timeout=60)


def test_a_scheduler_that_is_killed_stops_the_run_and_the_next_one_completes_it(
    run, store, dask_processes, monkeypatch
):
    address, scheduler = dask_processes

    def kill_scheduler(tally, planned, outcome):
        if tally.done == 2:
            scheduler.kill()

    with pytest.raises(MedImageError, match="The dask scheduler or all its workers are gone"):
        run(DaskEngine(address, patience_seconds=60), report=kill_scheduler)
    tally = run(SerialEngine())
    assert tally.present >= 2
    assert tally.present + tally.done == 10
    assert statuses(store) == {"done": 10}


def test_dask_gives_up_a_case_that_hangs(run, store, images, write_image):
    pytest.importorskip("distributed", reason="the dask engine needs the extra 'cohort'")
    write_image(images / "hang.nrrd", 100)
    tally = run(DaskEngine(workers=1, seconds_per_case=10))
    assert (tally.done, tally.lost) == (10, 1)
    assert statuses(store) == {"done": 10, "lost": 1}
    (lost,) = (record for record in current_records(Store(store)) if record.status == "lost")
    assert "took longer than 10 s" in lost.reason


def test_dask_says_so_when_no_scheduler_answers(run):
    pytest.importorskip("distributed", reason="the dask engine needs the extra 'cohort'")
    with pytest.raises(MedImageError, match="No dask scheduler answers"):
        run(DaskEngine("tcp://127.0.0.1:9", patience_seconds=1))
