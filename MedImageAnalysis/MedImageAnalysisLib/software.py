"""Versions of everything that computes, for the record."""

from __future__ import annotations

import platform
from importlib import metadata

from . import __version__

__all__ = ["REQUIRED", "installed_version", "software_versions"]

# Distribution names of what is always needed; the same list stands in pyproject.toml, and a test compares them.
REQUIRED = ("numpy", "scipy", "SimpleITK", "scikit-image")


def software_versions() -> dict[str, str]:
    """Return the versions of this package, Python and the libraries that compute, by name."""
    versions = {"MedImageAnalysis": __version__, "Python": platform.python_version()}
    return versions | {name: installed_version(name) for name in REQUIRED}


def installed_version(distribution: str) -> str:
    """Return the installed version of a distribution, or "" if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
