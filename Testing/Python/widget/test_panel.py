"""The panel, driven by clicks: real module file, real .ui file, real scene; only Qt wears PythonQt's clothes."""

import itertools
import logging
import threading
import time
from dataclasses import replace

import pytest

from MedImageAnalysisLib import pipeline
from MedImageAnalysisLib.analysis import CategoryProbability, Measurement, QualityFinding, Recognition
from MedImageAnalysisLib.mrml import nodeFromVolume, open_scene, save_scene
from MedImageAnalysisLib.phantom import chest_radiograph

BUTTON = ("Analyze", True)


def button_of(panel):
    return panel.ui.analyzeButton.text, panel.ui.analyzeButton.enabled


def is_idle(panel):
    return not panel.analysis.running


@pytest.fixture
def ready_panel(panel, a_radiograph, discs_preset):
    """The panel with an image and a preset chosen."""
    combo = panel.ui.presetComboBox
    combo.setCurrentIndex(combo.findData(discs_preset))
    return panel


@pytest.fixture
def recognizing_run(monkeypatch):
    """The real computation, with a recognition and findings that make all parts of the panel speak; what was asked."""
    real_run = pipeline.run
    categories = (
        CategoryProbability("Cardiomegaly (ratio 0.50 or more)", 0.823, 0.71, 0.9, True),
        CategoryProbability("Heart not enlarged (ratio below 0.50)", 0.177, 0.1, 0.29, False),
    )
    recognition = Recognition(
        "cardiomegaly",
        "1.0",
        "Heart size <Cardiothoracic ratio>",
        assessed=True,
        categories=categories,
        summary="Heart size <Cardiothoracic ratio>: Cardiomegaly: 82 % (71 to 90 %). Cardiothoracic ratio 0.56.",
    )
    ratio = Measurement("cardiothoracic_ratio", "Cardiothoracic ratio", 0.56, "1", "Heart over thorax", "doi", 0.02)
    findings = (
        QualityFinding("green", "Field of view", "both lungs are whole"),
        QualityFinding("amber", "Rotation", "the spine is 4 mm off the middle of the clavicles"),
    )

    asked = []

    def run(image, preset, *, segmentation, progress):
        asked.append(preset)
        analysis = real_run(
            image, replace(preset, models=(), prevalence=()), segmentation=segmentation, progress=progress
        )
        shares = (0.41, 0.59) if preset.prevalence else (None, None)
        adjusted = tuple(replace(row, prior_adjusted=share) for row, share in zip(categories, shares, strict=True))
        found = replace(recognition, categories=adjusted)
        return replace(analysis, recognitions=(found,), measurements=(ratio,), quality=findings)

    monkeypatch.setattr(pipeline, "run", run)
    return asked


@pytest.fixture
def endless_run(monkeypatch):
    """A computation that goes on until it is cancelled; returns how often it asked whether it was."""
    asked = []

    def run(image, preset, *, segmentation, progress):
        while True:
            asked.append(len(asked))
            progress.step("Working hard", 0.25)
            time.sleep(0.005)

    monkeypatch.setattr(pipeline, "run", run)
    return asked


def test_without_an_image_the_button_says_what_is_missing(panel):
    assert button_of(panel) == ("Analyze", False)
    assert panel.ui.analyzeButton.toolTip == "Choose an image first."


def test_the_first_image_is_proposed(panel, a_radiograph):
    panel.enter()
    assert panel.ui.inputVolumeSelector.currentNode() is a_radiograph
    assert button_of(panel) == BUTTON


def test_presets_are_offered_by_title_and_explained(panel):
    combo = panel.ui.presetComboBox
    assert combo.itemText(0) == "Choose automatically"
    assert combo.itemText(combo.findData("discs")) == "Bright discs"
    combo.setCurrentIndex(combo.findData("discs"))
    assert panel.ui.presetDescriptionLabel.text.startswith("Finds bright discs")
    assert panel.ui.stepsTextEdit.plainText.startswith("Median")


