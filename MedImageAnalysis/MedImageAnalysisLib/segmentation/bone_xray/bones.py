"""Bone in a limb: regions brighter than the soft tissue around, with sharp borders."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...imaging.masks import component_sizes, components
from .sharp_regions import filled, holes_in, sharp_regions
from .soft_tissue import excess_over_soft_tissue, local_expectile

__all__ = ["bones_in"]

# Thresholds that are tried, times half the way from soft tissue to bone.
_THRESHOLDS = np.geomspace(0.55, 4.0, 14)
# Bone around a place is what lies high there, within this share of the longer side.
_HIGH, _AROUND = 0.9, 0.04
# A border is sharp where this share of the step from soft tissue to bone, or more, is taken from one pixel to the next.
_SHARP = 0.11
# Bone does not touch the skin (pixels).
_SKIN_PX = 5
# As shares of the picture and of the limb.
_LEAST_BONE, _LARGEST_HOLE = 0.0003, 0.003
# Notches in a bone up to twice this share of the longer side are marrow that is open to one side.
_NOTCH = 0.012
# Marrow is brighter than soft tissue by this share of the threshold of bone.
_MARROW = 0.3
# Bone is brighter than its soft tissue by this share of that one's brightness; else there is muscle and noise.
_LEAST_CONTRAST = 0.07
# What lies along a blade, this close to it (share of the longer side) by more than half, is its shadow.
_SHADOW = 0.03


def bones_in(
    pixels: np.ndarray, field: np.ndarray, limb: np.ndarray, metal: np.ndarray, sensitivity: float
) -> np.ndarray:
    """Return bone, with the metal in it.

    Parameters
    ----------
    pixels : numpy.ndarray of float32, shape (rows, columns)
        From 0 to 1.
    field, limb, metal : numpy.ndarray of bool
    sensitivity : float
        Above 1 takes fainter structures for bone.
    """
    from skimage.filters import threshold_otsu

    excess = excess_over_soft_tissue(pixels, limb)
    tissue = limb & ~metal
    usual = float(threshold_otsu(excess[tissue])) if tissue.any() and np.ptp(excess[tissue]) > 0 else 0.0
    if usual <= 0:
        return metal.copy()
    bone = local_expectile(excess, np.ones_like(excess), tissue, _HIGH, _AROUND * max(pixels.shape))
    half = np.clip(np.sqrt(np.maximum(0.5 * bone * usual, 0)), 0.6 * usual, 2 * usual) / sensitivity
    smooth = ndimage.gaussian_filter(excess, 1.0)
    hole = _LARGEST_HOLE * np.count_nonzero(limb)
    masks = [filled(limb & ((smooth > factor * half) | metal), hole) for factor in _THRESHOLDS]
    sharpness = _steepness(excess, limb) / np.maximum(bone, usual) - _SHARP / sensitivity
    skin = ~ndimage.binary_erosion(limb, iterations=_SKIN_PX, border_value=1)
    sharpness[skin] = -_SHARP
    counted = ndimage.binary_erosion(field, iterations=2, border_value=1)
    found = sharp_regions(masks, sharpness, counted, _LEAST_BONE * pixels.size)
    found = _at_edges(pixels, limb, found) | metal
    found = _without_notches(ndimage.binary_opening(found), round(_NOTCH * max(pixels.shape))) & limb
    found = _with_marrow(found, smooth / half)
    return _plausible(found, field, excess, pixels - excess, _LEAST_CONTRAST / sensitivity)


def _steepness(excess: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return the step from one pixel to the next, 0 outside the limb."""
    return np.where(limb, ndimage.gaussian_gradient_magnitude(excess, 1.5), 0)


def _at_edges(pixels: np.ndarray, limb: np.ndarray, bone: np.ndarray) -> np.ndarray:
    """Move the border of bone by up to two pixels to the edge: a watershed of the gradient.

    Vincent and Soille 1991, doi:10.1109/34.87344.
    """
    markers = np.zeros(pixels.shape, dtype=np.int16)
    markers[~ndimage.binary_dilation(bone, iterations=2) | ~limb] = 1
    markers[ndimage.binary_erosion(bone, iterations=2, border_value=1)] = 2
    gradient = ndimage.gaussian_gradient_magnitude(pixels, 1.0)
    steps = np.clip(gradient / (np.percentile(gradient[limb], 99.5) + 1e-6), 0, 1)
    return (ndimage.watershed_ift((65535 * steps).astype(np.uint16), markers) == 2) & limb


def _without_notches(bone: np.ndarray, radius: int) -> np.ndarray:
    """Close each bone by a disk, by itself: two bones stay two."""
    parts, _ = ndimage.label(np.pad(bone, radius))
    closed = np.zeros(parts.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        wider = tuple(slice(max(0, part.start - radius), part.stop + radius) for part in box)
        one = parts[wider] == number
        grown = ndimage.distance_transform_edt(~np.pad(one, 1)) <= radius
        closed[wider] |= (ndimage.distance_transform_edt(grown) > radius)[1:-1, 1:-1] | one
    return closed[radius : radius + bone.shape[0], radius : radius + bone.shape[1]]


def _with_marrow(bone: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """Fill holes that are brighter than soft tissue: marrow, not the gap between two bones."""
    holes = holes_in(bone)
    sizes = component_sizes(holes)
    sums = np.bincount(holes.reshape(-1), brightness.reshape(-1))
    return bone | ((sizes > 0) & (sums >= _MARROW * sizes))[holes]


def _plausible(
    bone: np.ndarray, field: np.ndarray, excess: np.ndarray, soft: np.ndarray, contrast: float
) -> np.ndarray:
    """Leave out parts that are small, that lie along the edge of the field, or are hardly brighter than soft tissue.

    Parameters
    ----------
    bone, field : numpy.ndarray of bool
    excess, soft : numpy.ndarray
        How much brighter each pixel is than soft tissue would be, and how bright that would be.
    contrast : float
        Least share of the second that the first has.
    """
    parts = components(bone)
    sizes = component_sizes(parts)
    width = round(_SHADOW * max(field.shape))
    near = field & ~ndimage.binary_erosion(field, iterations=width, border_value=1)
    along = np.bincount(parts[near], minlength=len(sizes))
    brighter, usual = (np.bincount(parts.reshape(-1), part.reshape(-1)) for part in (excess, soft))
    kept = (sizes >= _LEAST_BONE * bone.size) & (along <= sizes / 2) & (brighter >= contrast * usual)
    return (kept & (sizes > 0))[parts]
