"""The blood of the right ventricle: what lies bright against the left one's wall, traced from slice to slice.

Seen from the middle of the left ventricle, the right one is what a ray meets behind the septum, up to its own free
wall. So its border is one depth behind the left wall for each angle, zero where there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .polar import RADIUS_STEP_MM, Rays, closed_path, next_sums
from .rings import Ring, basal_first

__all__ = ["trace_right_ventricle"]

# The border runs along some rays: angles are finer than for the left ventricle, and the depth may change by as much as
# so many steps from one to the next.
_ANGLES, _REACH_MM, _JUMP, _STIFFNESS = 128, 60.0, 8, 0.15
# It lies where there is most blood behind the wall, over so many degrees, and to the patient's right.
_BEHIND_MM, _SMOOTH_DEGREES, _HALF_SECTOR_DEGREES = 25.0, 50.0, 100.0
# Blood in the right ventricle is so bright, relative to that in the left: coils are nearer to one of them.
_LEAST_LEVEL, _MOST_LEVEL, _LEVEL_CHANGE, _LEVEL_QUANTILE = 0.45, 1.15, 0.25, 0.75
_LEVEL_DEPTH_MM, _LEVEL_DEGREES = (2.0, 15.0), 40.0
# Above this share of the blood's brightness a pixel speaks for blood; it speaks fully at so much more.
_BLOOD_SHARE, _RAMP = 0.45, 0.5
# Beyond the border, this much must not be bright; fat may follow soon.
_BEYOND_MM = 2.25
# The free wall is thin, and fat behind it as bright as blood: a dark line between two bright sides, so far from each.
_VALLEY_ARM_MM, _CROSSING, _ALONG = 3.0, 6.0, 4.0
# Before the border is drawn, the blood is told from fat as one region without dark lines.
_LINE_MM, _LINE_DEPTH, _OPEN_MM, _TRABECULAE_MM, _TOUCH_MM, _SAME_SHARE = 5.0, 0.15, 2.0, 3.0, 8.0, 0.5
# From slice to slice it moves at most by so much toward the base, and toward the apex, where it narrows.
_BASAL_SHIFT_MM, _APICAL_SHIFT_MM = 6.0, 3.0
# A slice toward the base which covers less than this of the one before it shows the atrium and the great vessels.
_COVERED = 0.78
_THIN_MM, _LEAST_MM2 = 3.0, 60.0
# The trace starts between these shares of the slices, counted from the base.
_START = (0.15, 0.6)
_MUSCLE_QUANTILE, _MIXED_MM = 0.35, 1.5
_NEVER = 1e6


def trace_right_ventricle(
    stack: np.ndarray,
    rays: Rays,
    rings: dict[int, Ring],
    right: tuple[float, float],
    progress: Progress,
) -> np.ndarray:
    """Outline the right ventricle's blood in the slices that show the left ventricle.

    It is looked for on the side where most blood lies behind the wall; the patient's right counts more. From the
    clearest slice, dynamic programming finds in each slice the depth behind the left wall at each angle up to which it
    is bright as blood; what was found in the slice before bounds it. Dark lines, which free wall and fat draw, are not
    crossed. The trace ends at the base where a slice no longer covers the one before it.

    Parameters
    ----------
    stack : numpy.ndarray, shape (slices, rows, columns)
        Smoothed.
    rays : Rays
        Those of the rings.
    rings : dict of Ring
        Of the left ventricle, by slice.
    right : tuple of float
        The patient's right along rows and columns (y, x); its length says how much of it lies in the slices.
    progress : Progress

    Returns
    -------
    numpy.ndarray of bool, shape of the stack
        All False if there is no such blood.
    """
    found = np.zeros(stack.shape, bool)
    slices = basal_first(rings)
    if not slices:
        return found
    tracer = _Tracer(stack, rays, rings, _side(rays, rings, right))
    first, last = (round(share * len(slices)) for share in _START)
    starts = {number: tracer.start(number) for number in slices[first : max(last, first + 1)]}
    start = max(starts, key=lambda number: (starts[number].mask.any(), starts[number].evidence))
    if not starts[start].mask.any():
        return found
    found[start] = starts[start].mask
    place = slices.index(start)
    ways = ((slices[place + 1 :], _APICAL_SHIFT_MM, 0.0), (slices[:place][::-1], _BASAL_SHIFT_MM, _COVERED))
    done = 0
    for numbers, shift, covered in ways:
        before = starts[start]
        for number in numbers:
            progress.step("Outlining the right ventricle", done / len(slices))
            done += 1
            now = tracer.next(number, before, shift)
            if not now.mask.any() or np.count_nonzero(now.mask & before.mask) < covered * np.count_nonzero(before.mask):
                break
            found[number], before = now.mask, now
    return found


@dataclass(frozen=True, eq=False)
class _Outline:
    """The blood in one slice, how bright it is relative to the left ventricle's, and how much speaks for its border."""

    mask: np.ndarray
    level: float
    evidence: float