def test_a_click_on_analyze_gives_the_nodes_of_the_results(ready_panel, hand, scene):
    hand.click(ready_panel.ui.analyzeButton)
    assert button_of(ready_panel) == ("Cancel", True)
    assert not ready_panel.ui.inputsCollapsibleButton.enabled
    hand.wait_until(lambda: is_idle(ready_panel))
    assert button_of(ready_panel) == BUTTON
    assert ready_panel.ui.inputsCollapsibleButton.enabled
    assert not ready_panel.ui.progressBar.visible
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    features = ready_panel.ui.featuresTableView.mrmlTableNode()
    assert features is not None
    assert features.GetNumberOfRows() >= 1
    assert "Not assessed" in ready_panel.ui.summaryLabel.text
    assert ready_panel.ui.probabilitiesTableWidget.item(0, 0).text() == "Not assessed"
    assert ready_panel.ui.probabilitiesTableWidget.cellWidget(0, 1) is None


def test_cancel_stops_within_a_second_and_adds_nothing(ready_panel, hand, scene, endless_run):
    before = scene.GetNumberOfNodes()
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: ready_panel.ui.statusLabel.text == "Working hard")
    assert ready_panel.ui.progressBar.value == 250
    hand.click(ready_panel.ui.analyzeButton)
    assert button_of(ready_panel) == ("Cancelling\N{HORIZONTAL ELLIPSIS}", False)
    hand.wait_until(lambda: is_idle(ready_panel), seconds=1)
    assert button_of(ready_panel) == BUTTON
    assert ready_panel.ui.statusLabel.text == "Cancelled. Nothing was changed."
    assert scene.GetNumberOfNodes() == before


def test_cancel_frees_the_panel_within_a_second_even_in_a_long_step(ready_panel, hand, scene, monkeypatch):
    step_ended = threading.Event()
    monkeypatch.setattr(pipeline, "run", lambda image, preset, *, segmentation, progress: step_ended.wait(10))
    hand.click(ready_panel.ui.analyzeButton)
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel), seconds=1.2)
    assert button_of(ready_panel) == BUTTON
    step_ended.set()


def test_a_cancel_that_comes_too_late_still_adds_nothing(ready_panel, hand, scene, monkeypatch):
    real_run = pipeline.run

    def deaf_run(image, preset, *, segmentation, progress):
        time.sleep(0.2)
        return real_run(image, preset, segmentation=segmentation)

    monkeypatch.setattr(pipeline, "run", deaf_run)
    before = scene.GetNumberOfNodes()
    hand.click(ready_panel.ui.analyzeButton)
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert scene.GetNumberOfNodes() == before
    assert ready_panel.ui.summaryLabel.text == ""


def test_an_error_is_shown_in_words_and_frees_the_button(ready_panel, hand, scene, caplog):
    import numpy as np
    import slicer

    volume = slicer.util.addVolumeFromArray(np.zeros((4, 20, 20), np.int16), name="Volume")
    ready_panel.ui.inputVolumeSelector.setCurrentNode(volume)
    with caplog.at_level(logging.ERROR):
        hand.click(ready_panel.ui.analyzeButton)
        hand.wait_until(lambda: is_idle(ready_panel))
    assert "for 2D images, but this one is 3D" in ready_panel.ui.statusLabel.text
    assert [record.message for record in caplog.records] == [ready_panel.ui.statusLabel.text]
    assert button_of(ready_panel) == BUTTON


def test_a_defect_frees_the_button_too(ready_panel, hand, monkeypatch, capfd):
    def broken_run(image, preset, *, segmentation, progress):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(pipeline, "run", broken_run)
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert button_of(ready_panel) == BUTTON
    assert "ZeroDivisionError: a defect" in capfd.readouterr().err


@pytest.fixture
def ticks(hand):
    """When a timer of 10 ms fired, at least once already: gaps are when the GUI was frozen."""
    import qt

    fired = []
    timer = qt.QTimer()
    timer.connect("timeout()", lambda: fired.append(time.monotonic()))
    timer.start(10)
    hand.wait_until(lambda: fired)
    yield fired
    timer.stop()


def longest_gap(ticks):
    return max(later - earlier for earlier, later in itertools.pairwise(ticks))


def test_the_gui_does_not_freeze(ready_panel, hand, endless_run, ticks):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: len(ticks) > 50)
    assert longest_gap(ticks) < 0.5
    assert len(endless_run) > 20


