"""Features of one's own segmented images, to train from: the column `segmentation` of `labels.csv` names the files.

Each image goes through a preset with its segmentation in the place of stage 2, as it will when the model is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...analysis import Analysis
from ...choice import choose_preset
from ...errors import InvalidSettingError, MedImageError
from ...image import read_image
from ...pipeline import run
from ...preset import Preset
from ...progress import Progress
from ...segmentation_file import read_segmentation
from ..inputs import Input
from .data import GROUP, HELD_OUT, SEGMENTATION, SPLIT_SEED, TABLE, drawn_groups, read_rows
from .feature_table import FeatureRows

__all__ = ["segmented_rows"]


def segmented_rows(
    folder: Path,
    preset: Preset | None = None,
    label: str = "label",
    group: str = GROUP,
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
) -> tuple[FeatureRows, tuple[str, ...]]:
    """Measure the segments of all cases of a folder's table, and return rows of features with notes for the card.

    Inputs are the features and measurements that all cases have; without a column of groups, each case is its own.

    Parameters
    ----------
    preset : Preset, optional
        How each image is prepared and measured; without one, as suits the first image.

    Raises
    ------
    InvalidSettingError
        If a column is missing, or the cases have no feature in common.
    MedImageError
        If a case cannot be read or measured; the message names its file.
    """
    rows = read_rows(folder / TABLE)
    missing = {"image", label} - set(rows[0]) | ({group} - set(rows[0]) - {GROUP, ""})
    if missing:
        raise InvalidSettingError(f"{folder / TABLE} lacks the columns {', '.join(sorted(missing))}.")
    cells: list[dict[Input, float]] = []
    for index, row in enumerate(rows):
        part = progress.part(index / len(rows), (index + 1) / len(rows))
        part.step(f"Measure case {index + 1} of {len(rows)}")
        try:
            image = read_image(folder / row["image"], color=preset.color if preset else "luminance")
            preset = preset or choose_preset(image).preset
            given = read_segmentation(folder / row[SEGMENTATION], image)
            cells.append(_cells(run(image, replace(preset, models=()), segmentation=given, progress=part)))
        except MedImageError as error:
            raise type(error)(f"{row['image']}: {error}") from error
    inputs = _common_inputs(cells)
    x = np.array([[case[source] for source in inputs] for case in cells])
    groups = tuple(row.get(group) or str(index) for index, row in enumerate(rows))
    drawn = drawn_groups(groups, HELD_OUT, SPLIT_SEED)
    held = [row["split"] == "val" for row in rows] if "split" in rows[0] else drawn
    found = FeatureRows(inputs, x, tuple(row[label] for row in rows), groups, np.array(held))
    return found, (
        f"Measured with the preset `{preset.name}`: use the model with it, and with segments of these names.",
    )


def _cells(analysis: Analysis) -> dict[Input, float]:
    """Return all numbers of one analysis: features by segment, and measurements."""
    table = analysis.features
    cells = {
        Input("feature", definition.name, segment.key or segment.name): float(value)
        for segment, values in zip(table.segments, table.values, strict=True)
        for definition, value in zip(table.definitions, values, strict=True)
    }
    cells |= {Input("measurement", measured.name): float(measured.value) for measured in analysis.measurements}
    return {source: value for source, value in cells.items() if np.isfinite(value)}


def _common_inputs(cells: Sequence[dict[Input, float]]) -> tuple[Input, ...]:
    common = set(cells[0]).intersection(*cells[1:])
    if not common:
        raise InvalidSettingError(
            "No feature has a value in all cases. Give the segments the same names in all segmentations."
        )
    return tuple(source for source in cells[0] if source in common)
