"""What measurements on CT share: segments as cropped arrays, and the reasons why something cannot be measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...imaging.masks import bounding_box
from ...imaging.pixels import axis_lengths, view

__all__ = ["Found", "Quantity", "doubt_hounsfield", "found", "volume_ml"]

# A segment that meets the border of the image with more than this is taken to be cut by the field of view.
_CUT_MM2 = 150.0


@dataclass(frozen=True)
class Quantity:
    """What a measurement means; its value is added by :meth:`of` or the reason why there is none by :meth:`without`."""

    name: str
    title: str
    unit: str
    description: str
    reference: str

    def of(self, value: float, standard_error: float | None = None) -> Measurement:
        """Return the measurement with its value."""
        return Measurement(
            self.name, self.title, float(value), self.unit, self.description, self.reference, standard_error
        )

    def without(self, reason: str) -> Measurement:
        """Return the measurement without a value."""
        return Measurement(self.name, self.title, math.nan, self.unit, self.description, self.reference, reason=reason)


@dataclass(frozen=True, eq=False)
class Found:
    """A segment in its bounding box.

    Parameters
    ----------
    mask : numpy.ndarray of bool
    values : numpy.ndarray
        Intensities in the same box: a view of the image.
    spacing : tuple of float
        In the axis order of arrays.
    cut : bool
        Whether the border of the image cuts the segment.
    start : tuple of int
        Array index of the box's first voxel.
    """

    mask: np.ndarray
    values: np.ndarray
    spacing: tuple[float, ...]
    cut: bool
    start: tuple[int, ...]


def found(image: MedicalImage, segmentation: Segmentation, key: str) -> Found | None:
    """Return the segment with terminology key `key` in its box, or None if it is not there or empty."""
    segment = segmentation.find(key)
    if segment is None:
        return None
    labels = view(segmentation.layers[segment.layer])
    box = bounding_box(labels == segment.label)
    if box is None:
        return None
    # Anew: a part of the first mask would keep all of it in memory.
    mask = labels[box] == segment.label
    spacing = axis_lengths(image.pixels)
    cut = _is_cut(mask, box, labels.shape, spacing)
    return Found(mask, view(image.pixels)[box], spacing, cut, tuple(part.start for part in box))


def volume_ml(structure: Found) -> float:
    """Return the volume of a segment in mL."""
    return float(structure.mask.sum() * math.prod(structure.spacing) / 1000)


def doubt_hounsfield(image: MedicalImage) -> str:
    """Return why intensities cannot be taken for Hounsfield units, or ""."""
    if image.info.intensity_unit == "HU" or image.info.modality == "CT":
        return ""
    return "The image is not known to be in Hounsfield units."


def _is_cut(mask: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...], spacing: tuple[float, ...]) -> bool:
    for axis, (part, size) in enumerate(zip(box, shape, strict=True)):
        face = math.prod(length for other, length in enumerate(spacing) if other != axis)
        for at_border, index in ((part.start == 0, 0), (part.stop == size, -1)):
            if at_border and mask.take(index, axis).sum() * face > _CUT_MM2:
                return True
    return False