def test_the_gui_does_not_freeze_in_a_real_analysis_and_the_making_of_its_nodes(panel, hand, scene, ticks):
    nodeFromVolume(chest_radiograph(), "Phantom of a chest radiograph")
    panel.enter()
    panel.ui.presetComboBox.setCurrentIndex(panel.ui.presetComboBox.findData("chest-xray"))
    hand.click(panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(panel))
    finished = len(ticks)
    hand.wait_until(lambda: len(ticks) > finished + 1)
    assert panel.ui.probabilitiesTableWidget.rowCount == 2
    assert longest_gap(ticks) < 1


def test_a_preset_file_that_cannot_be_read_is_named_and_the_panel_still_opens(module, scene, tmp_path, monkeypatch):
    import qt
    import slicer

    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv("MEDIMAGE_PRESETS", str(tmp_path))
    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    widget = module.MedImageAnalysisWidget(parent)
    widget.setup()
    assert "broken.json" in widget.ui.statusLabel.text
    assert widget.ui.presetComboBox.count == 1
    widget.cleanup()


def test_closing_the_scene_stops_what_runs_and_resets_the_panel(ready_panel, hand, scene, endless_run):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: endless_run)
    scene.Clear(False)
    assert button_of(ready_panel) == ("Analyze", False)
    assert ready_panel.ui.presetComboBox.currentData == "auto"
    count = len(endless_run)
    hand.wait_until(lambda: len(endless_run) == count or not endless_run.append(0), seconds=1)


def test_closing_the_scene_forgets_results(ready_panel, hand, scene):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    scene.Clear(False)
    assert ready_panel.ui.summaryLabel.text == ""
    assert ready_panel.ui.featuresTableView.mrmlTableNode() is None


def test_the_chosen_preset_is_kept_in_the_scene(ready_panel):
    assert ready_panel.logic.getParameterNode().preset == "discs"
    ready_panel.exit()
    ready_panel.ui.presetComboBox.setCurrentIndex(0)
    ready_panel.enter()
    assert ready_panel.ui.presetComboBox.currentData == "discs"


def test_a_preset_that_is_not_installed_is_named(ready_panel):
    ready_panel.logic.getParameterNode().preset = "from-another-computer"
    assert "'from-another-computer' is not installed" in ready_panel.ui.presetDescriptionLabel.text


def test_a_choice_that_is_not_clear_asks_the_user(ready_panel, hand):
    ready_panel.ui.presetComboBox.setCurrentIndex(0)
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert "No preset was chosen automatically" in ready_panel.ui.statusLabel.text
    assert button_of(ready_panel) == BUTTON


def test_packages_are_asked_for_on_analyze_and_never_before(ready_panel, hand):
    import slicer.packaging

    slicer.packaging.installs.clear()
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    ((requester, requirements),) = slicer.packaging.installs
    assert requester == "MedImageAnalysis"
    assert any(requirement.startswith("scikit-image>=") for requirement in requirements)


def test_results_belong_to_the_image_that_was_analyzed(ready_panel, a_radiograph, hand, scene):
    import numpy as np
    import slicer

    another = slicer.util.addVolumeFromArray(np.zeros((1, 20, 20), np.int16), name="Another")
    hand.click(ready_panel.ui.analyzeButton)
    ready_panel.logic.getParameterNode().inputVolume = another
    hand.wait_until(lambda: is_idle(ready_panel))
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert scene.GetFirstNodeByClass("vtkMRMLSegmentationNode").GetNodeReference(role) is a_radiograph


def test_an_image_that_vanished_meanwhile_comes_back_with_its_results(ready_panel, a_radiograph, hand, scene):
    hand.click(ready_panel.ui.analyzeButton)
    scene.RemoveNode(a_radiograph)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert ready_panel.ui.summaryLabel.text
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") >= 1


def test_an_existing_segmentation_replaces_the_automatic_one(ready_panel, hand, scene):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    given = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    given.GetSegmentation().GetNthSegment(0).SetName("By hand")
    ready_panel.ui.inputSegmentationSelector.setCurrentNode(given)
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    features = ready_panel.ui.featuresTableView.mrmlTableNode()
    assert features.GetCellText(0, 0) == "By hand"


def test_probabilities_are_shown_as_bars_with_their_bounds(ready_panel, hand, recognizing_run):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    table = ready_panel.ui.probabilitiesTableWidget
    rows = [[table.item(row, column).text() for column in (0, 2, 3, 4)] for row in range(table.rowCount)]
    assert rows == [
        ["Cardiomegaly (ratio 0.50 or more)", "82.3%", "71% \N{EN DASH} 90%", "\N{CHECK MARK}"],
        ["Heart not enlarged (ratio below 0.50)", "17.7%", "10% \N{EN DASH} 29%", ""],
    ]
    assert [table.cellWidget(row, 1).value for row in range(2)] == [823, 177]


