"""Extract the features of all segments of a segmentation into one table."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk

from ..analysis import FeatureDefinition, FeatureTable, Segment, Segmentation
from ..errors import UnsupportedImageError
from ..progress import Progress
from .definition import Calculator, Undefined, Units, Values
from .region import Region
from .regions import RegionReader
from .settings import FAMILIES, FeatureSettings

__all__ = ["definitions", "extract"]


def extract(
    image: sitk.Image,
    segmentation: Segmentation,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008  frozen, so safe to share
    progress: Progress = Progress(),  # noqa: B008
    length_unit: str = "mm",
    intensity_unit: str = "",
) -> FeatureTable:
    """Compute the features of each segment.

    Parameters
    ----------
    image : sitk.Image
        Scalar, 2D or 3D.
    segmentation : Segmentation
        On the image's grid, or on another grid of the same space: it is then resampled by nearest neighbor.
    settings : FeatureSettings
    progress : Progress
        Asked before each segment.
    length_unit, intensity_unit : str
        What a spacing of 1 and an intensity of 1 mean; "" are arbitrary units.

    Returns
    -------
    FeatureTable
        One row per segment, in the order of the segmentation. A feature that has no value is an empty cell with its
        reason; it never stops the others.

    Raises
    ------
    UnsupportedImageError
        If the image is not scalar, or neither 2D nor 3D.
    GeometryError
        If the segmentation does not lie within the image.
    Cancelled
        If the user asked to stop.
    """
    _check(image)
    calculators = _calculators(settings, image.GetDimension())
    reader = RegionReader(image, segmentation, settings, length_unit)
    rows = []
    for index, segment in enumerate(segmentation.segments):
        progress.step(f"Features of {segment.name}", index / len(segmentation.segments))
        rows.append(_row(reader, segment, calculators))
    progress.step("Features extracted", 1.0)
    columns = definitions(
        settings, dimension=image.GetDimension(), length_unit=length_unit, intensity_unit=intensity_unit
    )
    values = np.array([row.values for row in rows]).reshape(len(rows), len(columns))
    reasons = {(i, column): reason for i, row in enumerate(rows) for column, reason in row.reasons.items()}
    return FeatureTable(segmentation.segments, columns, values, MappingProxyType(reasons))


def definitions(
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008
    *,
    dimension: int = 3,
    length_unit: str = "mm",
    intensity_unit: str = "",
) -> tuple[FeatureDefinition, ...]:
    """Return what the columns of :func:`extract` mean, in their order, for an image of 2 or 3 dimensions."""
    return _definitions(settings, dimension, length_unit, intensity_unit)


@lru_cache(maxsize=32)
def _definitions(
    settings: FeatureSettings, dimension: int, length_unit: str, intensity_unit: str
) -> tuple[FeatureDefinition, ...]:
    intensity = intensity_unit or "a.u."
    # A fixed number of bins numbers them: the histogram's intensities are then bin numbers.
    units = Units(length_unit, intensity, "1" if settings.ivh_discretization == "bin-number" else intensity)
    features = (feature for calculator in _calculators(settings, dimension) for feature in calculator.family.features)
    return tuple(feature.definition(units) for feature in features)


def _check(image: sitk.Image) -> None:
    if image.GetNumberOfComponentsPerPixel() != 1 or "complex" in image.GetPixelIDTypeAsString():
        raise UnsupportedImageError(
            f"Features need one number per pixel, but the image has {image.GetPixelIDTypeAsString()} pixels. "
            "Convert it to a scalar image first, e.g. color to luminance."
        )
    if image.GetDimension() not in (2, 3):
        raise UnsupportedImageError(
            f"Features need a 2D or 3D image, but this one has {image.GetDimension()} dimensions. Select one volume."
        )


def _calculators(settings: FeatureSettings, dimension: int) -> list[Calculator]:
    """Return what computes each family that the settings name, in the order of the standard."""
    names = [name for name in FAMILIES if name in settings.families]
    if settings.profile == "pyradiomics":
        from .pyradiomics import CALCULATORS, PLANAR_SHAPE

        found = {**CALCULATORS, "shape": PLANAR_SHAPE} if dimension == 2 else CALCULATORS
        return [found[name] for name in names if name in found]
    return [_calculator("shape2d" if name == "shape" and dimension == 2 else name) for name in names]


def _calculator(name: str) -> Calculator:
    module = importlib.import_module(f".{name.replace('-', '_')}", __package__)
    return Calculator(module.FAMILY, module.compute)


def _row(reader: RegionReader, segment: Segment, calculators: list[Calculator]) -> Values:
    try:
        region = reader.read(segment)
    except Undefined as empty:
        return Values.empty(sum(len(calculator.family.features) for calculator in calculators), str(empty))
    return Values.joined([_values(region, calculator) for calculator in calculators])


def _values(region: Region, calculator: Calculator) -> Values:
    try:
        return calculator.compute(region)
    except Undefined as undefined:
        return Values.empty(len(calculator.family.features), str(undefined))
