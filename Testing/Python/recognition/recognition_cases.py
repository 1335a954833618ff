"""Makes the cases that the recognition tests are about."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import FeatureDefinition, FeatureTable, ImageInfo, Measurement, MedicalImage, Segment
from MedImageAnalysisLib.recognition import RecognitionCase

__all__ = ["make_case", "make_features", "make_measurement"]


def make_case(
    *measurements: Measurement, features: FeatureTable | None = None, dimension: int = 2, **info
) -> RecognitionCase:
    """Return a case over an empty image of which `info` is known."""
    pixels = sitk.Image([16] * dimension, sitk.sitkUInt8)
    return RecognitionCase(MedicalImage(pixels, ImageInfo(**info)), pixels, None, features, measurements)


def make_measurement(name: str, value: float, unit: str = "1", **more) -> Measurement:
    """Return a measurement of which only name, value and unit matter."""
    return Measurement(name, name.replace("_", " ").capitalize(), value, unit, "", "", **more)


def make_features(rows: np.ndarray, names: tuple[str, ...]) -> FeatureTable:
    """Return a table with one segment per row."""
    segments = tuple(Segment(f"Region {i + 1}", i + 1, (1.0, 0.0, 0.0)) for i in range(len(rows)))
    definitions = tuple(FeatureDefinition(name, name.capitalize(), "test", "mm", "") for name in names)
    return FeatureTable(segments, definitions, rows)
