"""The module file as Slicer's factory and the Python console use it."""

import ast
import subprocess
import sys
import unittest

import pytest

ALLOWED_IMPORTS = set(sys.stdlib_module_names) | {"slicer", "vtk", "qt", "ctk"}
MAXIMUM_IMPORT_SECONDS = 0.1
TIMED_IMPORT = """
import sys, time
sys.path.insert(0, {folder!r})
from MedImageAnalysisLib.mrml import EmbeddedSlicer
from slicer_standin import running_slicer
with EmbeddedSlicer(), running_slicer({file!r}):
    import slicer.util
    known = set(sys.modules)
    started = time.perf_counter()
    import MedImageAnalysis
    print(time.perf_counter() - started)
    print(*sorted(name for name in set(sys.modules) - known if name.startswith(("MedImageAnalysisLib", "numpy"))))
"""


@pytest.fixture
def syntax_tree(module_file):
    return ast.parse(module_file.read_text(encoding="utf-8"))


@pytest.fixture
def module_description(module, slicer_application):
    """What the module says of itself."""
    import types

    slicer_application.app.startup.clear()
    return module.MedImageAnalysis(types.SimpleNamespace(path=module.__file__)).parent


def test_the_module_says_what_it_does_in_one_sentence(module_description):
    assert module_description.title == "Medical Image Analysis"
    assert module_description.categories == ["Quantification"]
    first_sentence = module_description.helpText.strip().split(".")[0]
    assert "table of\ncalibrated probabilities" in first_sentence
    assert "For research use only" in module_description.helpText


def test_nothing_but_slicer_and_the_standard_library_is_imported_at_file_scope(syntax_tree):
    imported = set()
    for node in syntax_tree.body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= ALLOWED_IMPORTS


def test_importing_the_module_costs_next_to_nothing(module_file, monkeypatch):
    monkeypatch.syspath_prepend(module_file.parent)
    folders = [str(module_file.parent), *sys.path]
    script = TIMED_IMPORT.format(folder=str(module_file.parent), file=str(module_file))
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    seconds, libraries = done.stdout.splitlines()[-2:]
    assert float(seconds) < MAXIMUM_IMPORT_SECONDS
    assert libraries == ""


def test_the_file_stays_a_thin_face(module_file):
    assert len(module_file.read_text(encoding="utf-8").splitlines()) < 500


def test_slicer_takes_no_helper_for_a_self_test(module):
    tests = [name for name in vars(module.MedImageAnalysisTest) if "test" in name]
    assert tests
    assert all(name.startswith("test_") for name in tests)


def test_sample_data_are_registered_at_startup(module, module_description, slicer_application):
    import SampleData

    ((signal, register),) = slicer_application.app.startup
    assert signal == "startupCompleted()"
    SampleData.SampleDataLogic.sources.clear()
    register()
    names = [source.sampleName for source in SampleData.SampleDataLogic.sources]
    assert names == ["ChestRadiograph", "ExtremityRadiograph"]
    for source in SampleData.SampleDataLogic.sources:
        from pathlib import Path

        assert Path(source.thumbnailFileName).is_file()
        assert len(source.checksums[0]) == len("SHA256:") + 64


def test_a_sample_radiograph_is_loaded_with_bone_bright(module, scene):
    import slicer

    pytest.importorskip("data_store", reason="needs the package pydicom-data")
    import SampleData

    SampleData.SampleDataLogic.sources.clear()
    module.registerSampleData()
    source = SampleData.SampleDataLogic.sources[0]
    node = source.customDownloader(source)
    pixels = slicer.util.arrayFromVolume(node)
    assert node.GetName() == "ChestRadiograph"
    assert pixels.shape == (1, 1955, 1841)
    lung, mediastinum = pixels[0, 600:800, 400:600].mean(), pixels[0, 600:800, 850:950].mean()
    assert lung < mediastinum


def test_the_console_gets_an_object_that_names_its_nodes(module, a_radiograph, discs_preset):
    nodes = module.MedImageAnalysisLogic().analyze(a_radiograph, preset=discs_preset)
    assert nodes.volume is a_radiograph
    assert nodes.segmentation.GetClassName() == "vtkMRMLSegmentationNode"
    assert {table.GetClassName() for table in (nodes.features, nodes.measurements, nodes.probabilities)} == {
        "vtkMRMLTableNode"
    }


