"""Bone, soft tissue, metal and collimation on radiographs of the extremities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..analysis import Segment, Segmentation
from ..errors import UnsuitablePresetError, UnsupportedImageError
from ..imaging.masks import component_sizes, components
from ..parameters import parameter
from ..progress import Progress
from ..terminology import generic_segment, segment
from .method import METHODS, SegmentationMethod

__all__ = ["BoneXray"]

_LEAST_SIZE = 64
_LONG_SIDE = 640
_SOFT, _BONE, _METAL, _COLLIMATION = 1, 2, 3, 4
# A blade's edge is looked for in this part of each side, and must be this high, as a share of the gray range.
_BLADE_REACH = 0.45
_BLADE_STEP = 0.2
# Parts of the limb smaller than this share of the field are lead letters and dust.
_LEAST_PART = 0.02
_LEAST_BONE = 0.0008
_BINS = 256
# Of the flanks of a limb about half is muscle, some is fat, which is darker, and the rest bone.
_SOFT_PERCENTILE = 40


@METHODS.register
@dataclass(frozen=True)
class BoneXray(SegmentationMethod):
    """Bone, soft tissue, metal and collimator blades on a radiograph of a limb with air beside it.

    The exposed field is bounded by straight blades; in it, air is told from the limb at the valley of the histogram.
    Soft tissue grows brighter with its thickness, that is with the distance from the skin: bone is what is clearly
    brighter than the soft tissue of the same distance nearby, cut at its edges by a watershed of the gradient (Vincent
    and Soille 1991, doi:10.1109/34.87344). Metal is what is far brighter than bone. Bone must be bright.
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
            If no limb with air beside it is found.
        """
        _check(image)
        factor = max(1, -(-max(image.GetSize()) // _LONG_SIDE))
        small = sitk.BinShrink(sitk.Cast(image, sitk.sitkFloat32), [factor, factor])
        pixels = _stretched(sitk.GetArrayFromImage(small))
        progress.step("Looking for the collimator", 0.1)
        field = _field(pixels)
        progress.step("Telling limb from air", 0.3)
        limb = _limb(pixels, field)
        progress.step("Telling bone from soft tissue", 0.5)
        metal = _metal(pixels, limb)
        bone = _bone(pixels, limb, metal, self.sensitivity)
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


def _check(image: sitk.Image) -> None:
    if image.GetDimension() != 2:
        raise UnsupportedImageError(f"A radiograph is a 2D image, but this one is {image.GetDimension()}D.")
    if min(image.GetSize()) < _LEAST_SIZE:
        size = " x ".join(map(str, image.GetSize()))
        raise UnsupportedImageError(f"The image has {size} pixels; at least {_LEAST_SIZE} each way are needed.")


def _stretched(pixels: np.ndarray) -> np.ndarray:
    """Return pixels from 0 to 1 between the 0.1st and the 99.9th percentile."""
    low, high = np.percentile(pixels, [0.1, 99.9])
    if high <= low:
        raise UnsuitablePresetError("The image is blank: there is nothing to segment.")
    return np.clip((pixels - low) / (high - low), 0, 1).astype(np.float32)


def _field(pixels: np.ndarray) -> np.ndarray:
    """Return True inside the collimator blades; each side may have one, bright and about straight."""
    field = np.ones(pixels.shape, dtype=bool)
    for turns in range(4):
        # Each side in turn is made the left one.
        _cut_left(np.rot90(pixels, turns), np.rot90(field, turns))
    return field


def _cut_left(pixels: np.ndarray, field: np.ndarray) -> None:
    """Set `field` False left of a blade's edge, if there is one."""
    smooth = ndimage.gaussian_filter(pixels, (2.0, 1.0))
    reach = int(_BLADE_REACH * pixels.shape[1])
    drop = smooth[:, :-4] - smooth[:, 4:]
    profile = np.median(drop[:, :reach], axis=0)
    edge = int(np.argmax(profile))
    outside = np.median(smooth[:, : edge + 1], axis=0)
    # A blade is bright all the way to the picture's border; a bone is not.
    if profile[edge] < _BLADE_STEP or outside.min() < np.median(smooth[:, edge + 4]) + _BLADE_STEP / 2:
        return
    near = slice(max(0, edge - reach // 5), edge + reach // 5 + 1)
    rows = np.arange(pixels.shape[0])
    at = near.start + drop[:, near].argmax(axis=1) + 2
    sharp = drop[:, near].max(axis=1) >= _BLADE_STEP
    # A blade may stand slightly askew; rows where something else crosses its edge do not count.
    for _ in range(3):
        slope, start = np.polyfit(rows[sharp], at[sharp], 1)
        sharp &= np.abs(at - (start + slope * rows)) <= 3
        if sharp.sum() < pixels.shape[0] // 4:
            return
    border = start + slope * rows
    columns = np.arange(pixels.shape[1])[None, :]
    # The penumbra of a blade is a few pixels wide.
    field &= columns > border[:, None] + 3


def _limb(pixels: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return the limb: what is brighter than the air beside it, without lead letters."""
    smooth = ndimage.gaussian_filter(pixels, 1.0)
    counts = np.histogram(smooth[field], _BINS, (0, 1))[0].astype(float)
    threshold = _valley(ndimage.gaussian_filter1d(counts, 3.0)) / _BINS
    tissue = field & (smooth > threshold)
    parts = components(ndimage.binary_opening(tissue, iterations=2))
    kept = component_sizes(parts) >= max(_LEAST_PART * field.sum(), 1)
    limb = ndimage.binary_fill_holes(kept[parts])
    if not limb.any() or limb.sum() > 0.98 * field.sum():
        raise UnsuitablePresetError(
            "No limb with air beside it was found. Is this a radiograph of a limb with bright bone? "
            "Choose another preset, or segment by hand."
        )
    return limb


def _valley(counts: np.ndarray) -> int:
    """Return the first minimum after the peak of air, which is the highest in the darkest third of the histogram."""
    air = int(np.argmax(counts[: len(counts) // 3]))
    rising = np.diff(counts[air:]) > 0
    low = counts[air:-1] < 0.5 * counts[air]
    after = np.flatnonzero(rising & low)
    return air + (int(after[0]) if len(after) else 0)


def _metal(pixels: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return what is far brighter than all tissue and has a sharp edge."""
    inside = pixels[limb]
    median, high = np.percentile(inside, [50, 97])
    threshold = high + 0.6 * (high - median)
    if threshold >= 0.995:
        return np.zeros(limb.shape, dtype=bool)
    bright = limb & (pixels > threshold)
    rim = ndimage.gaussian_gradient_magnitude(pixels, 1.0) > 0.06
    parts, count = ndimage.label(bright)
    if count == 0:
        return bright
    index = np.arange(1, count + 1)
    border = bright & ~ndimage.binary_erosion(bright)
    sharp = ndimage.mean(rim, np.where(border, parts, 0), index) > 0.5
    large = np.bincount(parts.ravel(), minlength=count + 1)[1:] >= 12
    return np.concatenate([[False], sharp & large])[parts]


def _bone(pixels: np.ndarray, limb: np.ndarray, metal: np.ndarray, sensitivity: float) -> np.ndarray:
    """Return bone: brighter than soft tissue at the same distance from the skin, up to its edge."""
    excess = _excess(pixels, limb)
    values = excess[limb & ~metal]
    cut = _otsu(values) / sensitivity
    soft = values[values <= cut]
    noise = 1.4826 * np.median(np.abs(soft - np.median(soft)))
    certain = limb & (excess > max(1.15 * cut, np.median(soft) + 2 * noise))
    certain = ndimage.binary_opening(certain)
    neither = ndimage.binary_dilation(certain, iterations=max(3, round(0.012 * max(pixels.shape))))
    surely_soft = ~neither | ~limb | (limb & (excess < 0.5 * cut) & ~certain)
    markers = np.zeros(pixels.shape, dtype=np.int16)
    markers[surely_soft] = 1
    markers[certain] = 2
    gradient = ndimage.gaussian_gradient_magnitude(pixels, 1.0)
    steps = (65535 * np.clip(gradient / (np.percentile(gradient[limb], 99.5) + 1e-6), 0, 1)).astype(np.uint16)
    bone = (ndimage.watershed_ift(steps, markers) == 2) & limb
    bone = ndimage.binary_opening(_filled(bone | metal, 0.01 * limb.sum()))
    parts = components(bone)
    return (component_sizes(parts) >= _LEAST_BONE * pixels.size)[parts]


def _excess(pixels: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return by how much each pixel of the limb is brighter than soft tissue of the thickness there.

    The limb is taken for round: at the distance d from the skin of a limb of radius R the rays pass through
    T = 2 sqrt(2 R d - d^2), and soft tissue adds k T to the brightness, with one k for the whole limb. Computed
    radiographs are logarithmic in the exposure, so that brightness is about linear in the thickness.
    """
    distance = ndimage.distance_transform_edt(np.pad(limb, 1, mode="edge"))[1:-1, 1:-1]
    deepest = distance.max()
    radius = ndimage.maximum_filter(distance, size=2 * round(deepest / 2) + 1)
    radius = np.maximum(ndimage.gaussian_filter(radius, deepest / 4), distance)
    thickness = 2 * np.sqrt(np.maximum(2 * radius * distance - distance**2, 0))
    skin = float(np.percentile(pixels[limb & (distance <= 2)], 25))
    flank = limb & (distance > 0.1 * radius) & (distance < 0.6 * radius)
    if not flank.any():
        return np.where(limb, pixels - skin, 0)
    brightening = float(np.percentile((pixels[flank] - skin) / thickness[flank], _SOFT_PERCENTILE))
    return np.where(limb, pixels - skin - max(brightening, 0.0) * thickness, 0)


def _otsu(values: np.ndarray) -> float:
    """Return Otsu's threshold."""
    counts, edges = np.histogram(values, _BINS)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(middle[np.nanargmax(between)])


def _filled(mask: np.ndarray, largest: float) -> np.ndarray:
    """Fill holes up to `largest` pixels: cysts and marrow, not the gap between two bones."""
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    sizes[0] = largest + 1
    return mask | (sizes <= largest)[holes]


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
