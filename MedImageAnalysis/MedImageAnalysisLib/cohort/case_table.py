"""A cohort as a CSV file: one row per case, checked as a whole before any work begins.

Columns: ``id`` and ``image`` (required), ``segmentation``, ``label``, ``patient`` (optional); every other column is a
covariate, except those whose name says that they identify a person: they are left out unless ids are kept. Paths are
relative to the CSV file. The separator is a comma, semicolon or tab.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import InvalidSettingError
from ..formats.plain_files import detached_pixels
from .case import CohortCase
from .identity import Pseudonyms

__all__ = ["check_case_table", "identifying_columns", "read_case_table"]

REQUIRED = ("id", "image")
OPTIONAL = ("segmentation", "label", "patient")
_EXAMPLES = 5
_IDENTIFYING = re.compile(
    r"name|birth|dob$|accession|mrn|ssn|address|phone|mail|insurance|patient.?id|(^|_)(study|series|sop).*uid",
    re.IGNORECASE,
)


def check_case_table(path: Path) -> int:
    """Check columns, ids and files of the whole table; return its number of cases.

    Raises
    ------
    InvalidSettingError
        With every kind of fault that was found and the first rows that show it.
    """
    faults: dict[str, list[str]] = {}
    seen: set[bytes] = set()
    count = 0
    for line, row in _rows(path):
        count += 1
        # Eight bytes an id instead of its text keep a table of millions in memory.
        mark = hashlib.blake2b(row["id"].encode(), digest_size=8).digest()
        if not row["id"]:
            faults.setdefault("no id", []).append(f"line {line}")
        elif mark in seen:
            faults.setdefault("an id that was there before", []).append(f"line {line}")
        seen.add(mark)
        for column in ("image", "segmentation"):
            if (column == "image" or row.get(column)) and not _file(path, row[column]).exists():
                faults.setdefault(f"'{column}' is not there", []).append(f"line {line}")
    if faults:
        words = "; ".join(f"{fault}: {_some(places)}" for fault, places in faults.items())
        raise InvalidSettingError(f"The case table {path.name} has faults. {words}. Correct them and start again.")
    if not count:
        raise InvalidSettingError(f"The case table {path.name} has no cases.")
    return count


def read_case_table(path: Path, pseudonyms: Pseudonyms, keep_ids: bool = False) -> Iterator[CohortCase]:
    """Yield the cases of a table that was checked."""
    left_out = () if keep_ids else identifying_columns(path)
    for _, row in _rows(path):
        image, segmentation = _file(path, row["image"]), row.get("segmentation", "")
        known = (*REQUIRED, *OPTIONAL, *left_out)
        yield CohortCase(
            name=row["id"] if keep_ids else pseudonyms.case(row["id"]),
            files=_files_below(image) if image.is_dir() else (image, *detached_pixels(image)),
            segmentation=_file(path, segmentation) if segmentation else None,
            label=row.get("label", ""),
            patient=row.get("patient", "") if keep_ids else pseudonyms.patient(row.get("patient", "")),
            covariates=tuple((key, row[key]) for key in row if key not in known),
            folder=image if image.is_dir() else None,
        )


def identifying_columns(path: Path) -> tuple[str, ...]:
    """Return the covariates that by their names identify a person."""
    _, row = next(_rows(path), (0, {}))
    return tuple(name for name in row if name not in (*REQUIRED, *OPTIONAL) and _IDENTIFYING.search(name))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row, streaming: a table may have millions."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                has = ", ".join(reader.fieldnames or ()) or "none"
                raise InvalidSettingError(f"The case table {path.name} lacks the column {missing[0]!r}. It has: {has}.")
            for row in reader:
                if None in row or None in row.values():
                    raise InvalidSettingError(
                        f"The case table {path.name}, line {reader.line_num}, has another number of cells than the "
                        "header. Quote cells that hold the separator."
                    )
                yield reader.line_num, {key: value.strip() for key, value in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InvalidSettingError(f"The case table {path.name} cannot be read: {problem}.") from problem


def _file(table: Path, name: str) -> Path:
    return (table.parent / name).resolve() if name else Path()


def _files_below(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")))


def _some(places: list[str]) -> str:
    more = f" and {len(places) - _EXAMPLES} more" if len(places) > _EXAMPLES else ""
    return ", ".join(places[:_EXAMPLES]) + more
