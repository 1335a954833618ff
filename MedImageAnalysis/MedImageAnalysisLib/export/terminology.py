"""Terminology entries: how Slicer writes the coded meaning of a segment in one line of text."""

from __future__ import annotations

import re

from ..analysis import Code, Segment

__all__ = ["parse_terminology_entry", "terminology_entry"]

_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGION_CONTEXT = "Anatomic codes - DICOM master list"


def terminology_entry(segment: Segment) -> str:
    """Return the entry of a segment: seven parts joined by ``~``, each code three fields joined by ``^``.

    The parts are terminology, category, type, type modifier, anatomic terminology, region and region modifier. The
    format has no escapes: a separator inside a meaning becomes a space, and so does ``|``, at which Slicer's files cut
    a tag.
    """
    coded = (_triplet(segment.category), _triplet(segment.type), _triplet(segment.modifier))
    return "~".join((_CONTEXT, *coded, _REGION_CONTEXT, "^^", "^^"))


def parse_terminology_entry(entry: str) -> tuple[Code | None, Code | None, Code | None]:
    """Return category, type and type modifier of an entry; None for what it leaves empty or does not have."""
    parts = entry.split("~")[1:4]
    category, kind, modifier = (_parse_triplet(part) for part in parts + [""] * (3 - len(parts)))
    return category, kind, modifier


def _triplet(code: Code | None) -> str:
    fields = (code.scheme, code.value, code.meaning) if code else ("", "", "")
    return "^".join(re.sub(r"[~^|\x00-\x1f]", " ", field) for field in fields)


def _parse_triplet(text: str) -> Code | None:
    fields = text.split("^")
    return Code(*fields) if len(fields) == 3 and fields[1] else None
