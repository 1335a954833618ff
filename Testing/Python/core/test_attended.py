"""Long work in a thread of its own: what the caller sees, and what is left behind."""

import subprocess
import sys
import threading
import time
import traceback
import weakref

import numpy as np
import pytest

from MedImageAnalysisLib.attended import LISTEN_S, SMALL, attended
from MedImageAnalysisLib.errors import Cancelled
from MedImageAnalysisLib.progress import Progress

# A busy machine may let a thread wait, but hardly this long.
SOON_S = 1.0


class Watcher:
    """Keeps what is reported and in which threads, and wishes to cancel after some seconds."""

    def __init__(self, cancel_after=float("inf")):
        self.seen = []
        self.threads = set()
        self.wish = time.perf_counter() + cancel_after

    def progress(self):
        return Progress(report=self._report, cancelled=self._cancelled)

    def _report(self, message, fraction):
        self.threads.add(threading.get_ident())
        self.seen.append((message, fraction))

    def _cancelled(self):
        self.threads.add(threading.get_ident())
        return time.perf_counter() > self.wish


@pytest.fixture
def release():
    """Work that says nothing waits for this event; it is set at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()
    wait_for_threads()


def wait_for_threads():
    deadline = time.monotonic() + 30
    while any(thread.name.startswith("MedImageAnalysis") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def silent(release):
    """Return work that says one word and then nothing until it is released."""

    def work(progress):
        progress.step("begin", 0.25)
        release.wait(30)
        progress.step("end", 1.0)
        return "result"

    return work


def test_work_has_a_thread_of_its_own_and_the_caller_hears_all_in_order_in_his():
    watcher = Watcher()

    def work(progress):
        for number in range(100):
            progress.step(f"step {number}", number / 100)
        return threading.get_ident()

    worker = attended(work, watcher.progress().part(0.5, 1.0))

    assert worker != threading.get_ident()
    assert watcher.threads == {threading.get_ident()}
    told = [(f"step {number}", pytest.approx(0.5 + number / 200)) for number in range(100)]
    assert [step for step in watcher.seen if step[0]] == told


def test_no_thread_is_left_after_the_end():
    before = threading.active_count()
    attended(lambda progress: None, Progress())
    assert threading.active_count() == before


def test_silent_work_is_reported_again_and_again(release):
    watcher = Watcher()
    threading.Timer(5 * LISTEN_S, release.set).start()
    assert attended(silent(release), watcher.progress()) == "result"
    assert watcher.seen.count(("begin", 0.25)) >= 3
    assert watcher.seen[-1] == ("end", 1.0)


def test_silent_work_is_cancelled_at_once_and_stops_at_its_next_step(release):
    ended = []

    def work(progress):
        try:
            silent(release)(progress)
        except Cancelled:
            ended.append("stopped")

    watcher = Watcher(cancel_after=0.05)
    with pytest.raises(Cancelled):
        attended(work, watcher.progress())
    assert time.perf_counter() - watcher.wish < SOON_S
    release.set()
    wait_for_threads()
    assert ended == ["stopped"]


def test_what_cancelled_work_holds_is_freed_when_it_ends(release):
    held = np.zeros(10)
    gone = weakref.ref(held)

    def work(progress, held=held):
        release.wait(30)
        return held

    with pytest.raises(Cancelled):
        attended(work, Watcher(cancel_after=0.0).progress())
    del work, held
    release.set()
    wait_for_threads()
    assert gone() is None


def test_the_next_work_waits_for_cancelled_work_and_can_be_cancelled_meanwhile(release):
    with pytest.raises(Cancelled):
        attended(silent(release), Watcher(cancel_after=0.0).progress())
    second = Watcher(cancel_after=0.2)
    with pytest.raises(Cancelled):
        attended(lambda progress: pytest.fail("This must not begin yet."), second.progress())
    assert {message for message, _ in second.seen} == {"Waiting for the end of cancelled work"}
    threading.Timer(0.1, release.set).start()
    assert attended(lambda progress: "done", Progress()) == "done"


def test_what_the_work_raises_comes_up_with_its_traceback():
    def work(progress):
        return the_culprit()

    def the_culprit():
        raise ZeroDivisionError("by the work")

    with pytest.raises(ZeroDivisionError, match="by the work") as caught:
        attended(work, Progress())
    assert "the_culprit" in {frame.name for frame in traceback.extract_tb(caught.value.__traceback__)}


def test_a_report_that_fails_ends_the_work(release):
    def report(message, fraction):
        raise OSError("The display is gone.")

    with pytest.raises(OSError, match="display"):
        attended(silent(release), Progress(report=report))


def test_small_images_are_worked_on_in_the_calling_thread():
    for voxels, direct in ((SMALL - 1, True), (SMALL, False)):
        assert (attended(lambda progress: threading.get_ident(), Progress(), voxels) == threading.get_ident()) is direct


def test_work_inside_work_has_no_other_thread():
    def work(progress):
        return threading.get_ident(), attended(lambda part: threading.get_ident(), Progress())

    outer, inner = attended(work, Progress())
    assert outer == inner


def test_settings_of_the_calling_thread_hold_in_the_work():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        attended(lambda progress: np.float64(1) / np.float64(0), Progress())


def ended(code):
    """Run code in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_a_program_can_end_without_waiting_for_cancelled_work():
    code = (
        "import time\n"
        "from MedImageAnalysisLib.attended import attended, leave_given_up\n"
        "from MedImageAnalysisLib.errors import Cancelled\n"
        "from MedImageAnalysisLib.progress import Progress\n"
        "leave_given_up(3)\n"
        "try:\n"
        "    attended(lambda part: time.sleep(50), Progress(cancelled=lambda: True))\n"
        "except Cancelled as cancelled:\n"
        "    print(cancelled)\n"
        "leave_given_up(130)\n"
    )
    left = ended(code)
    assert left.returncode == 130, left.stderr
    assert left.stdout.startswith("Cancelled by the user.")


def test_the_interpreter_ends_well_while_a_cancelled_filter_goes_on():
    code = (
        "import threading, time; import numpy as np; import SimpleITK as sitk\n"
        "from MedImageAnalysisLib.attended import attended\n"
        "from MedImageAnalysisLib.errors import Cancelled\n"
        "from MedImageAnalysisLib.progress import Progress\n"
        "image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(96, 96, 96)).astype(np.float32))\n"
        "wish = time.perf_counter() + 0.1\n"
        "try:\n"
        "    attended(lambda part: sitk.CurvatureFlow(image, 0.01, 15),\n"
        "        Progress(cancelled=lambda: time.perf_counter() > wish))\n"
        "except Cancelled:\n"
        "    print(time.perf_counter() - wish, threading.active_count())\n"
    )
    left = ended(code)
    assert left.returncode == 0, left.stderr
    assert left.stderr == ""
    after, threads = left.stdout.split()
    assert float(after) < SOON_S
    assert int(threads) == 2
