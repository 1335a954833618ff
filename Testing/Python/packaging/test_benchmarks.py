"""Benchmarks: each script explains itself, from any folder, and the list of them is complete."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_explains_itself_from_any_folder(name, tmp_path):
    script = BENCHMARKS / name
    if "import torch" in script.read_text(encoding="utf-8") and not find_spec("torch"):
        pytest.skip("needs torch")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(script), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name}")


def test_the_list_of_benchmarks_is_complete():
    listed = re.findall(r"`([a-z0-9_]+\.py)`", (BENCHMARKS / "README.md").read_text(encoding="utf-8"))
    assert sorted(set(listed)) == SCRIPTS
