"""The folder of results of one analysis: tables, segmentation, processed image and record."""

from __future__ import annotations

from pathlib import Path

from ..analysis import Analysis
from ..progress import Progress
from .images import write_image
from .record import write_record
from .segmentation import write_segmentation
from .tables import (
    evidence_table,
    feature_table,
    measurement_table,
    probability_table,
    quality_table,
    write_table,
)

__all__ = ["TABLES", "write_results"]

TABLES = ("probabilities", "evidence", "measurements", "features", "quality")


def write_results(analysis: Analysis, folder: Path, progress: Progress) -> tuple[Path, ...]:
    """Write everything that an analysis found into a folder that exists.

    Returns
    -------
    tuple of Path
        The files, in the order in which people look at them.

    Raises
    ------
    ExportError
        If a file cannot be written.
    """
    written = []
    progress.step("Write the tables", 0.0)
    for name, table in _tables(analysis).items():
        written.append(write_table(folder / f"{name}.tsv", table)[0])
    progress.step("Write the segmentation", 0.3)
    labels = folder / "segmentation.seg.nrrd"
    written.append(write_segmentation(labels, analysis.segmentation, analysis.image))
    progress.step("Write the processed image", 0.6)
    written.append(write_image(analysis.processed, folder / "processed.nrrd"))
    write_record(analysis, folder / "analysis.json")
    return (*written, folder / "analysis.json")


def _tables(analysis: Analysis) -> dict:
    """Return the tables that have something to say, by file name."""
    tables = (
        probability_table(analysis.recognitions),
        evidence_table(analysis.recognitions),
        measurement_table(analysis.measurements),
        feature_table(analysis.features),
        quality_table(analysis.quality),
    )
    return {name: table for name, table in zip(TABLES, tables, strict=True) if len(table)}
