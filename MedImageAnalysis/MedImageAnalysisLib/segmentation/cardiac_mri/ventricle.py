"""Where the left ventricle is in a short-axis stack: a round bright pool in a dark ring, traced through the slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .polar import sample

__all__ = ["Axis", "trace_axis"]

# The heart is near the middle of a cardiac stack.
_SEARCH_MM = 64.0
_GRID_MM = 4.0
_RADII_MM = np.arange(8.0, 42.0, 3.0)
_ANGLES = 24
_HALF_WALL_MM = 3.5
# In a weak direction (papillary muscle, fat) the ring may be missing: this quantile of the directions counts.
_QUANTILE = 0.25
# More contrast than this does not count: vessels beside lung have more than the ventricle.
_MOST_CONTRAST = 0.35
# Muscle is brighter than this share of the blood beside it; the air of the lungs is darker.
_AIR_SHARE = 0.15
# Blood is brighter than this share of the brightest in a slice; vessels in the lungs are darker.
_BLOOD_SHARE = 0.5
# Vessels are smaller than the ventricle, and farther from the middle.
_USUAL_RADIUS_MM = 18.0
_USUAL_OFFSET_MM = 45.0
_SHIFT_COST = 0.03
# Of a score, for each mm by which the radius differs between neighboring slices.
_CHANGE_COST = 0.008
_LEAST_SCORE = 0.2
# Blood is looked at this far around the center (mm).
_CENTER_MM = 3.0


@dataclass(frozen=True, eq=False)
class Axis:
    """Center (y, x) in pixels and radius in mm of the pool in each slice, its brightness, and which slices show it."""

    centers: np.ndarray
    radii: np.ndarray
    scores: np.ndarray
    brightness: np.ndarray

    @property
    def slices(self) -> range:
        """From the first to the last slice in which the pool is clear enough."""
        usual = np.median(np.sort(self.scores)[-max(1, len(self.scores) // 2) :])
        clear = np.flatnonzero((self.scores >= _LEAST_SCORE * usual) & (self.scores > 0))
        return range(int(clear[0]), int(clear[-1]) + 1) if clear.size else range(0)

    @property
    def outward(self) -> list[tuple[int, int]]:
        """The slices from the clearest to the ends, each with the slice before it on that way.

        Clear is a wide bright pool in a dark ring, away from both ends of the stack.
        """
        shown = self.slices
        sixth = len(shown) // 6
        clear = np.maximum(self.scores, 0) * self.brightness * np.sqrt(self.radii)
        best = max(shown[sixth : len(shown) - sixth], key=lambda number: clear[number])
        up = [(number, number - 1) for number in range(best + 1, shown.stop)]
        down = [(number, number + 1) for number in range(best - 1, shown.start - 1, -1)]
        return [(best, best), *up, *down]


def trace_axis(stack: np.ndarray, spacing: tuple[float, float], progress: Progress) -> Axis:
    """Trace the left ventricle through the slices of a smoothed stack.

    For each point of a grid the score is how much brighter the inside of a circle is than its outside, in the weaker
    directions, at the best radius, relative to the brightness there. The path through all slices with the highest
    sum, less the cost of shifts from slice to slice, is the axis.

    Parameters
    ----------
    stack : numpy.ndarray, shape (slices, rows, columns)
    spacing : tuple of float
        Size of a pixel (y, x) in mm.
    progress : Progress
    """
    points, shape = _grid(stack.shape[1:], spacing)
    scores = np.empty((len(stack), len(points), len(_RADII_MM)), np.float32)
    for number, plane in enumerate(stack):
        progress.step("Looking for the left ventricle", number / len(stack))
        scores[number] = _roundness(plane, points, spacing)
    path = _path(scores.max(axis=2), shape)
    slices = np.arange(len(stack))
    radius = _steady(scores[slices, path])
    centers = points[path]
    return Axis(centers, _RADII_MM[radius], scores[slices, path, radius], _brightness(stack, centers, spacing))


def _brightness(stack: np.ndarray, centers: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Return the median around the center in each slice, not below 0."""
    near = np.stack(np.meshgrid(*[np.linspace(-_CENTER_MM, _CENTER_MM, 5)] * 2, indexing="ij"), axis=-1) / spacing
    medians = [np.median(sample(plane, center + near)) for plane, center in zip(stack, centers, strict=True)]
    return np.maximum(medians, 0)


