"""Read an existing segmentation, to take the place of stage 2: .seg.nrrd, a labelmap, or DICOM SEG."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .analysis import ImageInfo, MedicalImage, Segment, Segmentation
from .errors import GeometryError, InvalidSettingError, UnreadableImageError, UnsupportedImageError
from .export.segmentation import KEY_TAG
from .export.terminology import parse_terminology_entry
from .formats.plain_files import plain_format, read_components
from .image import from_pixels
from .imaging.geometry import describe_grid, resample_segmentation, same_grid
from .imaging.placement import as_volume
from .progress import Progress
from .terminology import generic_segment
from .terminology.matching import matched, totalsegmentator_names

__all__ = ["fitted", "read_segmentation"]

# What `names` may say instead of a table, and the version of TotalSegmentator that it means.
TOTALSEGMENTATOR = {"totalsegmentator": 2, "totalsegmentator-v2": 2, "totalsegmentator-v1": 1}

_MOST_LABELS = 4096
_LARGEST_LABEL = 65535
_NAME = re.compile(r"Segment(\d{1,6})_Name$")


def read_segmentation(
    path: str | os.PathLike,
    image: MedicalImage | sitk.Image,
    *,
    names: str | os.PathLike | None = None,
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
) -> Segmentation:
    """Read a segmentation of `image` and bring it onto the image's grid.

    Parameters
    ----------
    path : path
        A .seg.nrrd file with its segments' names, colors and codes; a labelmap of any format that
        :func:`~MedImageAnalysisLib.image.read_image` reads; or a DICOM SEG.
    image : MedicalImage or sitk.Image
        The image it belongs to. A bare 2D image has no place in the patient.
    names : path, "totalsegmentator" or "totalsegmentator-v1", optional
        For labelmaps: a .csv or .tsv table with the columns label and name, or TotalSegmentator's own numbering of
        version 2 (117 classes) or 1 (104 classes). Without it, a segment is called "Label 1".
    progress : Progress

    Returns
    -------
    Segmentation
        Segments have the key of their structure in the terminology, found by SNOMED CT code, else by name.

    Raises
    ------
    GeometryError
        If it does not lie where the image lies, with both places in words.
    UnsupportedImageError
        If its values are not labels, e.g. because it is an image.
    UnreadableImageError
        If it is missing or damaged.
    """
    path = Path(path)
    progress.step(f"Read {path.name}")
    if not path.is_file():
        raise UnreadableImageError(f"'{path}' does not exist or is not a file. Check the path.")
    # A bare image is taken at its word: its geometry is what there is to compare with.
    known = image if isinstance(image, MedicalImage) else from_pixels(image, ImageInfo(spacing_source="image"))
    found, knows_spacing = _read(path, names)
    progress.step(f"Fit {path.name} to the image", 0.6)
    segmentation = fitted(found, known, knows_spacing)
    progress.step(f"Read {path.name}", 1.0)
    return replace(segmentation, segments=matched(segmentation.segments))


def fitted(segmentation: Segmentation, image: MedicalImage, knows_spacing: bool = True) -> Segmentation:
    """Return a segmentation on the grid of `image`, by nearest neighbor; unchanged if it is on it.

    Parameters
    ----------
    knows_spacing : bool
        Whether the segmentation has a place in space. Without one, its size must be that of the image.

    Raises
    ------
    GeometryError
        If none of its labeled voxels lies in the image, or sizes differ where nothing else can be compared.
    """
    first = segmentation.layers[0]
    if not knows_spacing or not image.info.spacing_source:
        flat = tuple(_flat(layer) for layer in segmentation.layers)
        if all(layer.GetSize() == image.pixels.GetSize() for layer in flat):
            return replace(segmentation, layers=tuple(_in_place_of(layer, image.pixels) for layer in flat))
        if not knows_spacing:
            raise _misfit(first, image.pixels, "It has no place in space, and its size is not that of the image.")
    if first.GetDimension() == image.pixels.GetDimension() and same_grid(first, image.pixels):
        return segmentation
    if first.GetDimension() < image.pixels.GetDimension():
        raise _misfit(first, image.pixels, "It is 2D, and the image is a volume.")
    reference = as_volume(image.pixels, image)
    volumes = replace(segmentation, layers=tuple(as_volume(layer, image) for layer in segmentation.layers))
    resampled = resample_segmentation(volumes, reference)
    if _is_labeled(volumes) and not _is_labeled(resampled):
        raise _misfit(volumes.layers[0], reference, "None of its labeled voxels lies in the image.")
    if image.pixels.GetDimension() == 2:
        layers = tuple(_in_place_of(layer[:, :, 0], image.pixels) for layer in resampled.layers)
        return replace(resampled, layers=layers)
    return resampled


def _misfit(layer: sitk.Image, image: sitk.Image, why: str) -> GeometryError:
    return GeometryError(
        f"The segmentation does not belong to this image. {why} Segmentation: {describe_grid(layer)}. "
        f"Image: {describe_grid(image)}. Choose the segmentation of this image."
    )


def _is_labeled(segmentation: Segmentation) -> bool:
    return any(sitk.GetArrayViewFromImage(layer).any() for layer in segmentation.layers)


def _flat(layer: sitk.Image) -> sitk.Image:
    return layer[:, :, 0] if layer.GetDimension() == 3 and layer.GetDepth() == 1 else layer


def _in_place_of(layer: sitk.Image, image: sitk.Image) -> sitk.Image:
    copy = sitk.Image(layer)
    copy.CopyInformation(image)
    return copy


def _read(path: Path, names: str | os.PathLike | None) -> tuple[Segmentation, bool]:
    """Return the segmentation as the file has it, and whether it has a place in space."""
    if plain_format(path):
        components, knows_spacing = read_components(path)
        if any(_NAME.match(key) for key in components.GetMetaDataKeys()):
            return _from_seg_nrrd(components, path), knows_spacing
        return _from_labelmap(components, path, names), knows_spacing
    from .dicom.segmentation import is_segmentation, read_dicom_segmentation

    if not is_segmentation(path):
        raise UnsupportedImageError(
            f"'{path.name}' is DICOM, but not a segmentation. Give a DICOM SEG, a .seg.nrrd file or a labelmap."
        )
    return read_dicom_segmentation(path), True


def _from_seg_nrrd(components: sitk.Image, path: Path) -> Segmentation:
    count = components.GetNumberOfComponentsPerPixel()
    layers = tuple(
        _labels(sitk.VectorIndexSelectionCast(components, index) if count > 1 else components, path)
        for index in range(count)
    )
    fields = {key: components.GetMetaData(key) for key in components.GetMetaDataKeys() if key.startswith("Segment")}
    numbers = sorted(int(match[1]) for match in map(_NAME.match, fields) if match)
    segments = tuple(_segment(fields, number, path) for number in numbers)
    if any(segment.layer >= count for segment in segments):
        raise UnreadableImageError(f"'{path.name}' is damaged: a segment lies in a layer that the file does not have.")
    if len({(segment.layer, segment.label) for segment in segments}) < len(segments):
        raise UnreadableImageError(f"'{path.name}' is damaged: two segments have the same label in one layer.")
    return Segmentation(layers, segments)


def _segment(fields: Mapping[str, str], number: int, path: Path) -> Segment:
    """Return one segment of Slicer's header; files of Slicer before 4.11 have one layer per segment, with label 1."""
    prefix = f"Segment{number}_"
    tags = dict(part.partition(":")[::2] for part in fields.get(f"{prefix}Tags", "").split("|"))
    # Older files call the entry "Segmentation.TerminologyEntry" or "TerminologyEntry".
    entry = tags.get("TerminologyEntry") or tags.get("Segmentation.TerminologyEntry") or ""
    category, kind, modifier = parse_terminology_entry(entry)
    try:
        label = int(fields.get(f"{prefix}LabelValue", "1"))
        layer = int(fields.get(f"{prefix}Layer", str(number)))
        red, green, blue = (float(value) for value in fields.get(f"{prefix}Color", "0.5 0.5 0.5").split())
        if not (1 <= label <= _LARGEST_LABEL and layer >= 0 and all(0 <= part <= 1 for part in (red, green, blue))):
            raise ValueError("label, layer or color out of range")
    except ValueError as error:
        raise UnreadableImageError(f"'{path.name}' is damaged: segment {number} has a malformed header.") from error
    return Segment(
        name="".join(letter for letter in fields[f"{prefix}Name"] if letter.isprintable()),
        label=label,
        color=(red, green, blue),
        category=category,
        type=kind,
        modifier=modifier,
        key=tags.get(KEY_TAG, ""),
        layer=layer,
    )