def test_a_prevalence_is_explained_by_the_categories_of_the_model(ready_panel):
    combo = ready_panel.ui.modelComboBox
    combo.setCurrentIndex(combo.findData("chest-xray-pneumonia"))
    hint = ready_panel.ui.prevalenceLineEdit.placeholderText
    assert "normal=80%, bacterial-pneumonia=10%, viral-pneumonia=10%" in hint
    combo.setCurrentIndex(combo.findData("cardiomegaly-ctr"))
    assert ready_panel.ui.prevalenceLineEdit.placeholderText == "Not stated."


def test_a_stated_prevalence_reaches_the_analysis_and_its_column_is_shown(ready_panel, hand, recognizing_run):
    combo = ready_panel.ui.modelComboBox
    combo.setCurrentIndex(combo.findData("chest-xray-pneumonia"))
    ready_panel.ui.prevalenceLineEdit.text = "normal=80%, pneumonia=20%"
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert recognizing_run[-1].prevalence == (("normal", 0.8), ("pneumonia", 0.2))
    table = ready_panel.ui.probabilitiesTableWidget
    assert [table.item(row, 5).text() for row in range(2)] == ["41.0%", "59.0%"]
    assert not table.isColumnHidden(5)


def test_without_a_prevalence_there_is_no_column_for_it(ready_panel, hand, scene):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert ready_panel.ui.probabilitiesTableWidget.isColumnHidden(5)


def test_a_prevalence_that_cannot_be_read_says_how_to_write_it(ready_panel, hand, caplog):
    ready_panel.ui.prevalenceLineEdit.text = "mostly normal"
    hand.click(ready_panel.ui.analyzeButton)
    assert "must be KEY=SHARE" in ready_panel.ui.statusLabel.text


def test_the_summary_does_not_repeat_its_title_and_takes_no_text_for_markup(ready_panel, hand, recognizing_run):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    assert ready_panel.ui.summaryLabel.text.count("&lt;Cardiothoracic ratio&gt;") == 1


def test_findings_are_marked_by_their_level(ready_panel, hand, recognizing_run):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    first, second = ready_panel.ui.findingsLabel.text.split("<br/>")[:2]
    assert "Field of view" in first
    assert "Rotation" in second
    assert first.split("color:")[1][:7] != second.split("color:")[1][:7]


def test_the_panel_is_worth_a_look(panel, hand, scene, output_folder):
    """The picture in Docs/gui.md is made here; no patient is shown."""
    nodeFromVolume(chest_radiograph(), "Phantom of a chest radiograph")
    panel.enter()
    panel.ui.presetComboBox.setCurrentIndex(panel.ui.presetComboBox.findData("chest-xray"))
    hand.click(panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(panel))
    assert panel.ui.probabilitiesTableWidget.rowCount == 2
    hand.rest()
    assert panel.parent.grab().save(str(output_folder / "panel.png"))
    panel.ui.advancedCollapsibleButton.collapsed = False
    panel.ui.resultsTabWidget.currentIndex = 2
    hand.rest()
    assert panel.parent.grab().save(str(output_folder / "panel-features.png"))
    assert (output_folder / "panel.png").stat().st_size > 10_000


def test_results_come_back_with_a_saved_scene(ready_panel, hand, scene, recognizing_run, tmp_path):
    hand.click(ready_panel.ui.analyzeButton)
    hand.wait_until(lambda: is_idle(ready_panel))
    path = save_scene(tmp_path / "analysis.mrb")
    scene.Clear(False)
    assert ready_panel.ui.probabilitiesTableWidget.rowCount == 0
    open_scene(path)
    ready_panel.enter()
    assert ready_panel.ui.presetComboBox.currentData == "discs"
    assert ready_panel.ui.probabilitiesTableWidget.item(0, 2).text() == "82.3%"
    assert "Cardiomegaly: 82 %" in ready_panel.ui.summaryLabel.text
    assert ready_panel.ui.inputVolumeSelector.currentNode().GetName() == "Discs"