def _side(rays: Rays, rings: dict[int, Ring], right: tuple[float, float]) -> float:
    """Return the angle (radians) at which most blood lies behind the wall, the patient's right before other sides."""
    blood = np.zeros(len(rays.angles))
    for ring in rings.values():
        depth = rays.radii[None, :] - ring.wall[:, None]
        behind = (depth > 0) & (depth < _BEHIND_MM)
        brightness = np.clip((ring.values - ring.muscle) / max(ring.blood - ring.muscle, 1e-6), 0, 1)
        blood += (brightness * behind).sum(axis=1) / np.maximum(behind.sum(axis=1), 1)
    apart = (rays.angles[:, None] - rays.angles + np.pi) % (2 * np.pi) - np.pi
    weights = np.exp(-0.5 * (apart / math.radians(_SMOOTH_DEGREES)) ** 2)
    toward = right[0] * np.sin(rays.angles) + right[1] * np.cos(rays.angles)
    return float(rays.angles[((weights @ blood) * (1 + toward)).argmax()])


class _Tracer:
    """Outlines one slice after the other."""

    def __init__(self, stack: np.ndarray, rays: Rays, rings: dict[int, Ring], side: float) -> None:
        self.stack, self.rings = stack, rings
        self.rays = Rays(rays.spacing, _REACH_MM, _ANGLES)
        self.walls = {
            number: np.interp(self.rays.angles, rays.angles, ring.wall, period=2 * np.pi)
            for number, ring in rings.items()
        }
        self.values = {
            number: self.rays.image(stack[number], ring.center, self.walls[number]) for number, ring in rings.items()
        }
        self.off = np.abs((self.rays.angles - side + np.pi) % (2 * np.pi) - np.pi)
        self.side = side
        muscles = {number: _muscle(ring, rays.radii) for number, ring in rings.items()}
        usual = float(np.median(list(muscles.values())))
        self.muscles = {number: min(muscle, usual) for number, muscle in muscles.items()}

    def start(self, number: int) -> _Outline:
        """Outline a slice of which nothing is known but the side."""
        depth = self.rays.radii
        low, high = _LEVEL_DEPTH_MM
        near = self.values[number][self.off < math.radians(_LEVEL_DEGREES)][:, (depth > low) & (depth < high)]
        level = float(np.clip(np.quantile(self._relative(number, near), _LEVEL_QUANTILE), _LEAST_LEVEL, _MOST_LEVEL))
        return self._outlined(number, level, self._blood_behind_septum(number, level), None)

    def next(self, number: int, before: _Outline, shift_mm: float) -> _Outline:
        """Outline the neighbor of a slice; what was found there is not left by more than `shift_mm`."""
        from scipy import ndimage

        level = float(np.quantile(self._relative(number, self.stack[number][before.mask]), _LEVEL_QUANTILE))
        level = float(np.clip(level, before.level * (1 - _LEVEL_CHANGE), before.level * (1 + _LEVEL_CHANGE)))
        level = float(np.clip(level, _LEAST_LEVEL, _MOST_LEVEL))
        allowed = ndimage.binary_dilation(before.mask, self._disk(shift_mm))
        regions, count = self._regions(number, level)
        inside = np.bincount(regions[allowed], minlength=count + 1)
        kept = inside >= _SAME_SHARE * np.bincount(regions.ravel(), minlength=count + 1)
        kept[0] = False
        return self._outlined(number, level, kept[regions], before.mask, allowed)

    def _relative(self, number: int, values: np.ndarray) -> np.ndarray:
        """Return 0 for muscle and 1 for the blood of the left ventricle."""
        muscle = self.muscles[number]
        return (values - muscle) / max(self.rings[number].blood - muscle, 1e-6)

    def _regions(self, number: int, level: float) -> tuple[np.ndarray, int]:
        """Return labels of the bright regions of a slice that neither wall nor dark lines divide, and their number."""
        from scipy import ndimage

        brightness = np.clip(self._relative(number, self.stack[number]) / level, -0.5, 1.2)
        lines = ndimage.grey_closing(brightness, footprint=self._disk(_LINE_MM)) - brightness
        bright = (brightness > _BLOOD_SHARE) & (lines < _LINE_DEPTH) & ~self._wall(number)
        return ndimage.label(ndimage.binary_opening(bright, self._disk(_OPEN_MM)))

    def _blood_behind_septum(self, number: int, level: float) -> np.ndarray:
        """Return the bright region that lies along most of the wall on the side."""
        from scipy import ndimage

        regions, count = self._regions(number, level)
        near = ndimage.binary_dilation(self._wall(number), self._disk(_TOUCH_MM))
        rows, columns = np.indices(near.shape, sparse=True)
        center, (row_mm, column_mm) = self.rings[number].center, self.rays.spacing
        angle = np.arctan2((rows - center[0]) * row_mm, (columns - center[1]) * column_mm)
        touching = np.where(near, np.maximum(np.cos(angle - self.side), 0), 0)
        length = np.bincount(regions.ravel(), weights=touching.ravel(), minlength=count + 1)
        length[0] = 0
        return regions == length.argmax() if length.max() > 0 else np.zeros_like(near)

    def _outlined(
        self,
        number: int,
        level: float,
        region: np.ndarray,
        before: np.ndarray | None,
        allowed: np.ndarray | None = None,
    ) -> _Outline:
        """Draw the border around a region, trabeculae next to it included."""
        from scipy import ndimage

        within = ndimage.binary_dilation(region, self._disk(_TRABECULAE_MM))
        if allowed is not None:
            within &= allowed
        center, wall = self.rings[number].center, self.walls[number]
        inside = self.rays.image(within.astype(np.float32), center, wall) > 0.5
        cost = _cost(self._relative(number, self.values[number]) / level, inside)
        cost[self.off > math.radians(_HALF_SECTOR_DEGREES), 1:] = _NEVER
        path = closed_path(cost, _STIFFNESS, _JUMP)
        mask = self.rays.disk(region.shape, center, wall + self.rays.radii[path]) & ~self._wall(number)
        mask = self._largest(ndimage.binary_opening(mask, self._disk(_THIN_MM)), before)
        return _Outline(mask, level, -float(cost[np.arange(len(path)), path].sum()))

    def _largest(self, mask: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        """Return the largest part, or the one with most of what was found before; nothing if it is tiny."""
        from scipy import ndimage

        parts, count = ndimage.label(mask)
        sizes = np.bincount(parts.ravel() if before is None else parts[before], minlength=count + 1)
        sizes[0] = 0
        part = parts == sizes.argmax()
        large = np.count_nonzero(part) * math.prod(self.rays.spacing) >= _LEAST_MM2
        return part if sizes.any() and large else np.zeros_like(mask)

    def _wall(self, number: int) -> np.ndarray:
        return self.rays.disk(self.stack.shape[1:], self.rings[number].center, self.walls[number])

    def _disk(self, radius_mm: float) -> np.ndarray:
        """Return a round neighborhood."""
        reach = [math.ceil(radius_mm / size) for size in self.rays.spacing]
        rows, columns = (np.arange(-n, n + 1) * size for n, size in zip(reach, self.rays.spacing, strict=True))
        return np.hypot(rows[:, None], columns) <= radius_mm + 1e-6


def _muscle(ring: Ring, radii: np.ndarray) -> float:
    """Return the intensity of the left wall's middle; pixels next to blood are brighter."""
    depth, thickness = radii[None, :] - ring.pool[:, None], (ring.wall - ring.pool)[:, None]
    middle = ring.values[(depth > _MIXED_MM) & (depth < np.maximum(thickness - _MIXED_MM, 2 * _MIXED_MM))]
    return min(float(np.quantile(middle, _MUSCLE_QUANTILE)), ring.muscle)


def _cost(brightness: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the cost of each depth behind the wall, shape (angles, depths), from brightness relative to the blood.

    Bright within and dark right behind is cheap; dark lines are dear to cross, and cheap to follow.
    """
    arm = round(_VALLEY_ARM_MM / RADIUS_STEP_MM)
    padded = np.pad(brightness, ((0, 0), (arm, arm)), mode="edge")
    sides = np.minimum(padded[:, : -2 * arm], padded[:, 2 * arm :])
    line = np.clip(sides - brightness, 0, 1) * (sides > _BLOOD_SHARE)
    blood = np.where(inside, np.clip((brightness - _BLOOD_SHARE) / _RAMP, -1, 1), -1) - _CROSSING * line
    within = np.zeros_like(blood)
    within[:, 1:] = np.cumsum(-blood, axis=1)[:, :-1]
    cost = within - next_sums(within, round(_BEYOND_MM / RADIUS_STEP_MM))
    cost[:, :-1] -= _ALONG * line[:, 1:]
    cost[:, 0] = 0
    return cost
