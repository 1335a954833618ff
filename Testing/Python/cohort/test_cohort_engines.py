"""Engines: every item ends in exactly one outcome, whatever becomes of the process that works on it."""

import itertools
import multiprocessing
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import Future
from pathlib import Path

import pytest

from MedImageAnalysisLib.cohort.engines import dask_cluster, process
from MedImageAnalysisLib.cohort.engines.dask_cluster import DaskEngine
from MedImageAnalysisLib.cohort.engines.pool import PoolEngine
from MedImageAnalysisLib.cohort.engines.serial import SerialEngine
from MedImageAnalysisLib.errors import MedImageError

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from misbehaving_work import behave  # noqa: E402

pytestmark = pytest.mark.usefixtures("importable_in_workers")
GOOD = [f"case-{number}" for number in range(20)]


@pytest.fixture(params=["serial", "pool"])
def an_engine(request):
    if request.param == "serial":
        return SerialEngine()
    return PoolEngine(workers=2)


def by_item(engine, items):
    seen = {}
    for item, outcome in engine.run(behave, items):
        assert item not in seen
        seen[item] = outcome
    return seen


def test_every_item_is_done_once(an_engine):
    seen = by_item(an_engine, GOOD)
    assert {item: outcome.value for item, outcome in seen.items()} == {item: len(item) for item in GOOD}
    assert {outcome.status for outcome in seen.values()} == {"done"}


def test_what_the_work_refuses_is_an_error_with_its_reason(an_engine):
    seen = by_item(an_engine, [*GOOD[:3], "refuse"])
    assert seen["refuse"].status == "error"
    assert seen["refuse"].reason == "The file is empty. Export it again."
    assert [seen[item].status for item in GOOD[:3]] == ["done"] * 3


def test_an_unforeseen_error_tells_where_but_does_not_quote_the_data(an_engine):
    outcome = by_item(an_engine, ["raise"])["raise"]
    assert outcome.status == "error"
    assert "ValueError in behave (misbehaving_work.py:" in outcome.reason
    assert "Doe" not in outcome.reason + outcome.log


class TestPool:
    def test_a_case_that_kills_its_process_is_lost_alone(self):
        seen = by_item(PoolEngine(workers=2), [*GOOD[:10], "kill", *GOOD[10:]])
        assert seen.pop("kill").status == "lost"
        assert {outcome.status for outcome in seen.values()} == {"done"}
        assert len(seen) == 20

    def test_a_case_that_kills_its_process_is_tried_twice(self):
        assert by_item(PoolEngine(workers=1), ["kill"])["kill"].attempts == 2

    @pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
    def test_a_process_computes_on_one_thread(self):
        assert by_item(PoolEngine(workers=1), ["threads"])["threads"].value == 0

    def test_a_case_that_hangs_is_ended_at_the_limit_and_its_log_tells_where_it_was(self):
        started = time.perf_counter()
        seen = by_item(PoolEngine(workers=2, seconds_per_case=2), ["hang", *GOOD])
        assert time.perf_counter() - started < 20
        hung = seen.pop("hang")
        assert (hung.reason, hung.attempts) == ("Took longer than the limit of 2 s.", 1)
        assert hung.log.splitlines()[-1].startswith("behave (misbehaving_work.py:")
        assert {outcome.status for outcome in seen.values()} == {"done"}

    def test_processes_that_end_in_unusual_ways_are_noticed_without_a_time_limit(self):
        ways = ["crash", "exit-0", "partial"]
        seen = by_item(PoolEngine(workers=2), [*ways, *GOOD])
        ended = {way: seen.pop(way) for way in ways}
        assert {outcome.status for outcome in ended.values()} == {"lost"}
        assert {outcome.status for outcome in seen.values()} == {"done"}
        assert ended["exit-0"].reason == "Its process died (exit code 0)."
        assert "behave (misbehaving_work.py:" in ended["crash"].log

    def test_workers_that_are_killed_over_and_over_cost_nothing(self):
        stop = threading.Event()
        storm = threading.Thread(target=kill_children_until, args=(stop,))
        items = [f"slow-{number}" for number in range(6)]
        storm.start()
        try:
            seen = by_item(PoolEngine(workers=2), items)
        finally:
            stop.set()
            storm.join()
        assert set(seen) == set(items)
        assert {outcome.status for outcome in seen.values()} <= {"done", "lost"}

    def test_workers_that_cannot_start_end_the_run_with_a_reason(self, monkeypatch):
        only_here = types.ModuleType("only_here")
        exec("def work(item): return item", vars(only_here))
        monkeypatch.setitem(sys.modules, "only_here", only_here)
        monkeypatch.setattr(process, "_STARTS", 2)
        with pytest.raises(MedImageError, match=r"ended before they could work \(exit code 1\).*limit is 2 GB"):
            list(PoolEngine(workers=1, memory_bytes=2_000_000_000).run(only_here.work, GOOD))

    @pytest.mark.skipif(sys.platform != "linux", reason="memory limits need Linux")
    def test_a_case_that_eats_memory_fails_alone(self):
        seen = by_item(PoolEngine(workers=2, memory_bytes=2 * 2**30), ["eat", *GOOD])
        assert seen.pop("eat").reason == "The memory limit was reached."
        assert {outcome.status for outcome in seen.values()} == {"done"}

    def test_items_are_taken_only_as_fast_as_they_are_worked_on(self):
        taken = itertools.count()
        items = (f"{item}-{next(taken)}" for item in itertools.repeat("case", 1000))
        results = PoolEngine(workers=2).run(behave, items)
        next(results)
        results.close()
        assert next(taken) < 20

    def test_workers_end_when_their_driver_is_killed(self):
        code = (
            "import sys; from MedImageAnalysisLib.cohort.engines.pool import PoolEngine;"
            "from misbehaving_work import behave\n"
            "if __name__ == '__main__':\n"
            "    for item, outcome in PoolEngine(workers=2).run(behave, ['case', 'hang-1', 'hang-2']):\n"
            "        print('ready', flush=True)\n"
        )
        driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        driver.stdout.readline()
        workers = children(driver.pid)
        driver.kill()
        driver.wait()
        deadline = time.monotonic() + 10
        while any(is_running(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert workers
        assert not any(is_running(pid) for pid in workers)


def kill_children_until(stop):
    """Kill a worker every now and then, wherever it is: starting, waiting, working or answering."""
    pause = itertools.cycle([0.05, 0.9, 0.4, 1.3])
    for _ in range(5):
        if stop.wait(next(pause)):
            return
        for child in multiprocessing.active_children()[:1]:
            child.kill()


def children(pid):
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def is_running(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_dask_ends_every_item_once_and_loses_only_the_case_that_kills_its_worker():
    pytest.importorskip("distributed", reason="the dask engine needs the extra 'cohort'")
    seen = by_item(DaskEngine(workers=2), [*GOOD[:10], "kill", "refuse", "raise", *GOOD[10:]])
    assert seen.pop("kill").status == "lost"
    assert seen.pop("refuse").reason == "The file is empty. Export it again."
    raised = seen.pop("raise")
    assert raised.error == "ValueError"
    assert "Doe" not in raised.reason + raised.log
    assert {item: outcome.value for item, outcome in seen.items()} == {item: len(item) for item in GOOD}


def test_dask_ends_the_run_when_a_worker_has_another_program():
    outcome = dask_cluster._limited(behave, None, None, "another program", "case")
    answered = Future()
    answered.set_result(outcome)
    with pytest.raises(MedImageError, match="another version of this package"):
        DaskEngine()._outcome(answered)
