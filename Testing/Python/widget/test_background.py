"""A computation in a thread: progress, end, errors and cancel, without any GUI."""

import threading
import time

import pytest

from MedImageAnalysisLib.errors import Cancelled, UnreadableImageError
from MedImageAnalysisLib.panel.background import BackgroundTask


def test_work_runs_in_another_thread_and_its_value_comes_back():
    task = BackgroundTask(lambda progress: threading.current_thread().name)
    assert task.result() != threading.current_thread().name


def test_the_latest_progress_can_be_asked_for():
    step_taken = threading.Event()
    go_on = threading.Event()

    def work(progress):
        progress.step("Halfway", 0.5)
        step_taken.set()
        go_on.wait(5)

    task = BackgroundTask(work)
    assert step_taken.wait(5)
    assert task.progress == ("Halfway", 0.5)
    assert not task.wait(0)
    go_on.set()
    assert task.wait(5)


def test_an_error_of_the_work_is_raised_where_the_result_is_asked_for():
    def work(progress):
        raise UnreadableImageError("not an image")

    task = BackgroundTask(work)
    assert task.wait(5)
    with pytest.raises(UnreadableImageError, match="not an image"):
        task.result()


def test_cancel_ends_the_work_at_its_next_step():
    def work(progress):
        while True:
            progress.step()
            time.sleep(0.001)

    task = BackgroundTask(work)
    task.cancel()
    assert task.cancelling
    assert task.wait(5)
    with pytest.raises(Cancelled):
        task.result()


def test_work_that_did_not_hear_the_cancel_gives_no_value():
    go_on = threading.Event()
    task = BackgroundTask(lambda progress: go_on.wait(5))
    task.cancel()
    go_on.set()
    with pytest.raises(Cancelled):
        task.result()


def test_work_that_does_not_hear_the_cancel_is_given_up_within_a_second():
    go_on = threading.Event()
    task = BackgroundTask(lambda progress: go_on.wait(10))
    task.cancel()
    asked = time.monotonic()
    while not task.wait(0.01):
        assert time.monotonic() < asked + 1
    go_on.set()


def test_no_thread_outlives_its_work():
    before = threading.active_count()
    task = BackgroundTask(lambda progress: None)
    task.result()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.005)
    assert threading.active_count() <= before
