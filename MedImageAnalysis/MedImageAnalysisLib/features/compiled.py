"""Loading of compiled loops: modules of functions that numba compiles.

They are compiled at the first call for each type of their arguments, not at import, and kept on disk in the user's
cache folder for the next process. numba is optional and slow to import, so only functions that need them load them.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from ..errors import MissingPackageError

__all__ = ["load"]


@functools.cache
def load(module: str) -> ModuleType:
    """Import a module of compiled loops, with their cache in the user's folder: packages may be installed read-only.

    Raises
    ------
    MissingPackageError
        If numba is not installed.
    """
    try:
        import numba
    except ImportError as missing:
        raise MissingPackageError.of("numba", "fast", "Counting gray levels by compiled code") from missing
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = before or str(_cache_folder())
    try:
        return importlib.import_module(module)
    finally:
        # The setting is read when a function is declared; other users of numba keep theirs.
        numba.config.CACHE_DIR = before


def _cache_folder() -> Path:
    """Return a folder for compiled code: the user's by the custom of the system, or one for this process alone."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "MedImageAnalysis" / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A read-only home, e.g. in a container. Nobody else can write to a folder made by mkdtemp.
        return Path(tempfile.mkdtemp(prefix="MedImageAnalysis-"))
    return folder
