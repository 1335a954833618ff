"""Trachea and main bronchi on CT: the longest upright tube of air, grown until it would leak into the lungs."""

from __future__ import annotations

import math

import numpy as np

from ...imaging.masks import bounding_box, components
from ...progress import Progress
from .volume import CoarseVolume

__all__ = ["find_airways"]

# Cross sections of the trachea, from small children to dilated ones (mm2), and its least visible length.
_LEAST_AREA, _MOST_AREA = 40.0, 800.0
_LEAST_LENGTH_MM = 25.0
_TUBE_HU = -800
# It lies before the spine: sideways within this of it, and no further than this in front (mm).
_ASIDE_MM, _BEFORE_MM = 45.0, 130.0
# Limits that are tried one after the other, and the growth from one to the next that means a leak (Mori et al. 2000).
_LIMITS_HU = (-950, -925, -900, -875, -850, -825, -800, -775, -750)
_LEAK_FACTOR, _LEAK_ML = 1.6, 15.0
_MOST_ML = 180.0
# Main bronchi reach this far below the carina and to the side (mm); what lies beyond belongs to the lungs.
_BELOW_MM, _SIDE_MM = 40.0, 55.0


def find_airways(
    volume: CoarseVolume, inside: np.ndarray, spine: tuple[float, float] | None, progress: Progress
) -> np.ndarray:
    """Return trachea and main bronchi (air only) as a coarse mask; empty if none are in the field of view.

    The limit of the region growing rises until the region explodes, which is when it has entered the lungs.

    References
    ----------
    Mori, Hasegawa, Suenaga, Toriwaki 2000, IEEE Trans Med Imaging 19:103, doi:10.1109/42.836370.
    """
    progress.step("Find the airways")
    tube = _tube(volume, inside, spine)
    progress.step(fraction=0.3)
    if tube is None:
        return np.zeros(inside.shape, bool)
    box = _reach(volume, tube)
    seed, air = tube[box], np.where(inside[box], volume.hu[box], 0)
    grown = seed
    for number, limit in enumerate(_LIMITS_HU):
        progress.step(fraction=0.4 + 0.6 * number / len(_LIMITS_HU))
        labels = components((air < limit) | seed)
        touched = np.zeros(int(labels.max()) + 1, bool)
        touched[labels[seed]] = True
        touched[0] = False
        region = touched[labels]
        before, after = grown.sum() * volume.voxel_ml, region.sum() * volume.voxel_ml
        if after > _MOST_ML or after > max(_LEAK_FACTOR * before, before + _LEAK_ML):
            break
        grown = region
    airways = np.zeros(inside.shape, bool)
    airways[box] = grown
    return airways


def _tube(volume: CoarseVolume, inside: np.ndarray, spine: tuple[float, float] | None) -> np.ndarray | None:
    """Return the longest chain of round cross sections of air before the spine, or None."""
    from scipy import ndimage

    air = (volume.hu < _TUBE_HU) & inside
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = True
    labels, count = ndimage.label(air, flat)
    if count == 0:
        return None
    areas = np.bincount(labels.reshape(-1), minlength=count + 1) * volume.spacing[1] * volume.spacing[2]
    round_ = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if _LEAST_AREA <= areas[number] <= _MOST_AREA:
            round_[number] = _is_round(box, areas[number], volume, spine)
    chains = components(round_[labels], diagonal=True)
    lengths = [(box[0].stop - box[0].start) * volume.spacing[0] if box else 0.0 for box in ndimage.find_objects(chains)]
    if not lengths or max(lengths) < _LEAST_LENGTH_MM:
        return None
    return _uppermost(chains, lengths)


def _is_round(box: tuple[slice, ...], area: float, volume: CoarseVolume, spine: tuple[float, float] | None) -> bool:
    deep, wide = ((part.stop - part.start) * length for part, length in zip(box[1:], volume.spacing[1:], strict=True))
    if max(deep, wide) > 2.5 * min(deep, wide) or area < 0.5 * deep * wide:
        return False
    if spine is None:
        return True
    before = (spine[0] - (box[1].start + box[1].stop) / 2) * volume.spacing[1]
    aside = ((box[2].start + box[2].stop) / 2 - spine[1]) * volume.spacing[2]
    return abs(aside) <= _ASIDE_MM and 0 <= before <= _BEFORE_MM


def _uppermost(chains: np.ndarray, lengths: list[float]) -> np.ndarray:
    """Return the chain that reaches highest among those at least half as long as the longest: bowel lies below."""
    from scipy import ndimage

    tops = {
        number: box[0].stop
        for number, (box, length) in enumerate(zip(ndimage.find_objects(chains), lengths, strict=True), start=1)
        if length >= max(_LEAST_LENGTH_MM, max(lengths) / 2)
    }
    return chains == max(tops, key=lambda number: (tops[number], -number))


def _reach(volume: CoarseVolume, tube: np.ndarray) -> tuple[slice, ...]:
    """Return the box in which main bronchi can lie: around the tube, wider to the sides, and below it."""
    box = bounding_box(tube)
    margins = (_BELOW_MM, _SIDE_MM / 2, _SIDE_MM)
    low, side_p, side_l = (math.ceil(margin / length) for margin, length in zip(margins, volume.spacing, strict=True))
    return (
        slice(max(0, box[0].start - low), box[0].stop),
        slice(max(0, box[1].start - side_p), box[1].stop + side_p),
        slice(max(0, box[2].start - side_l), box[2].stop + side_l),
    )
