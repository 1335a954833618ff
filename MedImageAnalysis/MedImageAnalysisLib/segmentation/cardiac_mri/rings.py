"""The wall of the left ventricle as one ring in each slice, traced from a clear slice to both ends of the stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .borders import LEAST_RADIUS_MM, MUSCLE_MM, pool_border, wall_border
from .polar import Rays
from .ventricle import Axis

__all__ = ["Ring", "basal_first", "trace_rings", "ventricular"]

_REACH_MM = 60.0
# The pool narrows toward the apex and hardly widens toward the base.
_GROWTH = 1.15
# A pool smaller than this (mm2) is not outlined; the trace ends there.
_LEAST_POOL_MM2 = 30.0
# From slice to slice blood and muscle change at most by these factors.
_FADING, _BRIGHTENING = 0.6, 1.3
# Within the first circle, muscle may lie among the blood, and blood and fat among the muscle around it.
_BLOOD_QUANTILE, _MUSCLE_QUANTILE = 0.8, 0.3
_POOL_QUANTILE = 0.6
# Above the valves the wall is missing or thin. A slice counts where, over this share of its circumference, tissue that
# is neither blood nor air is at least so thick, relative to the stack's usual wall (and in mm).
_SURROUNDED = 0.6
_THICK_SHARE, _THICK_MM = 0.6, 4.0
_BLOOD_FROM, _AIR_TO = 0.4, 0.45
# At most this share of the slices, at the basal end, is left out for it.
_MOST_BASAL_SHARE = 0.25
_LEAST_SLICES = 4


@dataclass(frozen=True, eq=False)
class Ring:
    """One slice: center (y, x) in pixels, intensities on the rays, borders in mm, and levels of blood and muscle."""

    center: tuple[float, float]
    values: np.ndarray
    pool: np.ndarray
    wall: np.ndarray
    blood: float
    muscle: float


def trace_rings(
    stack: np.ndarray, spacing: tuple[float, float], axis: Axis, stiffness: float, progress: Progress
) -> tuple[Rays, dict[int, Ring]]:
    """Return the rays and the ring of each slice, by its number.

    The first slice is the clearest one of the axis. From there each slice is looked at where its neighbor has blood:
    the middle of the blood within the neighbor's pool is the center, and the neighbor's levels bound its own, so that
    the trace neither slips into muscle nor into fat. It ends where no blood is left.
    """
    rays, rings = Rays(spacing, _REACH_MM), {}
    for done, (number, neighbor) in enumerate(axis.outward):
        progress.step("Outlining the left ventricle", done / len(axis.slices))
        if number == neighbor:
            center, radius = tuple(axis.centers[number]), float(axis.radii[number])
            rings[number] = _first(stack[number], rays, center, radius, stiffness)
        elif neighbor in rings:
            ring = _next(stack[number], rays, rings[neighbor], stiffness)
            if ring is not None:
                rings[number] = ring
    return rays, rings


def _first(plane: np.ndarray, rays: Rays, center: tuple[float, float], radius: float, stiffness: float) -> Ring:
    values, radii = rays.image(plane, center), rays.radii
    blood = float(np.quantile(values[:, radii <= max(radius - MUSCLE_MM, LEAST_RADIUS_MM)], _BLOOD_QUANTILE))
    muscle = _muscle_around(values, radii, radius)
    pool = pool_border(values, radii, radius + MUSCLE_MM + LEAST_RADIUS_MM, blood, muscle, stiffness)
    wall = wall_border(values, radii, pool, stiffness)
    depth = radii[None, :] - pool[:, None]
    within, around = values[depth < -2.0], values[(depth > 1.5) & (depth < MUSCLE_MM)]
    return Ring(center, values, pool, wall, float(np.median(within)), float(np.median(around)))


def _next(plane: np.ndarray, rays: Rays, before: Ring, stiffness: float) -> Ring | None:
    disk = rays.disk(plane.shape, before.center, before.pool)
    bright = disk & (plane > (before.blood + before.muscle) / 2)
    area = np.count_nonzero(bright) * rays.spacing[0] * rays.spacing[1]
    if area < _LEAST_POOL_MM2:
        return None
    center = tuple(np.argwhere(bright).mean(axis=0))
    values, radii = rays.image(plane, center), rays.radii
    blood = _near(float(np.quantile(plane[bright], _POOL_QUANTILE)), before.blood)
    muscle = _near(_muscle_around(values, radii, float(np.sqrt(area / np.pi))), before.muscle)
    most = _GROWTH * float(before.pool.mean()) + LEAST_RADIUS_MM
    pool = pool_border(values, radii, most, blood, muscle, stiffness)
    return Ring(center, values, pool, wall_border(values, radii, pool, stiffness), blood, muscle)


def _muscle_around(values: np.ndarray, radii: np.ndarray, radius: float) -> float:
    beyond = (radii > radius) & (radii <= radius + 2 * MUSCLE_MM)
    return float(np.quantile(values[:, beyond], _MUSCLE_QUANTILE))


def _near(value: float, before: float) -> float:
    low, high = sorted((_FADING * before, _BRIGHTENING * before))
    return float(np.clip(value, low, high))


def ventricular(rings: dict[int, Ring], radii: np.ndarray) -> dict[int, Ring]:
    """Return the rings without those above the valves, where atrium or aorta are seen instead of the ventricle.

    A basal slice belongs to the ventricle where most of the circumference is muscle; the base is the wider end.
    """
    if len(rings) < _LEAST_SLICES:
        return rings
    numbers = basal_first(rings)
    usual = float(np.median([np.median(ring.wall - ring.pool) for ring in rings.values()]))
    dropped = []
    for number in numbers[: max(1, int(_MOST_BASAL_SHARE * len(numbers)))]:
        if _surrounded(rings[number], radii, usual) >= _SURROUNDED:
            break
        dropped.append(number)
    return {number: ring for number, ring in rings.items() if number not in dropped}


def basal_first(rings: dict[int, Ring]) -> list[int]:
    """Return the numbers of the slices from the base, the wider end, to the apex."""
    numbers = sorted(rings)
    third = max(1, len(numbers) // 3)
    ends = [np.mean([rings[number].pool.mean() for number in part]) for part in (numbers[:third], numbers[-third:])]
    return numbers if ends[0] > ends[1] else numbers[::-1]


def _surrounded(ring: Ring, radii: np.ndarray, usual: float) -> float:
    """Return the share of the angles at which tissue that is neither blood nor air is thick enough."""
    depth = radii[None, :] - ring.pool[:, None]
    needed = (depth > 1.5) & (depth < max(_THICK_MM, _THICK_SHARE * usual))
    tissue = ring.values < ring.muscle + _BLOOD_FROM * (ring.blood - ring.muscle)
    tissue &= ring.values > _AIR_TO * ring.muscle
    return float(np.mean((tissue & needed).sum(axis=1) >= 0.8 * needed.sum(axis=1)))
