"""Vertebrae on CT: bodies told apart along the spine, and the first lumbar one found by the lowest ribs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ...imaging.masks import bounding_box, components
from ...progress import Progress
from .volume import CoarseVolume

__all__ = ["Vertebra", "find_vertebrae", "first_lumbar", "vertebra_names", "vertebra_region"]

# The vertebral body is the thickest bone in a column around the spine (mm).
_COLUMN_BEFORE_MM, _COLUMN_BEHIND_MM, _COLUMN_ASIDE_MM = 50.0, 30.0, 32.0
_LEAST_RADIUS_MM = 8.0
_TRACK_WINDOW_MM = 45.0
# A disc is darker than the endplates on both sides of it, which lie within these distances of its middle.
_PROFILE_RADIUS_MM, _PROFILE_SIGMA_MM = 12.0, 1.5
_ENDPLATES_MM = (3.0, 4.5, 6.0, 7.5, 9.0)
_LEAST_PROMINENCE_HU = 20.0
_HEIGHTS_MM = (20.0, 46.0)
# A rib starts within the first distance of the middle of the spine and reaches beyond the second one.
_HEAD_MM, _RIB_REACH_MM = 38.0, 70.0
_SPINE_HALF_MM = 30.0
_MOST_RIB_ML = 60.0
# A vertebra reaches this far before, behind and beside the middle of its body (mm).
_REACH_BEFORE_MM, _REACH_BEHIND_MM, _REACH_ASIDE_MM = 32.0, 75.0, 45.0
# The discs are square to the spine, whose direction is taken over this height. Behind the body, the arch and its
# processes hang down: the border falls from the first distance behind the middle on, to a share of the vertebra's
# height at the second one (mm).
_TILT_WINDOW_MM = 60.0
_ARCH_FROM_MM, _ARCH_TO_MM, _ARCH_SHARE = 26.0, 46.0, 0.5
# Both lowest ribs start at one level, and not farther than this above the disc below their vertebra (mm).
_LEVEL_MM, _HEAD_ABOVE_DISC_MM = 15.0, 28.0


@dataclass(frozen=True)
class Vertebra:
    """A vertebra between two discs.

    Parameters
    ----------
    start, stop : int
        Coarse slices of the discs below and above, in the middle of the spine.
    center : tuple of float
        Middle of the body in coarse indices along posterior and left.
    tilt : float
        How far the spine moves backward for each millimeter upward.
    """

    start: int
    stop: int
    center: tuple[float, float]
    tilt: float = 0.0


def find_vertebrae(
    volume: CoarseVolume, bone: np.ndarray, spine: tuple[float, float], progress: Progress
) -> tuple[Vertebra, ...]:
    """Return the whole vertebrae in the field of view, from below; those at its ends are left out.

    Parameters
    ----------
    volume : CoarseVolume
    bone : numpy.ndarray of bool
        Coarse mask, marrow included.
    spine : tuple of float
        Where the spine runs, see :func:`spine_position`.
    progress : Progress
    """
    from scipy.signal import find_peaks

    track = _track(volume, bone, spine, progress)
    if track is None:
        return ()
    apart = max(1, round(_HEIGHTS_MM[0] / volume.spacing[0]))
    discs, _ = find_peaks(_disc_likeness(volume, track), distance=apart, prominence=_LEAST_PROMINENCE_HU)
    found = []
    for start, stop in itertools.pairwise(discs):
        if _HEIGHTS_MM[0] <= (stop - start) * volume.spacing[0] <= _HEIGHTS_MM[1]:
            middle = track[(start + stop) // 2]
            tilt = _tilt(track[:, 0], (start + stop) // 2, volume)
            found.append(Vertebra(int(start), int(stop), (float(middle[0]), float(middle[1])), tilt))
    return tuple(found)


def _disc_likeness(volume: CoarseVolume, track: np.ndarray) -> np.ndarray:
    """Return for each slice how much darker it is than what lies above and below at the distance of endplates."""
    from scipy.ndimage import gaussian_filter1d

    profile = gaussian_filter1d(_profile(volume, track), _PROFILE_SIGMA_MM / volume.spacing[0])
    levels = np.arange(len(profile))
    likeness = np.full(len(profile), -np.inf)
    for distance in _ENDPLATES_MM:
        step = distance / volume.spacing[0]
        sides = (np.interp(levels + sign * step, levels, profile) for sign in (-1, 1))
        likeness = np.maximum(likeness, np.minimum(*sides) - profile)
    return likeness


def _tilt(posterior: np.ndarray, level: int, volume: CoarseVolume) -> float:
    """Return the slope of the middle of the spine around a slice: mm backward per mm upward."""
    half = max(2, round(_TILT_WINDOW_MM / 2 / volume.spacing[0]))
    first, last = max(0, level - half), min(len(posterior) - 1, level + half)
    slope = np.polyfit(np.arange(first, last + 1), posterior[first : last + 1], 1)[0]
    return float(slope * volume.spacing[1] / volume.spacing[0])


def vertebra_region(volume: CoarseVolume, vertebra: Vertebra) -> np.ndarray:
    """Return the coarse voxels that belong to a vertebra if they are bone: between its discs, the arch hanging down."""
    levels, rows, columns = (
        np.arange(size) * length for size, length in zip(volume.hu.shape, volume.spacing, strict=True)
    )
    behind = rows - vertebra.center[0] * volume.spacing[1]
    aside = columns - vertebra.center[1] * volume.spacing[2]
    height = (vertebra.stop - vertebra.start) * volume.spacing[0]
    hanging = np.clip((behind - _ARCH_FROM_MM) / (_ARCH_TO_MM - _ARCH_FROM_MM), 0, 1) * _ARCH_SHARE * height
    shift = -vertebra.tilt * behind - hanging
    above = levels[:, None] > vertebra.start * volume.spacing[0] + shift
    below = levels[:, None] <= vertebra.stop * volume.spacing[0] + shift
    near = (behind > -_REACH_BEFORE_MM) & (behind < _REACH_BEHIND_MM)
    return (above & below & near)[:, :, None] & (np.abs(aside) < _REACH_ASIDE_MM)


def vertebra_names(vertebrae: tuple[Vertebra, ...], first_lumbar: Vertebra | None) -> tuple[str, ...]:
    """Return L1, T12, ... if the first lumbar one is known, else numbers from below; "" below the fifth lumbar one.

    Numbers are kept too where a gap between vertebrae makes counting unsafe.
    """
    gaps = any(lower.stop != upper.start for lower, upper in itertools.pairwise(vertebrae))
    if first_lumbar is None or gaps:
        return tuple(f"Vertebra {number}" for number in range(1, len(vertebrae) + 1))
    names = []
    for number in range(len(vertebrae)):
        below = vertebrae.index(first_lumbar) - number
        level = f"L{1 + below}" if below >= 0 else f"T{13 + below}"
        names.append(f"{level} vertebra" if -12 <= below <= 4 else "")
    return tuple(names)


def first_lumbar(
    volume: CoarseVolume, bone: np.ndarray, vertebrae: tuple[Vertebra, ...]
) -> tuple[Vertebra | None, str]:
    """Return the first lumbar vertebra, the one below the lowest rib, or None and why it cannot be told."""
    if not vertebrae:
        return None, "No whole vertebra is in the field of view."
    heads = [_rib_heads(volume, bone, vertebrae, side) for side in (-1, 1)]
    lowest = [min(levels) for levels in heads if levels]
    if not lowest:
        return None, "The lowest ribs are not in the field of view, so that the first lumbar vertebra cannot be told."
    if len(lowest) == 1 and max(len(levels) for levels in heads) < 2:
        return None, "Only one rib is in the field of view: it may not be the lowest."
    if len(lowest) == 2 and abs(lowest[0] - lowest[1]) * volume.spacing[0] > _LEVEL_MM:
        return None, "The lowest ribs of both sides start at different levels."
    level = float(np.mean(lowest))
    below = [vertebra for vertebra in vertebrae if vertebra.stop <= level + 1]
    if not below or (level - below[-1].stop) * volume.spacing[0] > _HEAD_ABOVE_DISC_MM:
        return None, "The vertebra below the lowest ribs is not whole in the field of view."
    return below[-1], ""


def _track(volume: CoarseVolume, bone: np.ndarray, spine: tuple[float, float], progress: Progress) -> np.ndarray | None:
    """Return the middle of the vertebral body in each slice (coarse indices along posterior and left), or None."""
    from scipy.ndimage import distance_transform_edt

    deep, wide = volume.spacing[1:]
    first_p, first_l = max(0, int(spine[0] - _COLUMN_BEFORE_MM / deep)), max(0, int(spine[1] - _COLUMN_ASIDE_MM / wide))
    column = bone[
        :,
        first_p : int(spine[0] + _COLUMN_BEHIND_MM / deep) + 1,
        first_l : int(spine[1] + _COLUMN_ASIDE_MM / wide) + 1,
    ]
    levels, centers = [], []
    for level, plane in enumerate(column):
        progress.step(fraction=level / len(column))
        distance = distance_transform_edt(np.pad(plane, 1), sampling=(deep, wide))[1:-1, 1:-1]
        # The middle of all that is about as deep inside as the deepest voxel.
        deepest = distance.max()
        if deepest >= _LEAST_RADIUS_MM:
            levels.append(level)
            centers.append(np.argwhere(distance >= 0.9 * deepest).mean(axis=0) + np.array([first_p, first_l]))
    if len(levels) < 3:
        return None
    everywhere = np.arange(len(column))
    track = np.stack([np.interp(everywhere, levels, [center[axis] for center in centers]) for axis in (0, 1)], axis=1)
    half = max(1, round(_TRACK_WINDOW_MM / 2 / volume.spacing[0]))
    return np.stack([np.median(track[max(0, k - half) : k + half + 1], axis=0) for k in everywhere])


def _profile(volume: CoarseVolume, track: np.ndarray) -> np.ndarray:
    """Return the median intensity in a disk around the track and square to it, slice by slice.

    The median keeps single dense spots, such as islands of compact bone, from passing for endplates.
    """
    levels, rows, columns = volume.hu.shape
    reach = [math.ceil(_PROFILE_RADIUS_MM / length) for length in volume.spacing[1:]]
    behind, aside = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disk = np.hypot(behind * volume.spacing[1], aside * volume.spacing[2]) <= _PROFILE_RADIUS_MM
    behind, aside = behind[disk], aside[disk]
    profile = np.empty(len(track))
    for level, (row, column) in enumerate(track):
        tilt = _tilt(track[:, 0], level, volume)
        plane = level - tilt * behind * volume.spacing[1] / volume.spacing[0]
        places = (np.rint(plane), np.rint(row + behind), np.rint(column + aside))
        index = [
            np.clip(place, 0, size - 1).astype(int) for place, size in zip(places, (levels, rows, columns), strict=True)
        ]
        profile[level] = np.median(volume.hu[tuple(index)])
    return profile


def _rib_heads(volume: CoarseVolume, bone: np.ndarray, vertebrae: tuple[Vertebra, ...], side: int) -> list[float]:
    """Return the levels (slices) at which the ribs of one side (-1 right, 1 left) start at the spine."""
    from scipy.ndimage import find_objects

    middle = float(np.median([vertebra.center[1] for vertebra in vertebrae]))
    aside = (np.arange(bone.shape[2]) - middle) * volume.spacing[2] * side
    outside = bone & (aside > _SPINE_HALF_MM)
    labels = components(outside, diagonal=True)
    levels = []
    for number, box in enumerate(find_objects(labels), start=1):
        reach = aside[box[2]]
        if reach.min() > _HEAD_MM or reach.max() < _RIB_REACH_MM:
            continue
        rib = labels[box] == number
        if rib.sum() * volume.voxel_ml <= _MOST_RIB_ML:
            head = bounding_box(rib & (reach <= _HEAD_MM))
            levels.append(box[0].start + (head[0].start + head[0].stop - 1) / 2)
    return levels
