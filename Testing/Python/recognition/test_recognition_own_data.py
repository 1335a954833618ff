"""A model from one's own data: labelled images, segmented images, or a table."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import Cancelled, InvalidSettingError, MedImageError
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.fitting import FitSettings
from MedImageAnalysisLib.recognition.training.own_data import ModelWords, Purpose, model_name, model_place, train_model
from MedImageAnalysisLib.recognition.training.segmented import segmented_rows
from MedImageAnalysisLib.recognition.training.table import folder_labels, labelled_cases

PRESET = {
    "format": 1,
    "name": "plain",
    "title": "As it is",
    "description": "Measures given segments in 2D images.",
    "dimensions": [2],
    "preprocessing": [],
    "segmentation": [{"method": "otsu"}],
    "features": {"families": ["intensity"]},
}
QUICK = FitSettings(folds=2, members=2, repeats=10)


@pytest.fixture
def preset(tmp_path):
    (tmp_path / "plain.json").write_text(json.dumps(PRESET), encoding="utf-8")
    return load_preset(tmp_path / "plain.json")


@pytest.fixture
def segmented(tmp_path):
    """A folder of 20 images with a segmented square each, bright or dark, and a table of cases."""
    folder = tmp_path / "squares"
    folder.mkdir()
    random = np.random.default_rng(1)
    lines = ["image,segmentation,diagnosis,patient"]
    for i in range(20):
        mask = np.zeros((24, 24), np.uint8)
        mask[6:18, 6:18] = 1
        pixels = (random.normal(100, 5, mask.shape) + np.where(mask, 20 if i % 2 else -20, 0)).astype(np.int16)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(folder / f"{i}.nrrd"))
        sitk.WriteImage(sitk.GetImageFromArray(mask), str(folder / f"{i}.seg.nrrd"))
        lines.append(f"{i}.nrrd,{i}.seg.nrrd,{('dark', 'bright')[i % 2]},P{i}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_segmented_images_give_a_model_of_their_features(segmented, preset, tmp_path):
    purpose = Purpose("diagnosis", "patient", preset, fit=QUICK)
    model = train_model(segmented, tmp_path / "models" / "squares", ModelWords("Squares"), purpose)
    assert [category.title for category in model.classes] == ["bright", "dark"]
    assert "stat_mean[Label 1]" in [source.key for source in model.spec.inputs]
    assert next(row.value for row in model.performance if row.measure.startswith("AUC")) == 1
    assert "preset `plain`" in (model.folder / "CARD.md").read_text(encoding="utf-8")


def test_a_case_that_cannot_be_measured_is_named(segmented, preset):
    (segmented / "7.seg.nrrd").unlink()
    with pytest.raises(MedImageError, match=r"^7\.nrrd: "):
        segmented_rows(segmented, preset, "diagnosis", "patient")


@pytest.mark.parametrize(("label", "group", "missing"), [("label", "patient", "labels"), ("diagnosis", "sex", "sex")])
def test_a_column_that_is_not_there_is_named(segmented, preset, tmp_path, label, group, missing):
    with pytest.raises(InvalidSettingError, match=missing):
        train_model(segmented, tmp_path / "m", ModelWords("M"), Purpose(label, group, preset, fit=QUICK))


def test_a_training_that_is_cancelled_while_it_is_judged_leaves_nothing(segmented, preset, tmp_path):
    said = []
    progress = Progress(lambda message, fraction: said.append(message), lambda: "Judge on held-out cases" in said)
    purpose = Purpose("diagnosis", "patient", preset, fit=QUICK)
    with pytest.raises(Cancelled):
        train_model(segmented, tmp_path / "models" / "m", ModelWords("M"), purpose, progress)
    assert not (tmp_path / "models").exists()


def test_subfolders_are_labels(tmp_path):
    for name, count in (("normal", 3), ("pneumonia", 4)):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = np.random.default_rng([count, i]).integers(0, 255, (32, 32)).astype(np.uint8)
            sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / name / f"{i}.png"))
    (tmp_path / "normal" / ".hidden.txt").touch()
    (tmp_path / "empty").mkdir()
    labels, cases = labelled_cases(tmp_path)
    assert labels == ["normal", "pneumonia"]
    assert [case.category for case in cases] == [0, 0, 0, 1, 1, 1, 1]


def test_a_folder_without_labels_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(InvalidSettingError, match="subfolders such as"):
        folder_labels(tmp_path)


def test_a_title_becomes_a_name():
    assert model_name("Nodules of our Hospital (2026)") == "nodules-of-our-hospital-2026"
    with pytest.raises(InvalidSettingError, match="letters or digits"):
        model_name("???")


def test_what_is_no_model_is_never_replaced(tmp_path):
    (tmp_path / "documents").mkdir()
    with pytest.raises(InvalidSettingError, match="is not a model"):
        model_place(tmp_path, "documents")
