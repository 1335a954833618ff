#!/usr/bin/env python3
"""Rewrite the lists of files in MedImageAnalysis/CMakeLists.txt from the files in the tree.

Slicer installs only what these lists name, so a forgotten file is silently missing from the package. Run this after
adding, renaming or removing a file of the module::

    python3 Utilities/update_cmake_lists.py            # rewrite
    python3 Utilities/update_cmake_lists.py --check    # change nothing, fail if the lists are out of step
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MODULE = "MedImageAnalysis"
SCRIPTS = "MODULE_PYTHON_SCRIPTS"
RESOURCES = "MODULE_PYTHON_RESOURCES"
LEFT_BEHIND = re.compile(r"/__pycache__/|\.egg-info/")


def module_files(repository: Path) -> tuple[list[str], list[str]]:
    """Return the scripts and the resources of the module, relative to its folder."""
    names = sorted(path.relative_to(repository / MODULE).as_posix() for path in _files(repository))
    names.remove("CMakeLists.txt")
    scripts = [name for name in names if name.endswith(".py")]
    resources = [name for name in names if not name.endswith(".py")]
    # The module file comes first, as in every Slicer module; the rest follows by name.
    return sorted(scripts, key=lambda name: ("/" in name, name)), resources


def _files(repository: Path) -> list[Path]:
    """Return the files that git tracks or would add; outside a checkout, all but what Python and pip leave behind."""
    if not (repository / ".git").exists():
        paths = (repository / MODULE).rglob("*")
        return [path for path in paths if path.is_file() and not LEFT_BEHIND.search(path.as_posix())]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", MODULE]
    listing = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := repository / name).is_file()]


def read_list(text: str, variable: str) -> list[str]:
    """Return the file names that ``set(variable ...)`` holds."""
    return _pattern(variable).search(text)["files"].replace("${MODULE_NAME}", MODULE).split()


def write_list(text: str, variable: str, files: list[str]) -> str:
    """Return the CMake text with the file names of ``set(variable ...)`` replaced, one a line."""
    lines = "".join(f"  {name}\n" for name in files)
    return _pattern(variable).sub(lambda match: f"{match['start']}\n{lines}  )", text, count=1)


def updated(text: str, repository: Path) -> str:
    """Return the CMake text with both lists as the tree has them."""
    scripts, resources = module_files(repository)
    return write_list(write_list(text, SCRIPTS, scripts), RESOURCES, resources)


def _pattern(variable: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<start>set\({variable})\s(?P<files>[^)]*)\)")


def main() -> int:
    """Rewrite the lists, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the lists are out of step")
    arguments = parser.parse_args()
    path = REPOSITORY / MODULE / "CMakeLists.txt"
    old = path.read_text(encoding="utf-8")
    new = updated(old, REPOSITORY)
    if new == old:
        print(f"{path.relative_to(REPOSITORY)} lists all files of the module.")
        return 0
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "listed", "in the tree"))
    if arguments.check:
        print("Out of step. Run: python3 Utilities/update_cmake_lists.py")
        return 1
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
