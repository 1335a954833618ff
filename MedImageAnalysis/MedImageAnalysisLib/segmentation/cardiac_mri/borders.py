"""The inner and the outer border of the left ventricle's wall on rays from the middle of its pool."""

from __future__ import annotations

import numpy as np

from .polar import RADIUS_STEP_MM, closed_path, convex, next_sums

__all__ = ["LEAST_RADIUS_MM", "MUSCLE_MM", "pool_border", "rounded", "wall_border"]

LEAST_RADIUS_MM = 3.0
# Beyond the border of the pool, this much must look like muscle.
MUSCLE_MM = 5.0
# Above this share of blood a pixel speaks for the pool. Since the muscle beyond speaks too, the border comes to lie
# where about an eighth is blood: what lies between the trabeculae next to the wall counts as pool.
_BLOOD_SHARE = 0.45
# Papillary muscles are deeper notches in the pool than this; the rest is noise, which the hull would add up.
_NOTCH_MM = 1.5
# Next to blood, pixels are mixed (mm).
_MIXED_MM = 1.5
_LEAST_WALL_MM = 3.0
_MOST_WALL_MM = 22.0
_USUAL_WALL_MM = 8.0
# Muscle differs from muscle by less than this share of the contrast between blood and muscle.
_LIKENESS = 0.2
# What looks like muscle counts less for the wall than what does not counts against it: liver and diaphragm look alike.
_ALIKE = -0.5
# How strongly the wall is drawn to the usual thickness, and then to that of its own thinner, clearer part. The wall
# next to lung, fat or blood is clear, and the rest of a slice is seldom much thicker.
_FIRST_PULL, _SECOND_PULL = 0.02, 0.1
_CLEAR_QUANTILE = 0.4
# The ventricle is contracted from a wall that is this share of the pool's radius, fully so at the second.
_CONTRACTED = (0.5, 1.0)
_OVAL_ROUNDS = 30


def pool_border(
    values: np.ndarray, radii: np.ndarray, most: float, blood: float, muscle: float, stiffness: float
) -> np.ndarray:
    """Return the radius (mm) at each angle within which blood is bright and beyond which muscle is dark.

    Parameters
    ----------
    values : numpy.ndarray, shape (angles, radii)
    radii : numpy.ndarray
        In mm.
    most : float
        Largest radius in mm.
    blood, muscle : float
        Their intensities.
    stiffness : float
    """
    limit = muscle + _BLOOD_SHARE * (blood - muscle)
    brightness = np.clip((values - limit) / max((blood - muscle) / 2, 1e-6), -1, 1)
    within = np.cumsum(-brightness, axis=1)
    cost = within - 2 * next_sums(within, round(MUSCLE_MM / RADIUS_STEP_MM))
    cost[:, (radii < LEAST_RADIUS_MM) | (radii > most)] = np.inf
    border = _as_radii(closed_path(cost, stiffness), radii)
    hull = convex(border, np.arange(len(values)) * (2 * np.pi / len(values)))
    return np.where(hull - border > _NOTCH_MM, hull, border)


def wall_border(values: np.ndarray, radii: np.ndarray, pool: np.ndarray, stiffness: float) -> np.ndarray:
    """Return the radius (mm) at each angle up to which the wall looks like the muscle next to the pool."""
    thickness = radii[None, :] - pool[:, None]
    muscle = float(np.median(values[(thickness > _MIXED_MM) & (thickness < MUSCLE_MM)]))
    within = thickness < -_MIXED_MM
    blood = float(np.median(values[within])) if within.any() else 2 * muscle
    tolerance = max(_LIKENESS * abs(blood - muscle), 1e-6)
    unlike = np.clip(np.abs(values - muscle) / tolerance - 1, _ALIKE, 1)
    unlike[thickness <= 0] = 0
    evidence = np.cumsum(unlike, axis=1)
    usual = _USUAL_WALL_MM
    for pull in (_FIRST_PULL, _SECOND_PULL):
        cost = evidence + pull * (thickness - usual) ** 2 / RADIUS_STEP_MM
        cost[(thickness < _LEAST_WALL_MM) | (thickness > _MOST_WALL_MM)] = 1e6
        wall = np.maximum(_as_radii(closed_path(cost, stiffness), radii), pool + _LEAST_WALL_MM)
        usual = float(np.quantile(wall - pool, _CLEAR_QUANTILE))
    return wall


def rounded(pool: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Return the pool of a contracted ventricle with the papillary muscles and trabeculae that lie against its wall.

    At end-systole they close up with the wall and leave a bright pool with corners between them, while the cavity
    without them is round. Where the wall is thick beside the pool, the border is drawn out to the smooth oval that
    touches the corners from outside.

    Parameters
    ----------
    pool, wall : numpy.ndarray
        Inner and outer border: one radius (mm) for each angle.
    """
    thickness = float((wall - pool).mean() / pool.mean())
    start, full = _CONTRACTED
    share = float(np.clip((thickness - start) / (full - start), 0, 1))
    outside = pool.copy()
    for _ in range(_OVAL_ROUNDS):
        outside = np.maximum(pool, _oval(outside))
    drawn_out = pool + share * (np.maximum(pool, _oval(outside)) - pool)
    return np.minimum(drawn_out, np.maximum(pool, wall - _LEAST_WALL_MM))


def _oval(border: np.ndarray) -> np.ndarray:
    """Return the border's first two harmonics: a circle that is shifted and drawn out."""
    waves = np.fft.rfft(border)
    waves[3:] = 0
    return np.fft.irfft(waves, len(border))


def _as_radii(path: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return the radii of a path, half a step on: the border lies behind the last sample within."""
    return radii[path] + RADIUS_STEP_MM / 2
