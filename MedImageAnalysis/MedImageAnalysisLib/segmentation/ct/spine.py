"""Vertebrae on CT: bodies told apart along the spine, and the first lumbar one found by the lowest ribs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .volume import CoarseVolume, bounding_box, components

__all__ = ["Vertebra", "find_vertebrae", "first_lumbar"]

# The vertebral body is the thickest bone in a column around the spine (mm).
_COLUMN_BEFORE_MM, _COLUMN_BEHIND_MM, _COLUMN_ASIDE_MM = 50.0, 30.0, 32.0
_LEAST_RADIUS_MM = 8.0
_TRACK_WINDOW_MM = 45.0
# Endplates are the densest part of the middle of the column; their profile is smoothed over about a disc.
_PROFILE_RADIUS_MM, _PROFILE_SIGMA_MM = 9.0, 4.5
_LEAST_PROMINENCE_HU = 12.0
_HEIGHTS_MM = (20.0, 46.0)
# A rib starts within the first distance of the middle of the spine and reaches beyond the second one.
_HEAD_MM, _RIB_REACH_MM = 38.0, 70.0
_SPINE_HALF_MM = 30.0
_MOST_RIB_ML = 60.0
# Both lowest ribs start at one level, and not farther than this above the disc below their vertebra (mm).
_LEVEL_MM, _HEAD_ABOVE_DISC_MM = 15.0, 28.0


@dataclass(frozen=True)
class Vertebra:
    """A vertebra between two discs: first and last slice, and the middle of its body in coarse indices."""

    start: int
    stop: int
    center: tuple[float, float]


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
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    track = _track(volume, bone, spine, progress)
    if track is None:
        return ()
    profile = gaussian_filter1d(_profile(volume, track), _PROFILE_SIGMA_MM / volume.spacing[0])
    apart = max(1, round(_HEIGHTS_MM[0] / volume.spacing[0]))
    discs, _ = find_peaks(profile, distance=apart, prominence=_LEAST_PROMINENCE_HU)
    found = []
    for start, stop in itertools.pairwise(discs):
        if _HEIGHTS_MM[0] <= (stop - start) * volume.spacing[0] <= _HEIGHTS_MM[1]:
            middle = track[(start + stop) // 2]
            found.append(Vertebra(int(start), int(stop), (float(middle[0]), float(middle[1]))))
    return tuple(found)


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
    """Return the mean intensity in a disk around the track, slice by slice."""
    rows, columns = np.ogrid[: volume.hu.shape[1], : volume.hu.shape[2]]
    profile = np.empty(len(track))
    for level, (row, column) in enumerate(track):
        distance = ((rows - row) * volume.spacing[1]) ** 2 + ((columns - column) * volume.spacing[2]) ** 2
        profile[level] = volume.hu[level][distance <= _PROFILE_RADIUS_MM**2].mean()
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
