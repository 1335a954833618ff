"""The section "Train a model", driven by clicks: data in, a model in the list, and used."""

import time

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.export.tables import Column, Table
from MedImageAnalysisLib.mrml import nodeFromTable
from MedImageAnalysisLib.recognition import load_model
from MedImageAnalysisLib.recognition.training import own_data
from MedImageAnalysisLib.recognition.training.fitting import FitSettings

LABELS = [("small", "large")[i % 2] for i in range(40)]


@pytest.fixture(autouse=True)
def quick_fits(monkeypatch):
    """The real training with few folds and refits, and without matplotlib, as in a fresh Slicer."""
    quick, purpose = FitSettings(folds=2, members=3, repeats=20), own_data.Purpose
    monkeypatch.setattr(own_data, "installed_version", lambda name: "")
    monkeypatch.setattr(own_data, "Purpose", lambda *chosen: purpose(*chosen, copies=0, fit=quick))


@pytest.fixture
def sizes(scene):
    """A table node: 40 cases of two labels that one measurement tells apart."""
    random = np.random.default_rng(3)
    area = [random.normal(10 + 5 * (label == "large")) for label in LABELS]
    columns = (
        Column("label", "string", tuple(LABELS)),
        Column("patient", "string", tuple(f"P{i // 2}" for i in range(40))),
        Column("lesion_area", "double", tuple(map(float, area))),
        Column("noise", "double", tuple(random.normal(size=40).tolist())),
    )
    return nodeFromTable(Table("Sizes", columns))


