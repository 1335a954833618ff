"""Bone, soft tissue, metal and collimation on radiographs of the extremities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ...analysis import Segment, Segmentation
from ...errors import UnsuitablePresetError
from ...parameters import parameter
from ...progress import Progress
from ...terminology import generic_segment, segment
from ..method import METHODS, SegmentationMethod
from ..pixel_classifier.picture import check_picture, reduced
from .bones import bones_in
from .field import exposed_field
from .limb import limb_in, metal_in

__all__ = ["BoneXray"]

_LEAST_SIZE = 64
_LONG_SIDE = 640
_SOFT, _BONE, _METAL, _COLLIMATION = 1, 2, 3, 4


@METHODS.register
@dataclass(frozen=True)
class BoneXray(SegmentationMethod):
    """Bone, soft tissue, metal and collimator blades on a radiograph of a limb with air beside it.

    The exposed field is bounded by straight blades; in it, air is told from the limb at the valley of the histogram.
    Soft tissue grows brighter with its thickness, that is with the distance from the skin, and differs from place to
    place (:mod:`.soft_tissue`). Bone is what is brighter than it and has sharp borders: a threshold of its own for each
    bone (:mod:`.sharp_regions`). Metal is what is far brighter than bone. Bone must be bright.
    """

    name = "bone-xray"
    title = "Radiograph of a limb: bone and soft tissue"

    sensitivity: float = parameter(
        1.0, "Above 1 takes fainter structures for bone, below 1 only clear ones.", minimum=0.2, maximum=5.0
    )

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation; metal and collimation only if there are any.

        Raises
        ------
        UnsupportedImageError
            If the image is not 2D, or too small.
        UnsuitablePresetError
            If the image is blank, or no limb with air beside it is found.
        """
        check_picture(image, "A radiograph", "to tell bone from soft tissue", _LEAST_SIZE)
        pixels, factor = reduced(image, _LONG_SIDE)
        pixels = _stretched(pixels, pixels)
        progress.step("Looking for the collimator", 0.1)
        field = exposed_field(pixels)
        pixels = _stretched(pixels, pixels[field])
        progress.step("Telling limb from air", 0.3)
        limb = limb_in(pixels, field)
        progress.step("Telling bone from soft tissue", 0.5)
        metal = metal_in(pixels, limb)
        bone = bones_in(pixels, field, limb, metal, self.sensitivity)
        labels = np.zeros(pixels.shape, dtype=np.uint8)
        for value, mask in ((_COLLIMATION, ~field), (_SOFT, limb), (_BONE, bone), (_METAL, metal)):
            labels[mask] = value
        progress.step("Drawing smooth outlines", 0.8)
        present = [value for value in (_SOFT, _BONE, _METAL, _COLLIMATION) if (labels == value).any()]
        return Segmentation((_on_grid(labels, present, image, factor),), tuple(map(_segment, present)))


def _segment(value: int) -> Segment:
    if value == _COLLIMATION:
        return generic_segment("Collimation", value)
    return segment({_SOFT: "soft-tissue", _BONE: "bone", _METAL: "metal"}[value], value)


def _stretched(pixels: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return pixels from 0 to 1 between the 0.1st and the 99.9th percentile of those that count."""
    low, high = np.percentile(counted, [0.1, 99.9])
    if high <= low:
        raise UnsuitablePresetError("The image is blank: there is nothing to segment.")
    return np.clip((pixels - low) / (high - low), 0, 1).astype(np.float32)


def _on_grid(labels: np.ndarray, present: list[int], image: sitk.Image, factor: int) -> sitk.Image:
    """Return the labels on the full grid with smooth outlines: each label's softened mask, the highest wins."""
    size = image.GetSize()
    best = np.full(size[::-1], 0.0, dtype=np.float32)
    full = np.zeros(size[::-1], dtype=np.uint8)
    for value in (0, *present):
        soft = sitk.GetImageFromArray(ndimage.gaussian_filter((labels == value).astype(np.float32), 0.8))
        soft.SetSpacing((factor, factor))
        soft.SetOrigin(((factor - 1) / 2,) * 2)
        shape = (sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear, (0.0, 0.0), (1.0, 1.0), (1, 0, 0, 1), 0.0)
        share = sitk.GetArrayFromImage(sitk.Resample(soft, size, *shape, sitk.sitkUnknown, True))
        higher = share > best
        best[higher] = share[higher]
        full[higher] = value
    result = sitk.GetImageFromArray(full)
    result.CopyInformation(image)
    return result
