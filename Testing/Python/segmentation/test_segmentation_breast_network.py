"""Lesions on breast ultrasound by the network: which engine is used, and what is made of what the network says."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.errors import MissingPackageError
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS, two_engines
from MedImageAnalysisLib.segmentation.breast_ultrasound.network import Sight

Y, X = np.mgrid[:64, :64]
LESION = ((X - 20) / 9) ** 2 + ((Y - 24) / 6) ** 2 <= 1
OTHER = ((X - 48) / 6) ** 2 + ((Y - 40) / 6) ** 2 <= 1


@pytest.fixture
def needs_network():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")


def seen(lesion: np.ndarray, sure: float = 0.95, presence: float = 0.99) -> Sight:
    return Sight(np.where(lesion, sure, 0.01), presence)


def breast(**settings):
    return METHODS["breast-ultrasound"](**settings)


def test_lesion_that_the_network_is_sure_of_is_outlined_where_it_is():
    (found,) = seen(LESION).lesions(0.35)
    assert ((found.level > 0.5) == LESION).mean() > 0.99
    assert found.fit > 0.9


def test_lesion_that_it_doubts_is_expected_to_fit_less():
    (sure,), (doubted,) = seen(LESION).lesions(0.0), seen(LESION, sure=0.6).lesions(0.0)
    assert doubted.fit < sure.fit


def test_picture_that_it_takes_for_normal_stays_empty():
    assert seen(LESION, presence=0.1).lesions(0.35) == []


def test_specks_are_no_lesions():
    speck = (X - 20) ** 2 + (Y - 24) ** 2 <= 1
    assert seen(speck).lesions(0.0) == []


def test_second_lesion_is_shown_if_it_is_as_sure_as_the_first():
    both = Sight(np.where(LESION | OTHER, 0.95, 0.01), 0.99)
    assert len(both.lesions(0.35)) == 2
    doubtful = Sight(np.where(LESION, 0.95, np.where(OTHER, 0.52, 0.01)) - 0.3 * (X == 48), 0.6)
    assert len(doubtful.lesions(0.35)) == 1


def test_more_certainty_shows_less():
    assert len(seen(LESION, sure=0.7, presence=0.8).lesions(0.2)) == 1
    assert seen(LESION, sure=0.7, presence=0.8).lesions(0.95) == []


def test_network_without_its_packages_says_what_to_install(monkeypatch):
    def missing(path, sha256=""):
        raise MissingPackageError.of("onnx", "onnx", "Running a network")

    monkeypatch.setattr("MedImageAnalysisLib.segmentation.breast_ultrasound.network.load_network", missing)
    picture = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(128, 128)).astype(np.float32))
    with pytest.raises(MissingPackageError, match="onnx"):
        breast(engine="network")(picture, None, Progress())


def test_record_names_the_engine_that_ran(monkeypatch):
    monkeypatch.setattr(two_engines, "networks_available", lambda: False)
    picture = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32))
    preset = replace(load_preset("breast-ultrasound"), preprocessing=(), measurements=(), models=())
    record = run(MedicalImage(picture), preset).provenance
    (step,) = (step for step in record.steps if step.stage == "segment")
    assert step.settings["engine"] == "classical"
    assert record.preset["segmentation"][0]["engine"] == "classical"


def masks(rows: list[dict[str, str]], folder, engine: str = "network") -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what was found and the truth of each row."""
    found = []
    for row in rows:
        image = sitk.ReadImage(str(folder / row["image"]))
        labelmap = breast(engine=engine)(image, None, Progress()).labelmap
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / row["mask"]))) > 0
        found.append((sitk.GetArrayFromImage(labelmap) > 0, truth))
    return found


@pytest.mark.usefixtures("needs_network")
def test_network_outlines_real_lesions_of_groups_not_seen_in_training(real_data):
    folder = real_data / "breast_ultrasound_busi"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    lesions = masks([row for row in rows if row["label"] != "normal"][::6], folder)
    fits = [2 * (found & truth).sum() / (found.sum() + truth.sum()) for found, truth in lesions]
    assert np.mean(fits) >= 0.65
    normal = masks([row for row in rows if row["label"] == "normal"][::4], folder)
    assert np.mean([not found.any() for found, _ in normal]) >= 0.6


@pytest.mark.usefixtures("needs_network")
def test_network_outlines_the_mirrored_picture_alike(real_data):
    folder = real_data / "breast_ultrasound_busi"
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "images" / "benign (100).png")))
    once, mirrored = (
        sitk.GetArrayFromImage(breast(engine="network")(sitk.GetImageFromArray(each), None, Progress()).labelmap) > 0
        for each in (pixels, np.ascontiguousarray(pixels[:, ::-1]))
    )
    assert once.any()
    assert (once[:, ::-1] == mirrored).mean() > 0.995
