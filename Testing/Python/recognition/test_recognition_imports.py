"""The files of stage 4 import one way only, also where only types are meant."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import MedImageAnalysisLib

ROOM = Path(MedImageAnalysisLib.__file__).parent / "recognition"


def imported_files(path):
    """Return the files of the room that `path` imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found |= {folder.with_suffix(".py"), folder / "__init__.py"}
            found |= {folder / f"{alias.name}.py" for alias in node.names}
    return {file for file in found if file.is_file() and ROOM in file.parents} - {path}


def test_imports_of_the_room_make_no_circle():
    graph = {path: imported_files(path) for path in ROOM.rglob("*.py")}
    assert sum(map(len, graph.values())) > 20
    # A package's front door imports its files; that they import its other files is no circle.
    doors = {path for path in graph if path.name == "__init__.py"}
    order = TopologicalSorter({path: files - doors for path, files in graph.items()}).static_order()
    assert ROOM / "model.py" in list(order)
