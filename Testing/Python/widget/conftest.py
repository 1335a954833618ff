"""Fixtures of the panel's tests: a small Slicer with the module in it, and a person who clicks."""

import ctypes
import importlib.util
import json
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("PySide6", reason="the panel's tests need PySide6-Essentials")
pytest.importorskip("slicer", reason="the panel's tests need slicer-core")

from slicer_standin import running_slicer

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.mrml import EmbeddedSlicer, nodeFromVolume

if sys.version_info < (3, 12):
    # PySide6 6.12 drops a reference to True, False or None with each signal that carries one, until Python aborts since
    # they seem to be unused. From Python 3.12 on they are immortal; here they get enough references for all tests.
    for value in (True, False, None):
        ctypes.c_ssize_t.from_address(id(value)).value += 1_000_000_000

DISCS = {
    "format": 1,
    "name": "discs",
    "title": "Bright discs",
    "description": "Finds bright discs on a dark ground in 2D images.",
    "dimensions": [2],
    "preprocessing": [{"step": "median"}],
    "segmentation": [{"method": "otsu"}],
}


class Hand:
    """Clicks, and waits as a person does: while the event loop runs."""

    def __init__(self, application):
        self._application = application

    def wait_until(self, reached, seconds=20.0):
        """Let events run until `reached()`; fail after some seconds."""
        end = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < end, "it did not happen in time"
            self._application.processEvents()
            time.sleep(0.002)

    def rest(self):
        """Let everything that is pending happen, such as the layout of new texts."""
        for _ in range(5):
            self._application.processEvents()

    def click(self, button):
        """Click in the middle of a button, as a mouse does."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture(scope="session")
def module_file(repository):
    """The module as Slicer loads it."""
    return repository / "MedImageAnalysis" / "MedImageAnalysis.py"


@pytest.fixture(scope="module")
def slicer_application(module_file):
    """The slicer-core wheel, dressed as the application."""
    with EmbeddedSlicer(), running_slicer(module_file) as slicer:
        yield slicer


@pytest.fixture(scope="module")
def module(slicer_application, module_file):
    """The module file, imported afresh."""
    spec = importlib.util.spec_from_file_location("MedImageAnalysis", module_file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["MedImageAnalysis"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["MedImageAnalysis"]


@pytest.fixture
def scene(slicer_application):
    """The scene, empty."""
    slicer_application.mrmlScene.Clear(False)
    yield slicer_application.mrmlScene
    slicer_application.mrmlScene.Clear(False)


@pytest.fixture
def discs_preset(tmp_path, monkeypatch):
    """A preset of the user that needs no anatomy."""
    (tmp_path / "discs.json").write_text(json.dumps(DISCS), encoding="utf-8")
    monkeypatch.setenv("MEDIMAGE_PRESETS", str(tmp_path))
    return "discs"


@pytest.fixture
def a_radiograph(scene):
    """A volume node of one slice with two bright discs in noise."""
    y, x = np.mgrid[:120, :160]
    discs = ((y - 40) ** 2 + (x - 50) ** 2 < 20**2) | ((y - 80) ** 2 + (x - 110) ** 2 < 15**2)
    values = 100 * discs + np.random.default_rng(1).normal(0, 8, discs.shape)
    pixels = sitk.GetImageFromArray(values.astype(np.int16))
    pixels.SetSpacing((0.5, 0.5))
    return nodeFromVolume(MedicalImage(pixels, ImageInfo(spacing_source="PixelSpacing")), "Discs")


@pytest.fixture
def hand(slicer_application):
    """Who clicks."""
    import qt_standin

    return Hand(qt_standin.application())


@pytest.fixture
def models_folder(slicer_application, tmp_path, monkeypatch):
    """The folder of the user's models, still empty."""
    slicer_application.app.userSettings().clear()
    monkeypatch.setenv("MEDIMAGE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def panel(module, scene, discs_preset, models_folder, hand, capfd):
    """The open panel. Errors in its slots and observers, which Qt and VTK only print, fail the test."""
    import qt
    import slicer

    parent = slicer.qMRMLWidget()
    layout = qt.QVBoxLayout(parent)
    layout.setContentsMargins(8, 8, 8, 8)
    widget = module.MedImageAnalysisWidget(parent)
    widget.setup()
    parent.resize(480, 860)
    parent.show()
    yield widget
    widget.cleanup()
    ui = widget.ui
    for selector in (ui.inputVolumeSelector, ui.inputSegmentationSelector, ui.trainingTableSelector):
        selector.setMRMLScene(None)
    parent.close()
    assert "Traceback" not in capfd.readouterr().err
