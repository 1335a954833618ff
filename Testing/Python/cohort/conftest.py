"""Small cohorts for every test of this room."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import MedImageAnalysisLib
from MedImageAnalysisLib.cohort import run as driver
from MedImageAnalysisLib.preset import Preset

HERE = Path(__file__).parent
SIMPLE = {
    "format": 1,
    "name": "simple",
    "title": "Simple",
    "description": "One threshold.",
    "dimensions": [2, 3],
    "preprocessing": [],
    "segmentation": [{"method": "otsu"}],
    "features": {"families": ["intensity"]},
}


@pytest.fixture
def simple_preset():
    """A preset that takes a few milliseconds."""
    return Preset.from_json(SIMPLE)


@pytest.fixture
def write_image():
    """Writes a small image that differs from those of other seeds."""

    def write(path, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).normal(100, 10, (24, 32))
        pixels[6:18, 8:24] += 100
        kind = np.uint8 if path.suffix == ".png" else np.int16
        sitk.WriteImage(sitk.GetImageFromArray(pixels.clip(0, 255).astype(kind)), str(path))
        return path

    return write


@pytest.fixture
def images(tmp_path, write_image):
    """A folder of ten images."""
    for seed in range(10):
        write_image(tmp_path / "images" / f"image-{seed}.nrrd", seed)
    return tmp_path / "images"


@pytest.fixture
def same_program(monkeypatch):
    """The program does not change during a test, whatever happens to its files."""
    monkeypatch.setattr(driver, "code_fingerprint", lambda: "0123456789abcdef")


@pytest.fixture
def importable_in_workers(monkeypatch):
    """Worker processes find this package and the modules beside the tests, whatever folder they start in."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(Path(MedImageAnalysisLib.__file__).parents[1])]))
