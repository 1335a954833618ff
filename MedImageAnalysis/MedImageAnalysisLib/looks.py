"""What an image looks like when its header says too little: CT or MR, chest or head, by intensities and geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .imaging.histogram import Histogram, multi_otsu
from .imaging.masks import component_sizes, components
from .imaging.pixels import view
from .progress import Progress
from .segmentation.ct.volume import CoarseVolume, ball_closing, filled_in_slices, interior_of_body

__all__ = ["Look", "look_of_ct", "look_of_volume", "looks_like_hounsfield"]

# Air and water in Hounsfield units; a volume with a share of voxels near both is taken for CT (DICOM PS3.3 C.11.1.1.2).
_AIR_HU = (-1100, -850)
_SOFT_TISSUE_HU = (-150, 150)
_LEAST_SHARE = 0.02

# Body parts are looked for on voxels of about this size (mm).
_COARSE_MM = 4.0
# Aerated lung; gas in bowel is darker. Both lungs of a small adult at expiration hold more than this (mL).
_LUNG_HU = (-960, -500)
_LEAST_LUNG_ML, _LEAST_PIECE_ML = 700.0, 150.0
# Brain fills this share of a head's slices, over this height (mm); gaps of the skull up to twice the last are bridged.
_BRAIN_HU = (0, 100)
_BONE_HU = 200
_BRAIN_SHARE, _BRAIN_HEIGHT_MM, _SKULL_GAP_MM = 0.4, 30.0, 6.0

# A head on MR: its size (mL) with skin and neck or stripped, its extent along each axis (mm), and the share of a face
# of the volume that it may touch: it ends within the image everywhere but at the neck.
_HEAD_ML = (900.0, 7000.0)
_HEAD_EXTENT_MM = (100.0, 290.0)
_TOUCHED_SHARE = 0.04
_FINEST_MM = 1.6


@dataclass(frozen=True)
class Look:
    """What was recognized, and by what; body part "" if none was.

    Parameters
    ----------
    modality, body_part : str
        In DICOM's words.
    reason : str
    """

    modality: str
    body_part: str
    reason: str


def looks_like_hounsfield(pixels: sitk.Image) -> bool:
    """Tell whether a signed volume has the air and the soft-tissue peak of CT where they belong."""
    values = view(pixels).ravel()
    values = values[:: max(1, values.size // 200_000)]
    shares = [np.mean((values >= low) & (values <= high)) for low, high in (_AIR_HU, _SOFT_TISSUE_HU)]
    return bool(values.min() >= -4096 and min(shares) >= _LEAST_SHARE)


def look_of_volume(pixels: sitk.Image, spacing_known: bool) -> Look | None:
    """Return what a volume of unknown modality looks like, or None.

    Parameters
    ----------
    pixels : sitk.Image
        3D, one value per voxel.
    spacing_known : bool
        Without lengths only CT is recognized.
    """
    if looks_like_hounsfield(pixels):
        look = look_of_ct(pixels) if spacing_known else None
        words = "its intensities look like Hounsfield units"
        return Look("CT", look.body_part, f"{words}; {look.reason}") if look else Look("CT", "", words)
    return _head_on_mr(pixels) if spacing_known else None


def look_of_ct(pixels: sitk.Image) -> Look | None:
    """Return "CHEST" or "HEAD" for a CT in Hounsfield units that shows lungs or a brain in its skull, else None."""
    factors = [
        min(size, max(1, round(_COARSE_MM / length)))
        for size, length in zip(pixels.GetSize(), pixels.GetSpacing(), strict=True)
    ]
    volume = CoarseVolume.of(sitk.BinShrink(pixels, factors), Progress())
    inside = interior_of_body(volume, Progress())
    lung_ml = _large_pieces_ml(inside & (volume.hu > _LUNG_HU[0]) & (volume.hu < _LUNG_HU[1]), volume)
    if lung_ml >= _LEAST_LUNG_ML:
        return Look("CT", "CHEST", f"there are {lung_ml / 1000:.1f} L of aerated lung in the body")
    height = _height_of_brain_mm(volume, inside)
    if height >= _BRAIN_HEIGHT_MM:
        return Look("CT", "HEAD", f"bone encloses a brain over {height:.0f} mm")
    return None


def _large_pieces_ml(mask: np.ndarray, volume: CoarseVolume) -> float:
    """Return the volume of the large pieces that do not reach the sides of the image, where room air may look so."""
    labels = components(mask)
    sizes = component_sizes(labels) * volume.voxel_ml
    for axis in (1, 2):
        for end in (0, -1):
            sizes[labels.take(end, axis)] = 0
    return float(sizes[sizes >= _LEAST_PIECE_ML].sum())


def _height_of_brain_mm(volume: CoarseVolume, inside: np.ndarray) -> float:
    """Return over what height most of each slice is soft tissue in a ring of bone."""
    bone = inside & (volume.hu > _BONE_HU)
    if not bone.any():
        return 0.0
    ring = ball_closing(bone, _SKULL_GAP_MM, volume.spacing)
    brain = filled_in_slices(ring, 0) & ~bone & (volume.hu > _BRAIN_HU[0]) & (volume.hu < _BRAIN_HU[1])
    shares = brain.sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1)
    return float(np.count_nonzero(shares >= _BRAIN_SHARE) * volume.spacing[0])


def _head_on_mr(pixels: sitk.Image) -> Look | None:
    """Return "HEAD" for a bright object of the size of a head that the image shows whole but for the neck."""
    spacing = pixels.GetSpacing()[::-1]
    values = view(pixels)
    if values.min() < 0 or sorted(spacing)[1] > _FINEST_MM:
        return None
    threshold = multi_otsu(Histogram.of(values), 2)
    if not threshold:
        return None
    steps = [max(1, round(_COARSE_MM / length)) for length in spacing]
    bright = values[tuple(slice(None, None, step) for step in steps)] > threshold[0] / 2
    labels = components(bright)
    sizes = component_sizes(labels)
    head = labels == int(sizes.argmax())
    lengths = [step * length for step, length in zip(steps, spacing, strict=True)]
    milliliters = sizes.max() * math.prod(lengths) / 1000
    extents = [
        np.ptp(np.flatnonzero(head.any(axis=tuple(o for o in range(3) if o != axis)))) * lengths[axis]
        for axis in range(3)
    ]
    touched = sorted(head.take(end, axis).mean() for axis in range(3) for end in (0, -1))
    # The neck leaves the image at one face, and the nose may come close to another.
    whole = touched[4] <= _TOUCHED_SHARE
    fits = all(_HEAD_EXTENT_MM[0] <= extent <= _HEAD_EXTENT_MM[1] for extent in extents)
    if not (whole and fits and _HEAD_ML[0] <= milliliters <= _HEAD_ML[1]):
        return None
    size = " x ".join(f"{extent:.0f}" for extent in extents)
    return Look("MR", "HEAD", f"it shows, whole and without Hounsfield units, something of a head's size ({size} mm)")
