"""`medimage doctor`: what is installed, what is missing, what it is for and how to get it."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass

import typer

from .. import __version__
from ..software import REQUIRED, installed_version
from .listings import print_table
from .options import AsJson

__all__ = ["add_to"]

# Distribution, the extra that provides it, and what works only with it.
OPTIONAL = (
    ("pydicom", "dicom", "read DICOM"),
    ("highdicom", "dicom", "read and write DICOM segmentations and reports"),
    ("pylibjpeg", "dicom", "read JPEG-compressed DICOM"),
    ("slicer-core", "slicer", "write Slicer scenes without Slicer"),
    ("matplotlib", "report", "draw pictures and plots"),
    ("onnx", "onnx", "check networks before they run"),
    ("onnxruntime", "onnx", "run networks, which recognize better than the linear models"),
    ("scikit-learn", "train", "train models"),
    ("dask", "cohort", "spread cohorts over machines"),
    ("pyarrow", "cohort", "write cohort tables as Parquet"),
    ("numba", "fast", "compute texture features faster"),
    ("typer", "cli", "this command line"),
)


@dataclass(frozen=True)
class Finding:
    """One package: whether it is there, what it is for and how to get it."""

    package: str
    version: str
    needed_for: str
    how_to_get: str


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Tell what is installed, what is missing and how to get it. Exit code 1 if something required is missing."""
    found = findings()
    missing = [finding.package for finding in found if finding.needed_for == "everything" and not finding.version]
    if as_json:
        facts = {"medimageanalysis": __version__, "python": platform.python_version(), "platform": platform.platform()}
        print(json.dumps(facts | {"packages": [asdict(finding) for finding in found]}, indent=1))
    else:
        print(f"MedImageAnalysis {__version__} on Python {platform.python_version()} ({platform.platform()})")
        rows = [(f.package, f.version or "missing", f.needed_for, f.how_to_get) for f in found]
        print_table("Packages", ("package", "version", "needed for", "how to get it"), rows)
    if missing:
        raise typer.Exit(1)


def findings() -> tuple[Finding, ...]:
    """Look up every package that is needed always or for something."""
    required = [_finding(package, "", "everything") for package in REQUIRED]
    return tuple(required + [_finding(package, extra, purpose) for package, extra, purpose in OPTIONAL])


def _finding(package: str, extra: str, purpose: str) -> Finding:
    version = installed_version(package)
    target = f"medimageanalysis[{extra}]" if extra else package
    return Finding(package, version, purpose, "" if version else f'pip install "{target}"')
