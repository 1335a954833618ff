"""Names, colors and SNOMED CT codes of the structures that segmentation finds.

The table `structures.csv` is package data: one row per structure. Codes are those of the DICOM segmentation categories
and of 3D Slicer's general anatomy list, so that segments are recognized by other tools.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..analysis import Code, Segment
from ..errors import UnknownNameError

__all__ = ["Structure", "generic_segment", "segment", "structure", "structures"]

TISSUE = Code("SCT", "85756007", "Tissue")


@dataclass(frozen=True)
class Structure:
    """One row of the table of structures."""

    key: str
    name: str
    color: tuple[float, float, float]
    category: Code
    type: Code
    modifier: Code | None


@cache
def structures() -> dict[str, Structure]:
    """Return the table of structures by key."""
    table = resources.files(__package__).joinpath("structures.csv").read_text(encoding="utf-8")
    return {row["key"]: _structure(row) for row in csv.DictReader(table.splitlines())}


def structure(key: str) -> Structure:
    """Return the structure called `key`; UnknownNameError if the table has none."""
    if key not in structures():
        raise UnknownNameError(f"The terminology has no structure {key!r:.80}. Known: {', '.join(structures())}.")
    return structures()[key]


def segment(key: str, label: int, layer: int = 0) -> Segment:
    """Return a segment that is the structure `key` of the table."""
    found = structure(key)
    return Segment(
        name=found.name,
        label=label,
        color=found.color,
        category=found.category,
        type=found.type,
        modifier=found.modifier,
        key=found.key,
        layer=layer,
    )


# Twelve colors that differ for common forms of color blindness (Paul Tol's muted scheme, extended).
_PALETTE = (
    (0.53, 0.13, 0.33), (0.53, 0.80, 0.93), (0.87, 0.80, 0.47), (0.07, 0.47, 0.20),
    (0.80, 0.40, 0.47), (0.20, 0.13, 0.53), (0.27, 0.67, 0.60), (0.60, 0.60, 0.20),
    (0.67, 0.27, 0.60), (0.87, 0.53, 0.20), (0.35, 0.55, 0.85), (0.55, 0.75, 0.35),
)  # fmt: skip


def generic_segment(name: str, label: int, layer: int = 0) -> Segment:
    """Return a segment of unspecified tissue, e.g. an intensity class or a superpixel, with a color by its label."""
    return Segment(name, label, _PALETTE[(label - 1) % len(_PALETTE)], category=TISSUE, type=TISSUE, layer=layer)


def _structure(row: dict[str, str]) -> Structure:
    red, green, blue = (int(value) / 255 for value in row["color"].split())
    return Structure(
        key=row["key"],
        name=row["name"],
        color=(red, green, blue),
        category=Code("SCT", row["category_code"], row["category"]),
        type=Code("SCT", row["type_code"], row["type"]),
        modifier=Code("SCT", row["modifier_code"], row["modifier"]) if row["modifier_code"] else None,
    )
