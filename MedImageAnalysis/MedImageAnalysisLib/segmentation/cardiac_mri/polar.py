"""Rays around a center: sampling, and the closed contour of least cost across them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["RADIUS_STEP_MM", "Rays", "closed_path", "convex", "next_sums", "sample"]

ANGLES = 64
RADIUS_STEP_MM = 0.75


@dataclass(frozen=True)
class Rays:
    """So many rays of `reach` mm in a plane with pixels of the size `spacing` (y, x) in mm."""

    spacing: tuple[float, float]
    reach: float
    count: int = ANGLES

    @property
    def radii(self) -> np.ndarray:
        return np.arange(0, self.reach, RADIUS_STEP_MM)

    @property
    def angles(self) -> np.ndarray:
        return np.arange(self.count) * (2 * np.pi / self.count)

    def image(self, plane: np.ndarray, center: tuple[float, float], start: np.ndarray | float = 0.0) -> np.ndarray:
        """Return the intensities along the rays, shape (angles, radii).

        `center` is (y, x) in pixels; the rays start at the radius `start` (mm), one for all or one for each angle.
        """
        directions = np.stack([np.sin(self.angles), np.cos(self.angles)], axis=-1)
        radii = np.reshape(start, (-1, 1)) + self.radii
        offsets = radii[:, :, None] * directions[:, None] / np.array(self.spacing)
        return sample(plane, np.array(center) + offsets)

    def disk(self, shape: tuple[int, int], center: tuple[float, float], border: np.ndarray) -> np.ndarray:
        """Return the pixels within the border given by one radius (mm) for each angle."""
        rows = (np.arange(shape[0]) - center[0])[:, None] * self.spacing[0]
        columns = (np.arange(shape[1]) - center[1])[None, :] * self.spacing[1]
        angle = np.arctan2(rows, columns) % (2 * np.pi)
        limit = np.interp(angle, np.append(self.angles, 2 * np.pi), np.append(border, border[0]))
        return np.hypot(rows, columns) <= limit


def sample(plane: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the values at points (..., y x) in pixels by linear interpolation; edges continue outside."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(plane, np.moveaxis(points, -1, 0), order=1, mode="nearest", output=np.float32)


def next_sums(sums: np.ndarray, window: int) -> np.ndarray:
    """Return what the next `window` radii add to running sums along rays; at the end, what the last whole window adds.

    Parameters
    ----------
    sums : numpy.ndarray, shape (angles, radii)
    window : int
    """
    added = np.empty_like(sums)
    added[:, :-window] = sums[:, window:] - sums[:, :-window]
    added[:, -window:] = added[:, -window - 1 : -window]
    return added


def closed_path(cost: np.ndarray, stiffness: float, jump: int = 2) -> np.ndarray:
    """Return one index per row such that their costs and `stiffness` times their jumps add up to the least.

    No jump is longer than `jump`.

    Rows are angles: the last is the neighbor of the first. The path goes round three times, and the middle round is
    kept, which closes it but for very unlikely ties (Amini, Weymouth, Jain 1990, doi:10.1109/34.57681).
    """
    rounds = np.concatenate([cost] * 3)
    steps = np.arange(-jump, jump + 1)
    count = cost.shape[1]
    reachable = np.arange(count)[:, None] + steps
    valid = (reachable >= 0) & (reachable < count)
    reachable = np.clip(reachable, 0, count - 1)
    price = np.where(valid, stiffness * np.abs(steps), np.inf)
    total = rounds[0]
    came_from = np.empty(rounds.shape, np.intp)
    for row in range(1, len(rounds)):
        candidates = total[reachable] + price
        best = candidates.argmin(axis=1)
        came_from[row] = reachable[np.arange(count), best]
        total = candidates[np.arange(count), best] + rounds[row]
    index = int(total.argmin())
    path = np.empty(len(rounds), np.intp)
    for row in range(len(rounds) - 1, -1, -1):
        path[row] = index
        if row:
            index = came_from[row][index]
    return path[len(cost) : 2 * len(cost)]


def convex(border: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the convex hull of a closed border, both as one radius for each angle."""
    # A point lies within the hull if no chord between two others passes outside of it: the chord from angle i to
    # angle j crosses the ray at k, between them and less than half a turn apart, at this radius.
    i, j = border[:, None], border[None, :]
    turn = (angles[None, :] - angles[:, None]) % (2 * np.pi)
    hull = border.copy()
    for number, angle in enumerate(angles):
        ahead = (angle - angles[:, None]) % (2 * np.pi)
        rest = turn - ahead
        between = (ahead > 0) & (rest > 0) & (turn < np.pi - 1e-9)
        area = i * np.sin(ahead) + j * np.sin(rest)
        chord = i * j * np.sin(turn) / np.where(between, area, 1)
        hull[number] = max(border[number], float(np.max(chord, where=between, initial=0.0)))
    return hull
