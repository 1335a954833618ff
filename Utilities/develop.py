"""Set up the environment, run the demo, the tests and the linter: `python Utilities/develop.py demo|test|lint|clean`.

Needs nothing but Python 3.10 or newer; the Makefile calls it, and Windows and macOS users call it directly. It prints
each command it runs, can be repeated, and needs no network once everything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
APT_PACKAGES = ROOT / "Utilities" / "apt-packages.txt"
STAMP = ENVIRONMENT / "installed.sha256"
EVERYTHING = {"cli", "slicer", "dicom", "onnx", "train", "cohort", "report", "fast"}
EXTRAS = {"demo": "cli,slicer,dicom,onnx,report,demo", "test": "all,test,demo", "lint": "test"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("demo", "test", "lint", "clean"))
    parser.add_argument("arguments", nargs="*", help="passed on to the demo, pytest or ruff (after --)")
    options = parser.parse_args()
    return {"demo": demo, "test": test, "lint": lint, "clean": clean}[options.task](options.arguments)


def demo(arguments: list[str]) -> int:
    """Analyze two real radiographs and leave the results in demo-output/."""
    set_up("demo")
    return run([PYTHON, "Utilities/demo.py", *arguments])


def test(arguments: list[str]) -> int:
    """Run the whole test suite."""
    install_system_packages()
    set_up("test")
    # Two at a time, each file as a whole: what a file prepares once is not prepared twice.
    parallel = ["-n", "2", "--dist", "loadfile"]
    return run([PYTHON, "-m", "pytest", *parallel, *arguments], {"QT_QPA_PLATFORM": "offscreen"})


def lint(arguments: list[str]) -> int:
    """Check style and formatting."""
    set_up("lint")
    checked = run([PYTHON, "-m", "ruff", "check", *arguments, "."])
    return run([PYTHON, "-m", "ruff", "format", "--check", "."]) or checked


def clean(_: list[str]) -> int:
    """Remove everything that the other tasks made."""
    for name in (".venv", "demo-output", "test-output", "build", ".pytest_cache", ".ruff_cache", ".hypothesis"):
        print(f"remove {name}", flush=True)
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


def set_up(task: str) -> None:
    """Make .venv and install this package with the extras that `task` needs, unless that is already done."""
    if sys.version_info < (3, 10):  # noqa: UP036  this file runs before pip has checked
        sys.exit(f"Python 3.10 or newer is needed, but this is {sys.version.split()[0]}.")
    if not PYTHON.exists():
        make_environment()
    wanted = set(EXTRAS[task].split(","))
    mark = fingerprint()
    installed = set()
    if STAMP.exists():
        known, _, extras = STAMP.read_text().partition(" ")
        installed = set(extras.split(",")) if known == mark else set()
    # "all" holds the extras of the demo; a user who ran the tests can lint offline.
    if wanted <= installed | (EVERYTHING if "all" in installed else set()):
        print(f"The environment {ENVIRONMENT.name} is ready.", flush=True)
        return
    extras = ",".join(sorted(wanted | installed))
    require([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-e", f".[{extras}]"])
    STAMP.write_text(f"{mark} {extras}")


def make_environment() -> None:
    """Make the virtual environment; on a bare Debian install what that needs."""
    command = [sys.executable, "-m", "venv", ENVIRONMENT]
    if run(command) == 0:
        return
    # Debian's Python comes without ensurepip; a half-made environment must not be taken for a whole one.
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    apt_install([version])
    require(command)


def install_system_packages() -> None:
    """Install the system libraries that Qt needs to draw offscreen, where apt is the package manager."""
    if not shutil.which("dpkg-query"):
        return
    lines = (line.split("#")[0].strip() for line in APT_PACKAGES.read_text().splitlines())
    missing = [package for package in lines if package and not is_installed(package)]
    if missing:
        apt_install(missing)


def is_installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.startswith("install ok")


def apt_install(packages: list[str]) -> None:
    if not shutil.which("apt-get") or (hasattr(os, "geteuid") and os.geteuid() != 0):
        sys.exit(f"Please install these system packages first: {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    require(["apt-get", "update", "-q"], quiet)
    require(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], quiet)


def fingerprint() -> str:
    """Change whenever what must be installed changes: the dependencies, the checkout's place, or the Python."""
    content = (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(content + str(ROOT).encode() + sys.version.encode()).hexdigest()[:16]


def run(command: list, environment: dict[str, str] | None = None) -> int:
    """Print and run a command in the root of the checkout; return its exit code."""
    words = [str(word) for word in command]
    print("+ " + " ".join(words), flush=True)
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False).returncode


def require(command: list, environment: dict[str, str] | None = None) -> None:
    code = run(command, environment)
    if code:
        sys.exit(f"Stopped: the command above failed with exit code {code}.")


if __name__ == "__main__":
    sys.exit(main())
