"""`analysis.json`: all that an analysis found and all that is needed to repeat it, without patient identity."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis import Analysis, FeatureTable, Provenance, Recognition, StepRecord
from ..errors import InvalidSettingError
from .atomic import write_text

__all__ = ["analysis_to_json", "provenance_from_json", "read_record", "write_record"]

FORMAT = 1
MAXIMUM_FILE_BYTES = 100_000_000


def analysis_to_json(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis, without pixels, as plain JSON values; numbers that are not finite become null."""
    image = analysis.image
    return {
        "format": FORMAT,
        "notice": "For research use only. Not a medical device; not for clinical decisions.",
        "image": {
            "size": list(image.pixels.GetSize()),
            "spacing": list(image.pixels.GetSpacing()),
            "length_unit": image.info.length_unit,
            "pixel_type": image.pixels.GetPixelIDTypeAsString(),
            "info": _plain(image.info),
        },
        "provenance": _plain(analysis.provenance),
        "quality": _plain(analysis.quality),
        "segments": _plain(analysis.segmentation.segments),
        "features": _features(analysis.features),
        "measurements": _plain(analysis.measurements),
        "recognitions": [_recognition(recognition) for recognition in analysis.recognitions],
    }


def write_record(analysis: Analysis, path: str | os.PathLike) -> None:
    """Write `analysis.json`, all or nothing."""
    write_text(path, json.dumps(analysis_to_json(analysis), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(path: str | os.PathLike) -> Provenance:
    """Read what is needed to repeat an analysis from its record.

    Raises
    ------
    InvalidSettingError
        If the file is not a record.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAXIMUM_FILE_BYTES:
            raise InvalidSettingError(f"{file.name} is larger than {MAXIMUM_FILE_BYTES} bytes: not a record.")
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise InvalidSettingError(f"The record {file.name} cannot be read: {problem}") from problem
    return provenance_from_json(data)


def provenance_from_json(data: Any) -> Provenance:
    """Make a provenance from the plain values of a record."""
    if not isinstance(data, dict) or "format" not in data or "provenance" not in data:
        raise InvalidSettingError("This is not a record of an analysis: give the analysis.json of an earlier run.")
    try:
        if data["format"] != FORMAT:
            raise InvalidSettingError(f"The record's format is {data['format']!r:.20}; this version reads {FORMAT}.")
        values = dict(data["provenance"])
        steps = tuple(StepRecord(**step) for step in values.pop("steps"))
        corrections, warnings = tuple(values.pop("corrections")), tuple(values.pop("warnings"))
        if not isinstance(values["preset"], dict) or not isinstance(values["software"], dict):
            raise TypeError("preset and software must hold names and values")
        return Provenance(**values, steps=steps, corrections=corrections, warnings=warnings)
    except (KeyError, TypeError, ValueError) as problem:
        raise InvalidSettingError(f"This is not a record of an analysis: {problem!r:.120}.") from problem


def _features(table: FeatureTable) -> dict[str, Any]:
    return {
        "definitions": _plain(table.definitions),
        "segments": [segment.name for segment in table.segments],
        "values": _plain(table.values),
        "empty_cells": [
            {"segment": table.segments[row].name, "feature": table.definitions[column].name, "reason": reason}
            for (row, column), reason in sorted(table.reasons.items())
        ],
    }


def _recognition(recognition: Recognition) -> dict[str, Any]:
    plain = _plain(recognition, leave_out=("evidence_map",))
    return plain | {"has_evidence_map": recognition.evidence_map is not None}


def _plain(value: Any, leave_out: tuple[str, ...] = ()) -> Any:
    """Turn dataclasses, tuples, mappings and arrays into what JSON knows."""
    if is_dataclass(value):
        names = (field.name for field in fields(value) if field.name not in leave_out)
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
