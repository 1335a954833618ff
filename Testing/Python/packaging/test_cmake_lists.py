"""What CMake installs is what the tree holds: a file that is not listed would silently be missing in Slicer."""

import importlib.util
import re

import pytest

STALE = """
set(MODULE_PYTHON_SCRIPTS
  )
set(MODULE_PYTHON_RESOURCES
  gone.txt
  )
"""


@pytest.fixture(scope="module")
def lists(repository):
    """The script that writes the lists, as a module."""
    spec = importlib.util.spec_from_file_location("update_cmake_lists", repository / "Utilities/update_cmake_lists.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def module_cmake(repository):
    """The module's CMakeLists.txt."""
    return (repository / "MedImageAnalysis" / "CMakeLists.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(repository, lists):
    """Scripts and resources of the module."""
    return lists.module_files(repository)


@pytest.fixture
def a_small_repository(tmp_path):
    """A folder with one script, one resource and lists that lack both."""
    folder = tmp_path / "MedImageAnalysis"
    folder.mkdir()
    (folder / "MedImageAnalysis.py").touch()
    (folder / "table.csv").touch()
    (folder / "CMakeLists.txt").write_text(
        "set(MODULE_PYTHON_SCRIPTS\n  )\nset(MODULE_PYTHON_RESOURCES\n  gone.txt\n  )\n"
    )
    return tmp_path


def test_every_script_is_listed(lists, module_cmake, tree):
    assert lists.read_list(module_cmake, lists.SCRIPTS) == tree[0]


def test_every_resource_and_package_data_file_is_listed(lists, module_cmake, tree):
    assert lists.read_list(module_cmake, lists.RESOURCES) == tree[1]


def test_only_the_module_file_lies_beside_the_lists(lists, module_cmake):
    beside = [name for name in lists.read_list(module_cmake, lists.SCRIPTS) if "/" not in name]
    assert beside == ["MedImageAnalysis.py"], "Slicer would take each of them for a module"


def test_a_missing_and_an_extra_file_are_noticed_and_repaired(lists, a_small_repository):
    old = (a_small_repository / "MedImageAnalysis" / "CMakeLists.txt").read_text(encoding="utf-8")
    new = lists.updated(old, a_small_repository)
    assert new != old
    assert lists.read_list(new, lists.SCRIPTS) == ["MedImageAnalysis.py"]
    assert lists.read_list(new, lists.RESOURCES) == ["table.csv"]
    assert lists.updated(new, a_small_repository) == new


def test_the_module_is_built_as_slicer_asks(module_cmake):
    call = re.search(r"slicerMacroBuildScriptedModule\((.*?)\)", module_cmake, re.DOTALL)[1].split()
    assert call == [
        "NAME",
        "${MODULE_NAME}",
        "SCRIPTS",
        "${MODULE_PYTHON_SCRIPTS}",
        "RESOURCES",
        "${MODULE_PYTHON_RESOURCES}",
        "WITH_GENERIC_TESTS",
    ]


def test_pip_ships_the_same_package_data(repository, lists, tree):
    """The suffixes that pyproject.toml names cover each data file of the library."""
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    shipped = set(re.findall(r'"\*(\.\w+)"', re.search(r"\[tool.setuptools.package-data\]\n(.*)", text)[1]))
    data = [name for name in tree[1] if name.startswith("MedImageAnalysisLib/")]
    assert data
    assert [name for name in data if not name.endswith(tuple(shipped))] == []
