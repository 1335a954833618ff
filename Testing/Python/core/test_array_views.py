"""A view of an image's pixels does not keep the image: one of a temporary image reads memory that was given back."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("MedImageAnalysis", "Testing", "benchmarks", "Utilities")


def views_of_temporaries(code):
    """Return the lines that take a view of an image that nothing else holds."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "GetArrayViewFromImage"
        and not is_held(node.args[0])
    ]


def is_held(expression):
    """Tell whether a name leads to the image: a call, or the cut of an image, makes a new one."""
    if isinstance(expression, ast.Attribute):
        return is_held(expression.value)
    if isinstance(expression, ast.Subscript):
        return is_held(expression.value) and not isinstance(expression.slice, ast.Tuple | ast.Slice)
    return isinstance(expression, ast.Name)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_view_outlives_its_image(folder):
    found = {
        str(path): views_of_temporaries(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py")
    }
    assert found
    assert not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize("temporary", ["read(path)", "read(path).pixels", "image[:, :, 3]"])
def test_a_view_of_a_temporary_image_is_seen(temporary):
    assert views_of_temporaries(f"array = sitk.GetArrayViewFromImage({temporary})") == [1]
    assert not views_of_temporaries("array = sitk.GetArrayViewFromImage(segmentation.layers[0])")
