"""What importing costs, and which room may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[3] / "MedImageAnalysis" / "MedImageAnalysisLib"
OPTIONAL = {
    "dask", "distributed", "google", "highdicom", "matplotlib", "numba", "onnx", "onnxruntime", "pandas", "pyarrow",
    "pydicom", "skimage", "sklearn", "torch",
}  # fmt: skip
# Files that are themselves imported only by the function that needs them, because what they define must be decorated.
LAZY_FILES = {"features/counts/numba_kernels.py", "features/surface_kernels.py"}
SLICER = {"slicer", "vtk", "vtkmodules", "qt", "ctk"}
# Nodes are mrml's; the panel's widgets are panel's, which only the module file imports.
SLICER_ROOMS = {"mrml": {"slicer", "vtk", "vtkmodules"}, "panel": {"slicer", "qt", "ctk"}}
STAGES = ("preprocessing", "segmentation", "features", "recognition")
FILES = sorted(LIBRARY.rglob("*.py"))


def imported_names(path, only_at_file_scope=False):
    """Return the modules that a file imports, those of this package as paths relative to it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if only_at_file_scope else list(ast.walk(tree))
    package = path.relative_to(LIBRARY).with_suffix("").parts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: -node.level]
            yield ".".join((*base, *(node.module or "").split("."))).strip(".") or "."
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def identifier(path):
    return str(path.relative_to(LIBRARY))


@pytest.mark.parametrize("path", FILES, ids=identifier)
def test_optional_packages_are_imported_only_where_they_are_needed(path):
    found = {name.split(".")[0] for name in imported_names(path, only_at_file_scope=True)} & OPTIONAL
    assert not found or identifier(path) in LAZY_FILES


@pytest.mark.parametrize("path", FILES, ids=identifier)
def test_slicer_is_used_only_in_the_rooms_for_it(path):
    room = path.relative_to(LIBRARY).parts[0]
    found = {name.split(".")[0] for name in imported_names(path)} & SLICER
    assert found <= SLICER_ROOMS.get(room, set())


def test_no_other_room_imports_the_panel():
    for path in FILES:
        if path.relative_to(LIBRARY).parts[0] != "panel":
            assert "panel" not in {name.split(".")[0] for name in imported_names(path)}, path


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_each_other(stage):
    others = set(STAGES) - {stage}
    for path in (LIBRARY / stage).rglob("*.py"):
        assert not {name.split(".")[0] for name in imported_names(path)} & others, path


@pytest.mark.parametrize("path", FILES, ids=identifier)
def test_no_file_grows_beyond_reading(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import MedImageAnalysisLib;"
        "print([n for n in set(sys.modules) - before if not n.startswith('MedImageAnalysisLib')])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_pipeline_and_all_registries_load_without_any_optional_package():
    code = (
        "import sys; from MedImageAnalysisLib import pipeline; from MedImageAnalysisLib.preprocessing import STEPS;"
        "from MedImageAnalysisLib.segmentation import METHODS;"
        "from MedImageAnalysisLib.features.clinical import MEASURES;"
        "from MedImageAnalysisLib.features import FeatureSettings, definitions; definitions(FeatureSettings());"
        "list(STEPS), list(METHODS), list(MEASURES); print(*sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {name.split(".")[0] for name in printed.split()} & (OPTIONAL | SLICER)
