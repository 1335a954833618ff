"""Progress and cancel: one object passed down."""

import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import Cancelled
from MedImageAnalysisLib.progress import Progress, run_filter


class Recorder:
    def __init__(self):
        self.seen = []

    def __call__(self, message, fraction):
        self.seen.append((message, fraction))


@pytest.fixture
def recorder():
    return Recorder()


def test_parts_cover_the_whole_in_order(recorder):
    whole = Progress(report=recorder)
    for part in whole.part(0.5, 1.0).parts(4):
        part.step("work", 0.0)
        part.step("work", 1.0)
    fractions = [fraction for _, fraction in recorder.seen]
    assert fractions == pytest.approx([0.5, 0.625, 0.625, 0.75, 0.75, 0.875, 0.875, 1.0])


def test_fractions_out_of_range_are_held_inside_the_part(recorder):
    part = Progress(report=recorder).part(0.2, 0.4, "denoise")
    part.step(fraction=-1)
    part.step(fraction=7)
    assert recorder.seen == [("denoise", pytest.approx(0.2)), ("denoise", pytest.approx(0.4))]


def test_a_step_raises_once_the_user_cancelled():
    with pytest.raises(Cancelled):
        Progress(cancelled=lambda: True).step("next")


def test_a_filter_reports_its_progress(recorder):
    image = sitk.GetImageFromArray(np.zeros((64, 64, 64), np.float32))
    run_filter(sitk.CurvatureFlowImageFilter(), image, progress=Progress(report=recorder, message="smooth"))
    assert len(recorder.seen) > 2
    assert {message for message, _ in recorder.seen} == {"smooth"}


def test_a_running_filter_stops_within_a_second_of_cancelling():
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(128, 128, 64)).astype(np.float32))
    slow = sitk.CurvatureFlowImageFilter()
    slow.SetNumberOfIterations(10_000)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.perf_counter()
    with pytest.raises(Cancelled):
        run_filter(slow, image, progress=Progress(cancelled=stop.is_set))
    assert time.perf_counter() - started < 1.8


def test_a_filter_that_fails_says_so_and_is_not_taken_for_cancelled():
    with pytest.raises(RuntimeError):
        run_filter(sitk.MedianImageFilter(), sitk.Image([4, 4], sitk.sitkComplexFloat32), progress=Progress())
