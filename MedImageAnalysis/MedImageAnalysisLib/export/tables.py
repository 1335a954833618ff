"""Tables of results, and the files that hold them: tab-separated values at full precision, with a schema beside.

One table has one meaning everywhere: the builders here make the columns, `mrml.tables` turns them into table nodes, and
:func:`write_table` writes the files that 3D Slicer, spreadsheets and pandas read back without loss. Slicer's own writer
keeps six significant digits only, which is why it is not used for results.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..analysis import (
    CategoryProbability,
    Code,
    FeatureTable,
    Measurement,
    QualityFinding,
    Recognition,
)
from ..errors import UnreadableImageError
from .atomic import write_text

__all__ = [
    "Column",
    "Table",
    "cell_text",
    "evidence_table",
    "feature_table",
    "measurement_table",
    "probability_table",
    "quality_table",
    "read_table",
    "write_table",
]

Value: TypeAlias = str | float | int | bool

# Column kinds and the names by which Slicer's schema files know them.
SCHEMA_TYPES = {"string": "string", "double": "double", "integer": "long long", "boolean": "bit"}
_SCHEMA_COLUMNS = ("columnName", "unitLabel", "title", "description", "type")


@dataclass(frozen=True)
class Column:
    """One typed column.

    Parameters
    ----------
    name : str
        Machine name, unique in its table.
    kind : str
        "string", "double", "integer" or "boolean".
    values : tuple
        As many as the table has rows; NaN is an empty cell of a double column.
    unit, title, description : str
        For people.
    """

    name: str
    kind: str
    values: tuple[Value, ...]
    unit: str = ""
    title: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if self.kind not in SCHEMA_TYPES:
            raise ValueError(f"Column {self.name!r}: {self.kind!r} is none of {', '.join(SCHEMA_TYPES)}")
        convert = {"string": cell_text, "double": float, "integer": int, "boolean": bool}[self.kind]
        object.__setattr__(self, "values", tuple(convert(value) for value in self.values))
        for field in ("name", "unit", "title", "description"):
            object.__setattr__(self, field, cell_text(getattr(self, field)))


@dataclass(frozen=True)
class Table:
    """Columns of equal length under one title."""

    title: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"Table {self.title!r} has two columns of one name: {names}")
        if len({len(column.values) for column in self.columns}) > 1:
            raise ValueError(f"Table {self.title!r} has columns of different lengths")

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def cell_text(text: object) -> str:
    """Return `text` as it can stand in a cell of a Slicer table and survive saving, also by Slicer's own writer.

    Slicer's files have no escape for a quotation mark, and a tab or a line break ends a cell: straight double quotes
    become typographic ones, tabs, line breaks and other control characters become spaces.
    """
    visible = re.sub(r"[\x00-\x1f\x7f]+", " ", str(text))
    return visible.replace('"', "\N{RIGHT DOUBLE QUOTATION MARK}")


def feature_table(features: FeatureTable) -> Table:
    """Return one row per segment and one column per feature, and a last column that says why cells are empty."""
    segments = features.segments
    columns = [
        Column(
            "segment", "string", tuple(s.name for s in segments), title="Segment", description="Name of the segment"
        ),
        Column("code", "string", tuple(_code(s.type) for s in segments), title="Code", description="Coded type"),
    ]
    for j, definition in enumerate(features.definitions):
        values = tuple(features.values[:, j].tolist())
        description = " ".join(filter(None, (definition.description, _bracketed(definition.code))))
        columns.append(
            Column(definition.name, "double", values, definition.unit, definition.title, description=description)
        )
    if features.reasons:
        notes = tuple(_reasons(features, row) for row in range(len(segments)))
        columns.append(Column("notes", "string", notes, title="Notes", description="Why cells are empty"))
    return Table("Features", tuple(columns))


def measurement_table(measurements: Sequence[Measurement]) -> Table:
    """Return one row per clinical measurement, with its unit, error, definition and source."""
    rows = tuple(measurements)
    return Table(
        "Measurements",
        (
            Column("measurement", "string", tuple(m.title for m in rows), title="Measurement"),
            Column("name", "string", tuple(m.name for m in rows), title="Name", description="Machine name"),
            Column("value", "double", tuple(m.value for m in rows), title="Value", description="In the row's unit"),
            Column("unit", "string", tuple(m.unit for m in rows), title="Unit"),
            Column(
                "standard_error",
                "double",
                tuple(_number(m.standard_error) for m in rows),
                title="Standard error",
                description="Published measurement error, one standard deviation, in the row's unit",
            ),
            Column("description", "string", tuple(m.description for m in rows), title="Description"),
            Column("reference", "string", tuple(m.reference for m in rows), title="Reference"),
            Column("notes", "string", tuple(m.reason for m in rows), title="Notes", description="Why a value is empty"),
        ),
    )


def probability_table(recognitions: Sequence[Recognition]) -> Table:
    """Return one row per category of each model; a model that did not assess the image has one row that says why."""
    rows = [(recognition, category) for recognition in recognitions for category in _categories(recognition)]
    categories = [category for _, category in rows]
    columns = [
        Column("recognition", "string", tuple(r.title for r, _ in rows), title="Recognition"),
        Column("category", "string", tuple(c.category for c in categories), title="Category"),
        Column("code", "string", tuple(_code(c.code) for c in categories), title="Code", description="Coded category"),
        _share("probability", "Probability", (c.probability for c in categories), "Calibrated probability"),
        _share("lower", "Lower", (c.lower for c in categories), "Lower bound of the probability"),
        _share("upper", "Upper", (c.upper for c in categories), "Upper bound of the probability"),
        Column(
            "in_prediction_set",
            "boolean",
            tuple(c.in_prediction_set for c in categories),
            title="In prediction set",
            description="The set that holds the truth at the stated coverage",
        ),
        _share("coverage", "Coverage", (r.coverage if r.assessed else math.nan for r, _ in rows), "Of the set"),
    ]
    if any(c.prior_adjusted is not None for c in categories):
        adjusted = (_number(c.prior_adjusted) for c in categories)
        columns.append(_share("prior_adjusted", "Prior-adjusted", adjusted, "Probability at the stated prevalence"))
    models = tuple(" ".join(filter(None, (r.model, r.version))) for r, _ in rows)
    columns.append(Column("model", "string", models, title="Model", description="Name and version"))
    columns.append(Column("notes", "string", tuple(r.reason for r, _ in rows), title="Notes"))
    return Table("Probabilities", tuple(columns))


def evidence_table(recognitions: Sequence[Recognition]) -> Table:
    """Return what each feature contributed to each category, in the models' score units."""
    rows = [(recognition, evidence) for recognition in recognitions for evidence in recognition.evidence]
    found = [evidence for _, evidence in rows]
    return Table(
        "Evidence",
        (
            Column("recognition", "string", tuple(r.title for r, _ in rows), title="Recognition"),
            Column("category", "string", tuple(e.category for e in found), title="Category"),
            Column("evidence", "string", tuple(e.title for e in found), title="Evidence"),
            Column("feature", "string", tuple(e.feature for e in found), title="Feature", description="Machine name"),
            Column("value", "double", tuple(e.value for e in found), title="Value", description="In the row's unit"),
            Column("unit", "string", tuple(e.unit for e in found), title="Unit"),
            Column(
                "contribution",
                "double",
                tuple(e.contribution for e in found),
                title="Contribution",
                description="To the category's score; log-odds for models that learned from data",
            ),
            Column(
                "z_score",
                "double",
                tuple(_number(e.z_score) for e in found),
                title="z-score",
                description="Distance from the mean of the training data, in standard deviations",
            ),
        ),
    )


