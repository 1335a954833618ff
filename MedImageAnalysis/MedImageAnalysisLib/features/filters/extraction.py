"""Features of response maps: intensity statistics and textures of what the filters let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk

from ...analysis import FeatureDefinition, FeatureTable, Segmentation
from ...errors import InvalidSettingError
from ...imaging.geometry import resample_segmentation
from ...progress import Progress
from ..definition import Undefined
from ..regions import RegionReader
from ..settings import FeatureSettings
from .bank import FilterResponse, filter_bank_responses
from .filter import ImageFilter

__all__ = ["extract_filtered", "side_by_side"]

# The others measure the segment itself, or clinical intensities, which a response map does not hold.
_FAMILIES = ("intensity", "histogram", "ivh", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")


def extract_filtered(
    image: sitk.Image,
    segmentation: Segmentation,
    filters: Sequence[ImageFilter],
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008  frozen, so safe to share
    progress: Progress = Progress(),  # noqa: B008
    length_unit: str = "mm",
) -> FeatureTable:
    """Extract the features of each segment from the response of each filter.

    Re-segmentation acts on the intensities of `image`, as the standard asks, not on those of the responses. The
    intensities of responses have no absolute meaning: a fixed bin number suits them, a bin width rarely does.

    Parameters
    ----------
    image, segmentation, settings, progress, length_unit
        As for :func:`~MedImageAnalysisLib.features.extract`; families of shape and place are left out.
    filters : sequence of ImageFilter
        At least one, all different.

    Returns
    -------
    FeatureTable
        Columns are called by filter and feature, e.g. ``"log_sigma_2mm:stat_mean"``.

    Raises
    ------
    InvalidSettingError
        If there is no filter or one is listed twice, if the settings ask for another spacing (the image must be
        resampled before it is filtered), or name no family that response maps have.
    """
    if settings.spacing:
        raise InvalidSettingError(
            "features: 'spacing' cannot be used with filters, which must see the resampled image. "
            "Resample the image first, as a step of preprocessing."
        )
    families = tuple(name for name in settings.families if name in _FAMILIES)
    if not families:
        raise InvalidSettingError(f"Response maps have features of these families only: {', '.join(_FAMILIES)}.")
    if not filters:
        raise InvalidSettingError("No filter is given: name at least one.")
    kept = _resegmented(image, segmentation, settings)
    plain = replace(
        settings, families=families, resegmentation_minimum=None, resegmentation_maximum=None, outlier_sigma=None
    )
    tables = []
    both = zip(progress.parts(len(filters)), filter_bank_responses(image, filters, progress), strict=True)
    for part, response in both:
        tables.append(_prefixed(_extract(response.image, kept, plain, part, length_unit), response))
    return side_by_side(tables)


def _extract(
    response: sitk.Image, segmentation: Segmentation, settings: FeatureSettings, progress: Progress, length_unit: str
) -> FeatureTable:
    from .. import extract

    return extract(response, segmentation, settings, progress, length_unit)


def _resegmented(image: sitk.Image, segmentation: Segmentation, settings: FeatureSettings) -> Segmentation:
    """Return the segmentation without the voxels that re-segmentation by the intensities of `image` leaves out."""
    if (settings.resegmentation_minimum, settings.resegmentation_maximum, settings.outlier_sigma) == (None,) * 3:
        return segmentation
    segmentation = resample_segmentation(segmentation, image)
    reader = RegionReader(image, segmentation, settings)
    arrays = [sitk.GetArrayFromImage(layer) for layer in segmentation.layers]
    for segment in segmentation.segments:
        try:
            region = reader.read(segment)
        except Undefined:
            continue
        array = arrays[segment.layer]
        array = array if array.ndim == 3 else array[np.newaxis]
        box = tuple(slice(start, start + n) for start, n in zip(region.corner, region.mask.shape, strict=True))
        array[box][region.shape_mask & ~region.mask] = 0
    layers = []
    for array, layer in zip(arrays, segmentation.layers, strict=True):
        kept = sitk.GetImageFromArray(array)
        kept.CopyInformation(layer)
        layers.append(kept)
    return replace(segmentation, layers=tuple(layers))


def _prefixed(table: FeatureTable, response: FilterResponse) -> FeatureTable:
    """Name and describe the columns by filter and feature."""

    def described(definition: FeatureDefinition) -> FeatureDefinition:
        return replace(
            definition,
            name=f"{response.label}:{definition.name}",
            title=f"{definition.title} ({response.filter.title})",
            description=f"{definition.description} Of the response to {response.filter!r}.",
        )

    return replace(table, definitions=tuple(map(described, table.definitions)))


def side_by_side(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Join the columns of tables that have the same segments as rows; at least one table."""
    values = np.concatenate([table.values for table in tables], axis=1)
    reasons, start = {}, 0
    for table in tables:
        reasons.update({(row, start + column): reason for (row, column), reason in table.reasons.items()})
        start += len(table.definitions)
    definitions = tuple(definition for table in tables for definition in table.definitions)
    return FeatureTable(tables[0].segments, definitions, values, MappingProxyType(reasons))