def _grid(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[np.ndarray, tuple[int, int]]:
    axes = []
    for length, size in zip(shape, spacing, strict=True):
        half = min(_SEARCH_MM, length * size / 2 - _GRID_MM)
        offsets = np.arange(-(half // _GRID_MM), half // _GRID_MM + 1) * _GRID_MM
        axes.append((length - 1) / 2 + offsets / size)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return points.reshape(-1, 2), points.shape[:2]


def _roundness(plane: np.ndarray, points: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Return the score of each point and radius."""
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    directions = np.stack([np.sin(angles), np.cos(angles)], axis=-1) / np.array(spacing)
    rings = np.union1d(_RADII_MM - _HALF_WALL_MM, _RADII_MM + _HALF_WALL_MM)
    values = sample(plane, points[:, None, None] + rings[:, None, None] * directions)
    inner = values[:, np.searchsorted(rings, _RADII_MM - _HALF_WALL_MM)]
    outer = values[:, np.searchsorted(rings, _RADII_MM + _HALF_WALL_MM)]
    # Relative to the brightness there: coils shade the picture, and fat is brighter than blood.
    floor = max(0.05 * float(np.percentile(plane, 98)), 1e-6)
    # A ring of muscle in lung has a bright inside too, but one darker than the blood at the center.
    center = np.median(np.abs(values[:, :1]), axis=2, keepdims=True)
    drop = (inner - outer) / np.maximum(np.maximum(np.abs(inner), center) + np.abs(outer), floor)
    clear = np.quantile(np.minimum(drop, _MOST_CONTRAST), _QUANTILE, axis=2)
    clear *= np.where(clear > 0, np.sqrt(np.minimum(_RADII_MM / _USUAL_RADIUS_MM, 1)), 1)
    # Vessels lie in air, the ventricle lies in muscle.
    clear *= (outer > _AIR_SHARE * np.maximum(inner, center)).mean(axis=2) ** 2
    clear *= np.minimum(center[:, :, 0] / max(_BLOOD_SHARE * float(np.percentile(plane, 98)), floor), 1)
    away = (points - (np.array(plane.shape) - 1) / 2) * spacing
    nearness = np.exp(-(away**2).sum(axis=1) / (2 * _USUAL_OFFSET_MM**2))
    return clear * nearness[:, None]


def _steady(scores: np.ndarray) -> np.ndarray:
    """Return the index of a radius for each slice: the highest sum of scores, less the cost of changes of radius."""
    change = _CHANGE_COST * np.abs(_RADII_MM[:, None] - _RADII_MM)
    total, origin = scores[0], []
    for row in scores[1:]:
        options = total[:, None] - change
        origin.append(options.argmax(axis=0))
        total = options.max(axis=0) + row
    path = [int(total.argmax())]
    for choice in reversed(origin):
        path.append(int(choice[path[-1]]))
    return np.array(path[::-1])


def _path(scores: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the point of each slice on the path of the highest sum that moves by at most two grid points."""
    steps = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    total = scores[0].reshape(shape)
    origin = []
    for row in scores[1:]:
        padded = np.pad(total, 2, constant_values=-np.inf)
        options = np.stack(
            [
                padded[2 + dy : 2 + dy + shape[0], 2 + dx : 2 + dx + shape[1]] - _SHIFT_COST * np.hypot(dy, dx)
                for dy, dx in steps
            ]
        )
        origin.append(options.argmax(axis=0))
        total = options.max(axis=0) + row.reshape(shape)
    at = np.array(np.unravel_index(int(total.argmax()), shape))
    path = [at]
    for choice in reversed(origin):
        at = at + steps[choice[tuple(at)]]
        path.append(at)
    return np.array([np.ravel_multi_index(tuple(point), shape) for point in reversed(path)])