def _from_labelmap(components: sitk.Image, path: Path, names: str | os.PathLike | None) -> Segmentation:
    if components.GetNumberOfComponentsPerPixel() > 1:
        raise UnsupportedImageError(
            f"'{path.name}' has {components.GetNumberOfComponentsPerPixel()} components per pixel, so that it is not "
            "a labelmap. Give a file with one whole number per pixel."
        )
    layer = _labels(components, path)
    table = _names(names)
    labels = [int(label) for label in np.unique(sitk.GetArrayViewFromImage(layer)) if label]
    if len(labels) > _MOST_LABELS:
        raise UnsupportedImageError(
            f"'{path.name}' has {len(labels)} different values: it is an image, not a labelmap."
        )
    return Segmentation((layer,), tuple(generic_segment(table.get(n, f"Label {n}"), n) for n in labels))


def _labels(image: sitk.Image, path: Path) -> sitk.Image:
    """Return the smallest unsigned whole-number image that holds the labels."""
    values = sitk.GetArrayViewFromImage(image)
    low, high = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer) or bool((values == np.rint(values)).all())
    if not whole or low < 0 or high > np.iinfo(np.uint32).max:
        raise UnsupportedImageError(
            f"'{path.name}' has values from {low:g} to {high:g}{'' if whole else ' with fractions'}: "
            "it is an image, not a labelmap. Labels are whole numbers from 0."
        )
    kind = sitk.sitkUInt8 if high <= 255 else sitk.sitkUInt16 if high <= 65535 else sitk.sitkUInt32
    labels = sitk.Cast(image, kind)
    for key in labels.GetMetaDataKeys():
        labels.EraseMetaData(key)
    return labels


def _names(names: str | os.PathLike | None) -> Mapping[int, str]:
    if names is None:
        return {}
    if names in TOTALSEGMENTATOR:
        return totalsegmentator_names(TOTALSEGMENTATOR[names])
    path = Path(names)
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = csv.DictReader(text.splitlines(), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        return {int(row["label"]): row["name"] for row in rows}
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableImageError(f"The table of names '{path.name}' cannot be read.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidSettingError(
            f"The table of names '{path.name}' must have the columns 'label' (a whole number) and 'name'."
        ) from error