def test_the_console_gets_errors_as_exceptions_and_an_unchanged_scene(module, a_radiograph, scene):
    from MedImageAnalysisLib.errors import UnknownNameError

    before = scene.GetNumberOfNodes()
    with pytest.raises(UnknownNameError, match="no-such-preset"):
        module.MedImageAnalysisLogic().analyze(a_radiograph, preset="no-such-preset")
    assert scene.GetNumberOfNodes() == before


def test_color_is_refused_or_made_gray_as_the_preset_says(module, scene, discs_preset):
    import numpy as np
    import slicer

    from MedImageAnalysisLib.errors import UnsupportedImageError

    volume = slicer.util.addVolumeFromArray(
        np.zeros((1, 30, 30, 3), np.uint8), name="Color", nodeClassName="vtkMRMLVectorVolumeNode"
    )
    with pytest.raises(UnsupportedImageError):
        module.MedImageAnalysisLogic().computation(volume, discs_preset)


def test_slicer_5_10_without_its_packaging_module_is_served_too(module, monkeypatch):
    import slicer

    from MedImageAnalysisLib.panel.packages import ensure_packages

    installed = []
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", installed.append, raising=False)
    monkeypatch.setattr("MedImageAnalysisLib.panel.packages.installed_version", lambda name: "")
    ensure_packages("requirements.txt")
    assert installed == [["-r", "requirements.txt"]]


@pytest.mark.parametrize("failure", [RuntimeError("User declined"), subprocess.CalledProcessError(1, "pip")])
def test_without_the_packages_the_user_is_told_what_is_missing(module, module_file, monkeypatch, failure):
    import slicer.packaging

    from MedImageAnalysisLib.errors import MissingPackageError
    from MedImageAnalysisLib.panel.packages import ensure_packages

    def fail(requirements, requester):
        raise failure

    monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
    with pytest.raises(MissingPackageError, match="scikit-image"):
        ensure_packages(str(module_file.parent / "Resources" / "requirements.txt"))


def test_the_self_test_passes(module, scene):
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(module.MedImageAnalysisTest)
    result = unittest.TextTestRunner().run(suite)
    assert suite.countTestCases() == 1
    assert result.wasSuccessful()


@pytest.mark.parametrize("name", ["MedImageAnalysisPanelTest", "MedImageAnalysisSceneTest"])
def test_the_tests_for_slicer_run_here_too(module, scene, repository, monkeypatch, name):
    """They are meant for Slicer's own Qt; here they prove that they are not broken themselves."""
    monkeypatch.syspath_prepend(repository / "Testing" / "Slicer")
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    result = unittest.TextTestRunner().run(suite)
    sys.modules.pop(name)
    assert suite.countTestCases() >= 3
    assert result.wasSuccessful()


def test_results_are_shown_where_there_are_views(module, a_radiograph, discs_preset, slicer_application, monkeypatch):
    import types

    import vtk

    layouts, tables = [], []
    layout_manager = types.SimpleNamespace(layout=3, setLayout=layouts.append, mrmlSliceLogics=vtk.vtkCollection)
    selection = types.SimpleNamespace(SetActiveTableID=tables.append)
    application_logic = types.SimpleNamespace(
        GetSelectionNode=lambda: selection, PropagateTableSelection=lambda: tables.append("propagated")
    )
    tables_logic = types.SimpleNamespace(GetLayoutWithTable=lambda layout: layout + 100)
    modules = types.SimpleNamespace(tables=types.SimpleNamespace(logic=lambda: tables_logic))
    monkeypatch.setattr(slicer_application.app, "layoutManager", lambda: layout_manager)
    monkeypatch.setattr(slicer_application.app, "applicationLogic", lambda: application_logic, raising=False)
    monkeypatch.setattr(slicer_application, "modules", modules, raising=False)
    logic = module.MedImageAnalysisLogic()
    nodes = logic.analyze(a_radiograph, preset=discs_preset)
    logic.show(nodes)
    assert layouts == [103]
    assert tables == [nodes.probabilities.GetID(), "propagated"]