@pytest.fixture
def shapes(tmp_path):
    """A folder with one subfolder of pictures for each label."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[-1:1:24j, -1:1:24j]
    for i in range(24):
        distance = np.hypot(rows - random.uniform(-0.3, 0.3), columns - random.uniform(-0.3, 0.3))
        shape = (distance < 0.6) & ((i % 2 == 0) | (distance > 0.4))
        pixels = (shape * 100 + random.normal(size=shape.shape) * 25 + 60).clip(0, 255).astype(np.uint8)
        folder = tmp_path / "shapes" / ("ring" if i % 2 else "disc")
        folder.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(folder / f"{i}.png"))
    return tmp_path / "shapes"


@pytest.fixture
def ready_panel(panel, sizes):
    """The panel with a table, its column of patients, and a name."""
    ui = panel.ui
    ui.trainingCollapsibleButton.collapsed = False
    ui.trainingTableSelector.setCurrentNode(sizes)
    ui.groupColumnComboBox.setCurrentIndex(ui.groupColumnComboBox.findData("patient"))
    ui.modelTitleLineEdit.text = "Size of lesions"
    return panel


def train(panel, hand):
    hand.rest()
    hand.click(panel.ui.trainButton)
    assert panel.ui.trainButton.text == "Cancel"
    hand.wait_until(lambda: not panel.training.controls.running, seconds=240)


def offered(combo):
    return [combo.itemText(index) for index in range(combo.count)]


def test_the_button_says_what_is_missing(panel, tmp_path):
    ui = panel.ui
    assert not ui.trainButton.enabled
    assert "Choose a folder" in ui.trainButton.toolTip
    ui.trainingFolderPathLineEdit.currentPath = str(tmp_path)
    assert "name" in ui.trainButton.toolTip
    ui.modelTitleLineEdit.text = "Anything"
    assert ui.trainButton.enabled


def test_the_columns_of_a_table_are_offered_and_its_cases_counted(ready_panel):
    ui = ready_panel.ui
    assert offered(ui.labelColumnComboBox) == ["label", "patient", "lesion_area", "noise"]
    assert ui.labelColumnComboBox.currentData == "label"
    assert ui.trainingDataLabel.text.startswith("40 cases: large 20, small 20.")
    assert not ui.trainingFolderPathLineEdit.enabled


def test_a_trained_model_appears_in_the_list_with_its_figures(ready_panel, hand, models_folder, output_folder):
    """The picture in Docs/gui.md is made here."""
    before = offered(ready_panel.ui.modelComboBox)
    ready_panel.ui.resultsCollapsibleButton.collapsed = True
    train(ready_panel, hand)
    assert set(offered(ready_panel.ui.modelComboBox)) - set(before) == {"Size of lesions"}
    model = load_model(models_folder / "size-of-lesions")
    assert [category.title for category in model.classes] == ["large", "small"]
    shown = ready_panel.ui.trainedModelLabel.text
    assert all(row.measure.replace(">", "&gt;") in shown for row in model.performance)
    assert (models_folder / "size-of-lesions" / "CARD.md").as_uri() in shown
    assert ready_panel.ui.trainButton.text == "Train"
    ready_panel.ui.modelsFolderPathLineEdit.currentPath = "/home/me/MedImageAnalysis models"
    hand.rest()
    assert ready_panel.parent.grab().save(str(output_folder / "panel-training.png"))


def test_a_folder_of_labelled_images_gives_a_model_that_analyzes(panel, hand, shapes, a_radiograph, models_folder):
    ui = panel.ui
    ui.trainingCollapsibleButton.collapsed = False
    ui.trainingFolderPathLineEdit.currentPath = str(shapes)
    assert offered(ui.labelColumnComboBox) == ["Names of the subfolders"]
    assert "disc 12, ring 12" in ui.trainingDataLabel.text
    ui.modelTitleLineEdit.text = "Discs or rings"
    train(panel, hand)
    panel.enter()
    ui.modelComboBox.setCurrentIndex(ui.modelComboBox.findData("discs-or-rings"))
    ui.presetComboBox.setCurrentIndex(ui.presetComboBox.findData("discs"))
    assert panel.logic.getParameterNode().model == "discs-or-rings"
    hand.click(ui.analyzeButton)
    hand.wait_until(lambda: not panel.analysis.running)
    assert "Discs or rings" in ui.summaryLabel.text


def test_cancel_leaves_no_model(ready_panel, hand, models_folder, monkeypatch):
    def endless(data, place, words, purpose, progress, source):
        while True:
            progress.step("Cross-validate", 0.5)
            time.sleep(0.005)

    monkeypatch.setattr(own_data, "train_model", endless)
    hand.rest()
    hand.click(ready_panel.ui.trainButton)
    hand.wait_until(lambda: ready_panel.ui.trainingStatusLabel.text == "Cross-validate")
    assert not ready_panel.ui.trainingInputsWidget.enabled
    hand.click(ready_panel.ui.trainButton)
    hand.wait_until(lambda: not ready_panel.training.controls.running, seconds=2)
    assert ready_panel.ui.trainingStatusLabel.text == "Cancelled. Nothing was changed."
    assert not models_folder.exists()
    assert ready_panel.ui.trainingInputsWidget.enabled


@pytest.mark.parametrize(
    ("title", "told"),
    [("?!", "letters or digits"), ("Cardiomegaly CTR", "already")],
)
def test_a_name_that_will_not_do_is_refused_in_words(ready_panel, hand, title, told):
    ready_panel.ui.modelTitleLineEdit.text = title
    hand.rest()
    hand.click(ready_panel.ui.trainButton)
    assert told in ready_panel.ui.trainingStatusLabel.text
    assert ready_panel.ui.trainButton.text == "Train"


def test_a_folder_without_labels_says_what_to_do(panel, tmp_path):
    (tmp_path / "empty").mkdir()
    panel.ui.trainingFolderPathLineEdit.currentPath = str(tmp_path / "empty")
    assert "subfolders such as" in panel.ui.trainingDataLabel.text


def test_another_folder_of_models_is_remembered_and_looked_into(panel, tmp_path, monkeypatch, module, scene):
    import qt
    import slicer

    panel.ui.modelsFolderPathLineEdit.currentPath = str(tmp_path / "others")
    monkeypatch.delenv("MEDIMAGE_MODELS")
    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    again = module.MedImageAnalysisWidget(parent)
    again.setup()
    assert again.ui.modelsFolderPathLineEdit.currentPath == str(tmp_path / "others")
    again.cleanup()


def test_closing_the_scene_does_not_stop_a_training(ready_panel, hand, scene, models_folder):
    hand.rest()
    hand.click(ready_panel.ui.trainButton)
    scene.Clear(False)
    hand.wait_until(lambda: not ready_panel.training.controls.running, seconds=240)
    assert (models_folder / "size-of-lesions").is_dir()


def test_training_from_the_console_keeps_patients_together(module, sizes, models_folder, monkeypatch):
    asked = []
    real = own_data.train_model
    monkeypatch.setattr(own_data, "train_model", lambda data, *rest: asked.append(data) or real(data, *rest))
    model = module.MedImageAnalysisLogic().train(sizes, "By hand", groupColumn="patient")
    assert model.folder == models_folder / "by-hand"
    assert load_model("by-hand").title == "By hand"
    assert asked[0].groups[:4] == ("P0", "P0", "P1", "P1")
    assert [source.key for source in asked[0].inputs] == ["lesion_area", "noise"]
