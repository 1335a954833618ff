"""Every step and method reports and hears cancel while it is deaf itself: one test over both registries."""

import sys
import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib import image as reading
from MedImageAnalysisLib import pipeline
from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.attended import LISTEN_S, SMALL
from MedImageAnalysisLib.errors import Cancelled
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.normalize import HistogramMatch, NyulNormalize
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.generic.scalar_method import ScalarMethod

# What the issue asks for; a busy machine takes some of it.
LONGEST_S = 1.0
LEARNED = {
    "nyul": NyulNormalize(landmarks=tuple(float(i) for i in range(0, 110, 10))),
    "histogram-match": HistogramMatch(quantiles=(0.0, 5.0, 100.0)),
}
GENERIC = [name for name in METHODS if METHODS[name].__module__.split(".")[-2] == "generic"]


def step_named(name):
    return LEARNED.get(name) or STEPS[name]()


@pytest.fixture
def large_image() -> sitk.Image:
    """An image that is just large enough to be worked on in a thread."""
    return sitk.Image([256, SMALL // 256], sitk.sitkInt16)


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def deaf(release):
    """Work that waits, as a filter of ITK does that has no progress."""

    def wait(*arguments):
        release.wait(30)

    return wait


def assert_cancel_is_heard(work):
    """Cancel some work soon; check that it ended in time, and that cancel was looked for all the while."""
    calls = []

    def cancelled() -> bool:
        calls.append(time.perf_counter())
        return calls[-1] > started + 1.5 * LISTEN_S

    started = time.perf_counter()
    with pytest.raises(Cancelled):
        work(Progress(cancelled=cancelled))
    assert time.perf_counter() - started < 1.5 * LISTEN_S + LONGEST_S
    assert np.diff([started, *calls]).max() < LONGEST_S


@pytest.mark.parametrize("name", [*STEPS, *METHODS])
def test_a_step_or_method_hears_cancel_during_a_call_that_hears_nothing(name, large_image, deaf, monkeypatch):
    entry = step_named(name) if name in STEPS else METHODS[name]()
    arguments = () if name in STEPS else (None,)
    monkeypatch.setattr(type(entry), "_run", deaf)
    assert_cancel_is_heard(lambda progress: entry(large_image, *arguments, progress))


def test_the_pipeline_hears_cancel_whatever_a_stage_does(large_image, deaf, monkeypatch):
    preset = load_preset("generic-2d")
    monkeypatch.setattr(pipeline._Stages, "extract", deaf)
    assert_cancel_is_heard(lambda progress: pipeline.run(MedicalImage(large_image), preset, progress=progress))


def test_reading_hears_cancel(deaf, monkeypatch, tmp_path):
    (tmp_path / "image.nii").write_bytes(b"large")
    monkeypatch.setattr(reading, "_read", deaf)
    assert_cancel_is_heard(lambda progress: reading.read_image(tmp_path / "image.nii", progress=progress))


@pytest.fixture
def alone():
    """No thread is left that an earlier test gave up."""
    end = time.monotonic() + 20
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", [*STEPS, *GENERIC])
def test_the_result_in_a_thread_is_that_of_a_direct_call(name, monkeypatch):
    noise = np.random.default_rng(3)
    pixels = noise.uniform(10, 30, (40, 50))
    pixels[10:30, 12:38] += 60
    image = sitk.GetImageFromArray(pixels.astype(np.float32))
    image.SetSpacing((0.7, 0.9))
    previous = METHODS["multi-otsu"]()(image, None, Progress())
    threads = []

    def run():
        report = Progress(cancelled=lambda: threads.append(threading.active_count()))
        if name in STEPS:
            return sitk.GetArrayFromImage(step_named(name)(image, report))
        return sitk.GetArrayFromImage(METHODS[name]()(image, previous, report).labelmap)

    direct = run()
    assert max(threads) == 1
    monkeypatch.setattr(sys.modules["MedImageAnalysisLib.attended"], "SMALL", 1)
    assert np.array_equal(run(), direct)
    assert threading.active_count() == 1


def test_all_generic_methods_are_compared():
    assert {METHODS[name] for name in GENERIC} <= {
        method for method in METHODS.values() if issubclass(method, ScalarMethod)
    }
    assert len(GENERIC) >= 13
