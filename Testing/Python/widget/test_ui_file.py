"""What Slicer needs of the .ui file and the stand-in does not check: a slip there gives a dead or plain widget."""

from xml.etree import ElementTree

import pytest


@pytest.fixture(scope="module")
def ui(repository):
    return ElementTree.parse(repository / "MedImageAnalysis" / "Resources" / "UI" / "MedImageAnalysis.ui").getroot()


@pytest.fixture(scope="module")
def widgets(ui):
    """Class by name of widget."""
    return {widget.get("name"): widget.get("class") for widget in ui.iter("widget")}


def test_every_node_selector_gets_the_scene(ui, widgets):
    connected = {
        connection.findtext("receiver")
        for connection in ui.iter("connection")
        if connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
        and widgets[connection.findtext("sender")] == "qMRMLWidget"
    }
    assert connected == {name for name, kind in widgets.items() if kind == "qMRMLNodeComboBox"}


def test_every_class_of_ctk_and_slicer_is_declared(ui, widgets):
    declared = {widget.findtext("class"): widget.findtext("header") for widget in ui.iter("customwidget")}
    used = {kind for kind in widgets.values() if not kind.startswith("Q")}
    assert set(declared) == used
    assert all(header == f"{kind}.h" for kind, header in declared.items())


def test_no_two_widgets_share_a_name(ui):
    names = [widget.get("name") for widget in ui.iter("widget")]
    assert len(names) == len(set(names))


def test_every_input_explains_itself(ui, widgets):
    explained = {
        widget.get("name")
        for widget in ui.iter("widget")
        if any(entry.get("name") == "toolTip" for entry in widget.findall("property"))
    }
    inputs = {name for name, kind in widgets.items() if kind in ("qMRMLNodeComboBox", "QComboBox", "QCheckBox")}
    assert inputs <= explained
