"""Read DICOM segmentations (SEG) by highdicom, placed by their affine, never by the order of their frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..analysis import Code, Segment, Segmentation
from ..errors import MissingPackageError, UnreadableImageError, UnsupportedImageError
from ..terminology import generic_segment, structures
from .header import check_inflated, damage_as_error, is_dicom, require_pydicom

if TYPE_CHECKING:
    import highdicom

__all__ = ["is_segmentation", "read_dicom_segmentation"]

_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def is_segmentation(path: Path) -> bool:
    """Tell whether a file is a DICOM segmentation; UnreadableImageError if it is not even DICOM."""
    require_pydicom()
    from pydicom import dcmread

    if not is_dicom(path):
        raise UnreadableImageError(f"'{path.name}' is not a segmentation: neither a labelmap nor DICOM.")
    check_inflated(path)
    with damage_as_error(path):
        return dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True).SOPClassUID in _STORAGE


def read_dicom_segmentation(path: Path) -> Segmentation:
    """Return the segments of a SEG file on its own grid; those that overlap lie in several layers.

    Raises
    ------
    UnsupportedImageError
        If it is fractional (probabilities instead of labels) or not placed in the patient.
    UnreadableImageError
        If it is damaged.
    MissingPackageError
        If highdicom is not installed.
    """
    try:
        import highdicom
    except ImportError as error:
        raise MissingPackageError.of("highdicom", "dicom", "Reading a DICOM segmentation") from error
    with damage_as_error(path):
        source = highdicom.seg.segread(path)
        if source.segmentation_type == highdicom.seg.SegmentationTypeValues.FRACTIONAL:
            raise UnsupportedImageError(
                f"'{path.name}' is a fractional segmentation (probabilities). Export it as a binary one."
            )
        numbers = tuple(int(number) for number in source.segment_numbers)
        try:
            layers = (_image(source.get_volume(combine_segments=True)),)
            layer_of = dict.fromkeys(numbers, 0)
        except RuntimeError:
            # Segments overlap. highdicom leaves its tables locked when it says so: open the file once more.
            layers, layer_of = _separate_layers(highdicom.seg.segread(path), numbers)
        segments = tuple(
            _segment(source.get_segment_description(number), number, layer_of[number]) for number in numbers
        )
    return Segmentation(layers, segments)


def _separate_layers(
    source: highdicom.seg.Segmentation, numbers: Sequence[int]
) -> tuple[tuple[sitk.Image, ...], dict[int, int]]:
    """Put each segment into the first layer in which it overlaps no other; return the layers and where each one is."""
    layers: list[np.ndarray] = []
    layer_of: dict[int, int] = {}
    for number in numbers:
        volume = source.get_volume(segment_numbers=[number], combine_segments=True)
        mask = volume.array != 0
        free = (index for index, layer in enumerate(layers) if not layer[mask].any())
        layer_of[number] = next(free, len(layers))
        if layer_of[number] == len(layers):
            layers.append(np.zeros(mask.shape, np.uint16 if max(numbers) > 255 else np.uint8))
        layers[layer_of[number]][mask] = number
    return tuple(_image(volume.with_array(layer)) for layer in layers), layer_of


def _image(volume: highdicom.Volume) -> sitk.Image:
    """Return a highdicom volume, indexed (slice, row, column), as an image in LPS."""
    array = volume.array if volume.array.dtype in (np.uint8, np.uint16) else volume.array.astype(np.uint16)
    image = sitk.GetImageFromArray(array)
    columns = volume.affine[:3, 2::-1]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((columns / spacing).ravel().tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    return image


def _segment(description: highdicom.seg.SegmentDescription, number: int, layer: int) -> Segment:
    modifier = next(
        iter(description.SegmentedPropertyTypeCodeSequence[0].get("SegmentedPropertyTypeModifierCodeSequence") or ()),
        None,
    )
    color = description.get("RecommendedDisplayCIELabValue")
    return Segment(
        name=str(description.segment_label),
        label=number,
        color=_rgb(color) if color else generic_segment("", number).color,
        category=_code(description.segmented_property_category, lambda structure: structure.category),
        type=_code(description.segmented_property_type, lambda structure: structure.type),
        modifier=_code(modifier, lambda structure: structure.modifier) if modifier is not None else None,
        layer=layer,
    )


def _code(item: object, of_structure: Callable) -> Code:
    """Return a coded concept; the older SNOMED-RT codes (SRT) of structures in the table as their SNOMED CT codes."""
    from pydicom.sr.coding import Code as DicomCode

    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    code = Code(str(item.CodingSchemeDesignator), str(value), str(item.get("CodeMeaning") or ""))
    if code.scheme in ("SRT", "SNM3", "99SDM"):
        old = DicomCode(code.value, "SRT", code.meaning)
        known = (of_structure(structure) for structure in structures().values())
        same = (new for new in known if new and old == DicomCode(new.value, new.scheme, new.meaning))
        return next(same, code)
    return code


def _rgb(stored: Sequence[int]) -> tuple[float, float, float]:
    from highdicom.color import CIELabColor

    red, green, blue = CIELabColor.from_dicom_value([int(value) for value in stored]).to_rgb()
    return red / 255, green / 255, blue / 255
