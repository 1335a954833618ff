"""Stage 3: features of each segment, after the Image Biomarker Standardisation Initiative (IBSI).

`extract` makes the table, `definitions` tells what its columns mean, `FeatureSettings` says how they are computed.
Nothing is imported before one of the three is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .extraction import definitions, extract
    from .settings import FeatureSettings

__all__ = ["FeatureSettings", "definitions", "extract"]

_HOMES = {"FeatureSettings": ".settings", "definitions": ".extraction", "extract": ".extraction"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
