"""Versions of everything that computes, for the record."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from . import __version__

__all__ = ["REQUIRED", "code_fingerprint", "installed_version", "software_versions"]

# Distribution names of what is always needed; the same list stands in pyproject.toml, and a test compares them.
REQUIRED = ("numpy", "scipy", "SimpleITK", "scikit-image")
NETWORK_RUNTIME = "onnxruntime"
_DETERMINES_RESULTS = frozenset({".py", ".json", ".csv", ".npz", ".onnx"})


def software_versions() -> dict[str, str]:
    """Return versions by name: this package and the hash of its code, Python, libraries, and what counts textures.

    What runs networks is listed too, "" where it is not installed: it decides which models are taken.
    """
    from .features.counts import describe_backend

    versions = {"MedImageAnalysis": __version__, "code": code_fingerprint(), "Python": platform.python_version()}
    versions |= {name: installed_version(name) for name in (*REQUIRED, NETWORK_RUNTIME)}
    return versions | {"texture counting": describe_backend()}


def installed_version(distribution: str) -> str:
    """Return the installed version of a distribution, or "" if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


@cache
def code_fingerprint() -> str:
    """Return a hash of all code, tables and models of this package: it changes whenever results could."""
    root = Path(__file__).parent
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(path for path in root.rglob("*") if path.suffix in _DETERMINES_RESULTS):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
