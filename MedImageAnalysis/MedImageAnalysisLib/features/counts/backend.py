"""The choice of the counting backend, at each call.

All backends give the same integers, so the choice is one of speed alone: compiled code if numba is installed and the
region is large enough to pay for loading it (or it is loaded already), else numpy. The environment variable
``MEDIMAGE_COUNTS`` overrides it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from types import ModuleType

import numpy as np

from ...errors import InvalidSettingError
from . import vectorized
from .types import Neighborhoods

__all__ = [
    "BACKEND_VARIABLE",
    "backend_for",
    "cooccurrences",
    "describe_backend",
    "is_compiled",
    "neighborhoods",
    "pairs_and_runs",
    "run_lengths",
    "zones",
    "zones_with_distances",
]

BACKEND_VARIABLE = "MEDIMAGE_COUNTS"
_CHOICES = ("auto", "numpy", "numba")

# Loading the compiled code takes half a second once per process; numpy counts this many voxels in some 10 ms.
_WORTHWHILE_VOXELS = 50_000
_KERNELS = f"{__package__}.numba_kernels"


def is_compiled(size: int) -> bool:
    """Tell whether compiled code is to work on an array of so many voxels.

    Raises
    ------
    InvalidSettingError
        If the environment variable holds something else than auto, numpy or numba.
    """
    choice = _choice()
    if choice == "auto":
        return (size >= _WORTHWHILE_VOXELS or _KERNELS in sys.modules) and _numba_is_installed()
    return choice == "numba"


def backend_for(levels: np.ndarray) -> ModuleType:
    """Return the module that counts in `levels`."""
    if not is_compiled(levels.size):
        return vectorized
    from . import numba_backend

    return numba_backend


def describe_backend() -> str:
    """Say which backend counts in large regions, and why: for provenance, reports and benchmarks."""
    choice = _choice()
    if choice == "numpy":
        return f"numpy ({BACKEND_VARIABLE}=numpy)"
    if choice == "numba" or _numba_is_installed():
        return "numba"
    return 'numpy (numba is not installed; it is faster: pip install "medimageanalysis[fast]")'


def _choice() -> str:
    choice = os.environ.get(BACKEND_VARIABLE, "") or "auto"
    if choice not in _CHOICES:
        raise InvalidSettingError(
            f"The environment variable {BACKEND_VARIABLE} is {choice!r:.80}. It must be one of {', '.join(_CHOICES)}."
        )
    return choice


@functools.cache
def _numba_is_installed() -> bool:
    return importlib.util.find_spec("numba") is not None


def cooccurrences(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count pairs of levels; see the package's docstring."""
    return backend_for(levels).cooccurrences(levels, level_count, offsets)


def run_lengths(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> np.ndarray:
    """Count runs of equal levels; see the package's docstring."""
    return backend_for(levels).run_lengths(levels, level_count, offsets)


def pairs_and_runs(levels: np.ndarray, level_count: int, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``cooccurrences`` and ``run_lengths`` of the same offsets, which the compiled backend counts together."""
    return backend_for(levels).pairs_and_runs(levels, level_count, offsets)


def zones(levels: np.ndarray, level_count: int) -> np.ndarray:
    """List zones of equal level; see the package's docstring."""
    return backend_for(levels).zones(levels, level_count)


def zones_with_distances(levels: np.ndarray, level_count: int, distances: np.ndarray) -> np.ndarray:
    """List zones of equal level with their least distance; see the package's docstring."""
    return backend_for(levels).zones_with_distances(levels, level_count, distances)


def neighborhoods(levels: np.ndarray, level_count: int, offsets: np.ndarray, tolerance: int) -> Neighborhoods:
    """Sum over the neighbors of each voxel; see the package's docstring."""
    return backend_for(levels).neighborhoods(levels, level_count, offsets, tolerance)
