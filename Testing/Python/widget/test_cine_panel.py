"""The section "A heart in several phases", driven by clicks: a folder in, two sets of nodes out."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.mrml import tableFromNode

SIZE, SPACING = 100, (2.0, 2.0, 8.0)
LARGEST_MM = (22.0, 14.0, 18.0)


def phase(largest_mm):
    """Rings of muscle around blood in 6 slices, in lung, with the blood of the right ventricle beside them."""
    y, x = np.meshgrid(*(np.arange(SIZE) * SPACING[0],) * 2, indexing="ij")
    values = np.full((6, SIZE, SIZE), 20, np.float32)
    for number in range(6):
        pool = largest_mm * (1 - 0.07 * number)
        away = np.hypot(y - 100, x - 105)
        values[number][np.hypot(y - 100, (x - 75) * 0.8) < pool + 4] = 160
        values[number][away < pool + 9] = 60
        values[number][away < pool] = 180
    values += np.random.default_rng(5).normal(0, 4, values.shape)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing(SPACING)
    return image


def write_dicom(folder, image, number):
    """Write the slices of a phase, one file each."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for place in range(image.GetDepth()):
        one = sitk.Cast(image[:, :, place : place + 1], sitk.sitkInt16)
        uid = f"1.2.826.0.1.3680043.2.1125.7.{number + 1}.{place + 1}"
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": uid,
            "0008|0060": "MR",
            "0018|0015": "HEART",
            "0018|1060": str(40.0 * number),
            "0020|000d": "1.2.826.0.1.3680043.2.1125.5",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.6",
            "0020|0013": str(number * image.GetDepth() + place + 1),
            "0020|0032": f"0\\0\\{place * SPACING[2]}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for tag, value in tags.items():
            one.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{number}-{place}.dcm"))
        writer.Execute(one)


@pytest.fixture(scope="module")
def heartbeat(tmp_path_factory):
    """A DICOM folder of three phases: wide, contracted, in between."""
    folder = tmp_path_factory.mktemp("heart")
    for number, largest_mm in enumerate(LARGEST_MM):
        write_dicom(folder, phase(largest_mm), number)
    return folder


@pytest.fixture
def ready_panel(panel, heartbeat):
    panel.ui.cineCollapsibleButton.collapsed = False
    panel.ui.cineFolderPathLineEdit.currentPath = str(heartbeat)
    return panel


def test_without_images_the_button_says_what_is_missing(panel):
    panel.ui.cineFolderPathLineEdit.currentPath = ""
    assert not panel.ui.cineButton.enabled
    assert "folder" in panel.ui.cineButton.toolTip


def test_a_click_gives_both_ends_of_the_heartbeat_and_shows_end_diastole(ready_panel, hand, scene):
    hand.rest()
    hand.click(ready_panel.ui.cineButton)
    assert ready_panel.ui.cineButton.text == "Cancel"
    hand.wait_until(lambda: not ready_panel.cine.controls.running, seconds=240)
    names = [scene.GetNthNodeByClass(i, "vtkMRMLSegmentationNode").GetName() for i in range(2)]
    assert names[0].startswith("End-diastole")
    assert names[1].startswith("End-systole")
    columns = {column.name: column.values for column in tableFromNode(ready_panel._parameterNode.measurements).columns}
    measured = dict(zip(columns["name"], columns["value"], strict=True))
    widest, narrowest = max(LARGEST_MM), min(LARGEST_MM)
    assert measured["left_ventricular_ejection_fraction"] == pytest.approx(100 * (1 - (narrowest / widest) ** 2), abs=8)
    assert measured["left_ventricular_end_systolic_phase"] == 1 + LARGEST_MM.index(narrowest)
    assert not ready_panel.ui.resultsCollapsibleButton.collapsed


def test_a_click_while_it_runs_cancels_and_adds_nothing(ready_panel, hand, scene):
    hand.rest()
    hand.click(ready_panel.ui.cineButton)
    hand.click(ready_panel.ui.cineButton)
    hand.wait_until(lambda: not ready_panel.cine.controls.running)
    assert "Cancelled" in ready_panel.ui.cineStatusLabel.text
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_folder_without_a_heart_is_refused_in_words(ready_panel, hand, scene, tmp_path):
    ready_panel.ui.cineFolderPathLineEdit.currentPath = str(tmp_path)
    hand.rest()
    hand.click(ready_panel.ui.cineButton)
    hand.wait_until(lambda: not ready_panel.cine.controls.running)
    assert "no stack" in ready_panel.ui.cineStatusLabel.text
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
