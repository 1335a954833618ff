"""Train a model from a table of features: one row per case, one column per number.

The columns `label`, `group` and `split` mean the same as in a table of images; `case` and `image` are left alone. Every
other column is an input of the model, named as in a table of evidence: ``cardiothoracic_ratio`` is a measurement,
``volume[Left lung]`` the feature of one segment, ``mean(intensity_mean)`` a statistic over all segments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InvalidSettingError
from ...progress import Progress
from ..inputs import STATISTICS, Input
from ..model import Model
from .card import model_card, performance_rows
from .data import GROUP, HELD_OUT, SPLIT_SEED, drawn_groups, read_rows
from .fitting import FitSettings, compact, fit_linear
from .folder import draft_model, write_model
from .images import Drawing
from .judging import judge, predicted
from .table import check_enough

__all__ = ["FeatureRows", "feature_rows", "input_of", "read_feature_table", "train_from_features"]

_OTHERS = {"case", "image", "label", "group", "split"}
_KEY = re.compile(
    rf"(?:(?P<statistic>{'|'.join(STATISTICS)})\()?(?P<name>[A-Za-z0-9_.\-]+)(?:\[(?P<segment>[^\]]+)\])?\)?"
)


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """A table of features: inputs by column; by row values, label, group and whether it is held out."""

    inputs: tuple[Input, ...]
    x: np.ndarray
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    held_out: np.ndarray


def input_of(key: str) -> Input:
    """Return the input whose `key` this is.

    Raises
    ------
    InvalidSettingError
        If it is none.
    """
    match = _KEY.fullmatch(key)
    if match:
        statistic, name, segment = match["statistic"], match["name"], match["segment"]
        bare = statistic is None and segment is None
        found = Input("measurement", name) if bare else Input("feature", name, segment or "*", statistic or "value")
        if found.key == key:
            return found
    raise InvalidSettingError(
        f"The column {key!r:.80} names no input. Use e.g. area_ratio, volume[Left lung] or mean(intensity_mean), or "
        "leave the column out."
    )


def read_feature_table(path: Path, label: str = "label", group: str = GROUP) -> FeatureRows:
    """Read a CSV or TSV table of features; raises as :func:`feature_rows`."""
    return feature_rows(read_rows(path), path.name, label, group)


def feature_rows(
    rows: Sequence[Mapping[str, object]], source: str, label: str = "label", group: str = GROUP
) -> FeatureRows:
    """Return rows of cells by column as rows of features.

    Parameters
    ----------
    rows : sequence of mapping
    source : str
        Where they come from, for messages.
    label, group : str
        Columns of the label, and of what cases of one patient share. Without the usual column of groups, each row is a
        group of its own.

    Raises
    ------
    InvalidSettingError
        If there is no column of labels, a column names no input, or a cell is not a finite number.
    """
    columns = list(rows[0]) if rows else []
    missing = {label} - set(columns) | ({group} - set(columns) - {GROUP, ""})
    if missing:
        raise InvalidSettingError(f"{source} needs a header, cases, and a column '{min(missing)}'.")
    names = [column for column in columns if column not in _OTHERS | {label, group}]
    if not names:
        raise InvalidSettingError(f"{source} has no column of features beside {', '.join(columns)}.")
    inputs = tuple(input_of(name) for name in names)
    x = np.array([[_number(row[name], name, i) for name in names] for i, row in enumerate(rows)])
    groups = [str(row[group]) if group in columns else str(i) for i, row in enumerate(rows)]
    drawn = drawn_groups(groups, HELD_OUT, SPLIT_SEED)
    held = [row["split"] == "val" for row in rows] if "split" in columns else drawn
    labels = tuple(str(row[label] or "") for row in rows)
    return FeatureRows(inputs, x, labels, tuple(groups), np.array(held))


def train_from_features(
    rows: FeatureRows,
    output: Path,
    description: dict[str, Any],
    labels: Sequence[str],
    settings: FitSettings = FitSettings(),  # noqa: B008  frozen, so safe to share
    draw: Drawing | None = None,
    progress: Progress = Progress(),  # noqa: B008
    notes: Sequence[str] = (),
) -> Model:
    """Train a linear model on rows of features and write it to the folder `output`.

    Parameters
    ----------
    description : dict
        The fixed part of its model.json, from name to references.
    labels : sequence of str
        In the order of its classes; all but the first count as positive in the figures of two classes.
    draw : callable, optional
        Makes plots for the card, by file name, of probabilities and true categories of the held-out rows.
    notes : sequence of str
        On the data, for the card.
    """
    y = np.array([labels.index(label) for label in rows.labels])
    check_enough(y.tolist(), rows.groups, rows.held_out.tolist(), labels, settings.folds)
    kept, groups = ~rows.held_out, np.array(rows.groups)
    fit = compact(fit_linear(rows.x[kept], y[kept], groups[kept].tolist(), settings, progress.part(0.0, 0.8)))
    cases = int(kept.sum())
    draft = description | {
        "format": 1,
        "kind": "linear",
        "training": description["training"] | {"cases": cases},
        "coverage": settings.coverage,
        "linear": {
            "inputs": [source.to_json() for source in rows.inputs],
            "temperature": fit.temperature,
            "set_thresholds": list(fit.set_thresholds),
            "outlier_range": list(fit.outlier_range),
            "priors": list(fit.priors),
        },
    }
    progress.step("Judge on held-out cases", 0.8)
    x, truth, question = rows.x[~kept], y[~kept], f"not {labels[0]}"
    with draft_model(output.name, draft, fit.arrays) as model:
        judgement = judge(model, x, truth, groups[~kept].tolist(), range(1, len(labels)), question, settings.repeats)
        plots = draw(predicted(model, x)[0], truth) if draw else {}
    final = draft | {"performance": performance_rows(judgement, "held-out part of the table")}
    progress.step("Write the model", 0.98)
    card = model_card(
        final,
        judgement,
        features=f"{len(rows.inputs)} inputs: {', '.join(f'`{source.key}`' for source in rows.inputs[:30])}.",
        split=f"{cases} cases train and calibrate; {judgement.cases} of other groups give the figures.",
        command=f"medimage train TABLE --model {output.name}",
        notes=notes,
        plots=tuple(plots),
    )
    return write_model(output, final, card, fit.arrays, plots)


def _number(cell: object, column: str, index: int) -> float:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InvalidSettingError(
            f"Row {index + 1}, column '{column}' holds {cell!r:.40}, which is no number. Fill it in or drop the row."
        )
    return value