def quality_table(findings: Sequence[QualityFinding]) -> Table:
    """Return one row per finding that bears on trust."""
    return Table(
        "Quality",
        (
            Column("level", "string", tuple(f.level for f in findings), title="Level", description="green, amber, red"),
            Column("check", "string", tuple(f.check for f in findings), title="Check"),
            Column("reason", "string", tuple(f.reason for f in findings), title="Reason"),
        ),
    )


def write_table(path: str | Path, table: Table) -> tuple[Path, Path]:
    """Write a table as tab-separated values, and its column types, units and descriptions as `NAME.schema.tsv`.

    Doubles are written with as many digits as it takes to read back the same bits. Both files are written aside, then
    renamed.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    ExportError
        If a file cannot be written.
    """
    path = Path(path)
    schema_path = _schema_path(path)
    rows = zip(*(map(_written, column.values) for column in table.columns), strict=True)
    data = _tsv([[column.name for column in table.columns], *rows])
    schema_rows = [(c.name, c.unit, c.title, c.description, SCHEMA_TYPES[c.kind]) for c in table.columns]
    write_text(schema_path, _tsv([_SCHEMA_COLUMNS, *schema_rows]))
    write_text(path, data)
    return path, schema_path


def read_table(path: str | Path) -> Table:
    """Read a table that :func:`write_table` wrote; equal to what was written, bit for bit.

    Raises
    ------
    UnreadableImageError
        If a file is missing, is not UTF-8 text, or does not fit its schema.
    """
    path = Path(path)
    kinds = {name: kind for kind, name in SCHEMA_TYPES.items()}
    rows, schema = _read_tsv(path), _read_tsv(_schema_path(path))
    try:
        header, *rows = rows
        if any(len(row) != len(header) for row in rows) or len(schema) != len(header) + 1:
            raise ValueError("the schema or a row has another number of columns than the header")
        cells = list(zip(*rows, strict=True)) or [()] * len(header)
        columns = []
        for values, entry in zip(cells, schema[1:], strict=True):
            name, unit, title, description, kind = entry
            columns.append(Column(name, kinds[kind], _parsed(kinds[kind], values), unit, title, description))
        return Table(path.stem, tuple(columns))
    except (ValueError, KeyError) as error:
        raise UnreadableImageError(f"{path.name}: not a table with a fitting schema: {error}.") from error


def _categories(recognition: Recognition) -> tuple[CategoryProbability, ...]:
    if recognition.assessed:
        return recognition.categories
    return (CategoryProbability("not assessed", math.nan, math.nan, math.nan, False),)


def _share(name: str, title: str, values: Iterable[float], description: str) -> Column:
    return Column(name, "double", tuple(values), "1", title, description)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _code(code: Code | None) -> str:
    return f"{code.scheme}:{code.value}" if code else ""


def _bracketed(text: str) -> str:
    return f"[{text}]" if text else ""


def _reasons(features: FeatureTable, row: int) -> str:
    """Return why cells of one row are empty, each reason once with the features it concerns."""
    by_reason: dict[str, list[str]] = {}
    for (i, j), reason in sorted(features.reasons.items()):
        if i == row:
            by_reason.setdefault(reason, []).append(features.definitions[j].name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def _schema_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.schema{path.suffix}")


def _written(value: Value) -> str:
    """Return one cell; `repr` of a float is the shortest text that reads back as the same bits."""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def _parsed(kind: str, values: Sequence[str]) -> tuple[Value, ...]:
    if kind == "boolean":
        return tuple(bool(int(value)) for value in values)
    return tuple({"string": str, "double": float, "integer": int}[kind](value) for value in values)


def _tsv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerows(rows)
    return text.getvalue()


def _read_tsv(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file, delimiter="\t", strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableImageError(f"{path.name}: cannot be read as a table: {error}.") from error
