"""The ventricles of the brain on CT, told from the cisterns, which are as dark and as deep under the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .volume import CoarseVolume, drop_small, regions_in_slices

__all__ = ["find_ventricles"]

_LEAST_ML = 0.3
# The frontal horns lie on both sides of the midline, before the middle of the brain; at least this area (mm2) each.
_HORN_BEFORE_MM, _HORN_ASIDE_MM, _HORN_MM2 = 18.0, (3.0, 30.0), 40.0
# Below the horns, the third ventricle is a slit on the midline, so far down.
_SLIT_ASIDE_MM, _SLIT_BELOW_MM = 8.0, 16.0
# There, the fourth ventricle lies on the midline behind the middle of the brain, the temporal horns to the sides.
_FOURTH_ASIDE_MM, _FOURTH_BEHIND_MM = 10.0, 5.0
_TEMPORAL_ASIDE_MM = 20.0
_LEAST_MM2 = 15.0
# From the horns up to here, the fluid behind the third ventricle is in the cisterns around the midbrain.
_BEHIND_ASIDE_MM, _BEHIND_MM, _CISTERNS_ABOVE_MM = 15.0, 8.0, 12.0


@dataclass(frozen=True, eq=False)
class _Place:
    """Where each voxel lies in the brain of its level, in mm: behind its middle, and aside of its midline (signed)."""

    behind: np.ndarray
    aside: np.ndarray


def find_ventricles(volume: CoarseVolume, cavity: np.ndarray, deep_fluid: np.ndarray) -> np.ndarray:
    """Return which fluid deep in the brain is in the ventricles; the rest is in the cisterns and sulci.

    The lowest level of the frontal horns is the landmark. From there on upward the deep fluid is in the lateral and
    the third ventricle, but for the cisterns behind the midbrain. Below, only a slit on the midline close to it (third
    ventricle), a region on the midline in the back (fourth ventricle) and regions far to the side (temporal horns)
    are. Without frontal horns in the field of view all deep fluid is returned.

    Parameters
    ----------
    volume : CoarseVolume
    cavity, deep_fluid : numpy.ndarray of bool
        Coarse: what the skull encloses, and the fluid deep in it.
    """
    place = _place(volume, cavity)
    level = _level_of_horns(volume, deep_fluid, place)
    least = _LEAST_ML / volume.voxel_ml
    if level is None:
        return drop_small(deep_fluid, least)
    height = (np.arange(len(cavity)) - level)[:, None, None] * volume.spacing[0]
    aside = np.abs(place.aside)
    cisterns = (place.behind > _BEHIND_MM) & (aside < _BEHIND_ASIDE_MM) & (height <= _CISTERNS_ABOVE_MM)
    above = deep_fluid & (height >= 0) & ~cisterns
    below = deep_fluid & (height < 0)
    return drop_small(above, least) | _below_the_horns(volume, below, place, height)


def _place(volume: CoarseVolume, cavity: np.ndarray) -> _Place:
    """Return the place of each voxel: the middle and the direction of the midline are those of the cavity's outline."""
    _, posterior, left = volume.spacing
    p, sideways = np.meshgrid(*(np.arange(n) for n in cavity.shape[1:]), indexing="ij")
    behind, aside = (np.zeros(cavity.shape, np.float32) for _ in range(2))
    for level, mask in enumerate(cavity):
        if not mask.any():
            continue
        x, y = p * posterior - p[mask].mean() * posterior, sideways * left - sideways[mask].mean() * left
        # The longer axis of the outline is the midline; a head is turned by less than half a right angle.
        spread = np.cov(np.stack([x[mask], y[mask]]))
        angle = float(np.clip(0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]), -np.pi / 4, np.pi / 4))
        behind[level] = x * np.cos(angle) + y * np.sin(angle)
        aside[level] = y * np.cos(angle) - x * np.sin(angle)
    return _Place(behind, aside)


def _level_of_horns(volume: CoarseVolume, fluid: np.ndarray, place: _Place) -> int | None:
    """Return the lowest of the successive levels in which both frontal horns are seen, None if there is none."""
    near, far = _HORN_ASIDE_MM
    zone = fluid & (place.behind < -_HORN_BEFORE_MM)
    area = volume.spacing[1] * volume.spacing[2]
    sides = [
        (zone & (sign * place.aside > near) & (sign * place.aside < far)).sum(axis=(1, 2)) * area for sign in (-1, 1)
    ]
    seen = np.minimum(*sides) >= _HORN_MM2
    if not seen.any():
        return None
    # Fluid between the frontal lobes far below is no horn: the run of levels with the most fluid counts.
    starts = np.flatnonzero(seen & ~np.concatenate([[False], seen[:-1]]))
    ends = np.flatnonzero(seen & ~np.concatenate([seen[1:], [False]])) + 1
    amounts = [np.minimum(*sides)[start:end].sum() for start, end in zip(starts, ends, strict=True)]
    return int(starts[int(np.argmax(amounts))])


def _below_the_horns(volume: CoarseVolume, fluid: np.ndarray, place: _Place, height: np.ndarray) -> np.ndarray:
    """Return the regions of each slice that have the shape and place of the third or fourth ventricle or of a horn."""
    from scipy import ndimage

    regions, _ = regions_in_slices(fluid, 0)
    numbers = np.arange(1, int(regions.max(initial=0)) + 1)
    if not numbers.size:
        return np.zeros_like(fluid)
    area = np.bincount(regions.reshape(-1), minlength=numbers.size + 1)[1:] * volume.spacing[1] * volume.spacing[2]
    aside, behind = (ndimage.mean(values, regions, numbers) for values in (place.aside, place.behind))
    wide, long = (ndimage.standard_deviation(values, regions, numbers) for values in (place.aside, place.behind))
    below = ndimage.mean(np.broadcast_to(height, fluid.shape), regions, numbers)
    slit = (np.abs(aside) < _SLIT_ASIDE_MM) & (wide < long) & (below >= -_SLIT_BELOW_MM)
    fourth = (np.abs(aside) < _FOURTH_ASIDE_MM) & (behind > _FOURTH_BEHIND_MM)
    chosen = np.concatenate([[False], (slit | fourth | (np.abs(aside) > _TEMPORAL_ASIDE_MM)) & (area >= _LEAST_MM2)])
    return chosen[regions]
