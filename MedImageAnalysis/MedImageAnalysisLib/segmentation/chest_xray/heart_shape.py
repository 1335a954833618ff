"""The shape of the cardiac silhouette: what hearts look like, where the picture does not say.

The right and left borders of the heart are seen; its base on the diaphragm and its upper limit towards the great
vessels are not, they are drawn by convention. A linear shape model (Cootes et al., Comput Vis Image Underst
1995;61:38-59, doi:10.1006/cviu.1995.1004) in polar form fills them in: the outline is the radius along rays from a
center, and each ray counts as much as the classifier is sure of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["RAYS", "HeartShape", "fit_shape", "observed"]

RAYS = 64
# Rays are sampled this many times per pixel of the frame.
_SAMPLES = 4
# Where a probability falls from 3/4 to 1/4 tells how sure an outline is.
_UPPER, _MIDDLE, _LOWER = 0.75, 0.5, 0.25
# Even a sharp outline is not known better than this, in shares of the frame.
_LEAST_ERROR = 0.004
_KEPT_VARIANCE = 0.97


@dataclass(frozen=True, eq=False)
class HeartShape:
    """Mean and modes of the radii around a fixed point of the frame; all lengths in shares of the frame's width.

    Parameters
    ----------
    center : numpy.ndarray, shape (2,)
        The point (x, y) from which the rays start. The frame fits the lungs, so that it lies inside every heart.
    mean : numpy.ndarray, shape (RAYS,)
    modes : numpy.ndarray, shape (modes, RAYS)
        Principal components times their standard deviations, so that coefficients are standard normal.
    residual : float
        Standard deviation of a radius around what the modes explain.
    """

    center: np.ndarray
    mean: np.ndarray
    modes: np.ndarray
    residual: float

    def completed(self, probability: np.ndarray) -> np.ndarray | None:
        """Return the most probable silhouette as a level image (0.5 = outline).

        None if the center is not in what was found: the shape is then not one that the model knows.
        """
        radii, errors = observed(probability, self.center)
        if not radii.all():
            return None
        # Weighted least squares with the modes' standard normal prior.
        weights = 1 / (errors**2 + self.residual**2)
        system = (self.modes * weights) @ self.modes.T + np.eye(len(self.modes))
        likely = self.mean + np.linalg.solve(system, (self.modes * weights) @ (radii - self.mean)) @ self.modes
        trust = self.residual**2 / (self.residual**2 + errors**2)
        detail = ndimage.gaussian_filter1d(trust * (radii - likely), 1.0, mode="wrap")
        # The borders at the sides are seen, they stay; top and bottom are not, they are the model's.
        seen = np.cos(np.arange(RAYS) * (2 * np.pi / RAYS)) ** 2
        radii = ndimage.gaussian_filter1d(radii, 1.0, mode="wrap")
        return _level(probability.shape, self.center, seen * radii + (1 - seen) * (likely + detail))


def observed(probability: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the radii at which a probability falls below one half around `center`, and their standard errors."""
    size = probability.shape[1]
    column, row = center * size
    reach = np.arange(0, size * 0.6, 1 / _SAMPLES)
    angles = np.arange(RAYS) * (2 * np.pi / RAYS)
    rows = row + np.sin(angles)[:, None] * reach
    columns = column + np.cos(angles)[:, None] * reach
    along = ndimage.map_coordinates(probability, [rows, columns], order=1, mode="constant")
    # The outline of what is connected to the center: the first fall below a level, not a later one.
    falls = np.minimum.accumulate(along, axis=1)
    upper, middle, lower = ((falls > level).sum(axis=1) / _SAMPLES for level in (_UPPER, _MIDDLE, _LOWER))
    return middle / size, np.maximum((lower - upper) / 2 / size, _LEAST_ERROR)


def fit_shape(masks: list[np.ndarray]) -> HeartShape:
    """Fit the model to masks of the heart, each in its frame."""
    soft = [ndimage.gaussian_filter(mask.astype(np.float32), 0.7) for mask in masks]
    size = soft[0].shape[1]
    center = np.mean([ndimage.center_of_mass(mask)[::-1] for mask in soft], axis=0) / size
    shapes = np.array([observed(mask, center)[0] for mask in soft])
    mean = shapes.mean(axis=0)
    _, values, components = np.linalg.svd(shapes - mean, full_matrices=False)
    variance = values**2 / (len(shapes) - 1)
    kept = int(np.searchsorted(np.cumsum(variance) / variance.sum(), _KEPT_VARIANCE)) + 1
    modes = components[:kept] * np.sqrt(variance[:kept])[:, None]
    residual = float(np.sqrt(variance[kept:].sum() / RAYS))
    return HeartShape(
        center.astype(np.float32),
        mean.astype(np.float32),
        modes.astype(np.float32),
        residual,
    )


def _level(shape: tuple[int, ...], center: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return a level image that falls through 0.5 at the outline, by one half over eight pixels."""
    size = shape[1]
    y, x = np.mgrid[: shape[0], : shape[1]]
    down, right = y - center[1] * size, x - center[0] * size
    turn = np.arctan2(down, right) % (2 * np.pi) / (2 * np.pi) * RAYS
    outline = ndimage.map_coordinates(radii * size, [turn], order=3, mode="grid-wrap")
    return np.clip(0.5 + (outline - np.hypot(down, right)) / 16, 0, 1).astype(np.float32)
