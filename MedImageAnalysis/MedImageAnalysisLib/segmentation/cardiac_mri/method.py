"""The left ventricle in short-axis cine MRI: its blood pool and its muscle, in one phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import UnsupportedImageError
from ...imaging.filters import gaussian_smooth
from ...imaging.pixels import image_like, require_scalar, view
from ...parameters import parameter
from ...progress import Progress
from ...terminology import segment
from ..method import METHODS, SegmentationMethod
from .polar import RADIUS_STEP_MM, Rays, closed_path, convex
from .ventricle import Axis, trace_axis

__all__ = ["CardiacMRI"]

_POOL, _MUSCLE = 1, 2
_SMOOTHING_MM = 1.0
_REACH_MM = 60.0
# Beyond the border of the pool, this much must look like muscle.
_WALL_MM = 5.0
_LEAST_RADIUS_MM = 3.0
_LEAST_WALL_MM = 3.0
_MOST_WALL_MM = 22.0
_USUAL_WALL_MM = 8.0
# Papillary muscles are deeper notches in the pool than this; the rest is noise, which the hull would add up.
_NOTCH_MM = 1.5
# The pool narrows toward the apex and hardly widens toward the base.
_GROWTH = 1.15
# Muscle differs from muscle by less than this share of the contrast between blood and muscle.
_LIKENESS = 0.15


@METHODS.register
@dataclass(frozen=True)
class CardiacMRI(SegmentationMethod):
    """Find the left ventricle in a stack of short-axis slices of one phase (bright-blood cine MRI).

    The ventricle is the round bright pool in a dark ring near the middle of the slices, traced through the stack.
    On rays from its center, dynamic programming finds the closed border within which blood is bright and beyond which
    muscle is dark (papillary muscles count as pool), then the outer border up to which the wall looks like the muscle
    next to the pool. Slices, or the frames of a cine of one slice, lie across the third axis of the image; lengths
    within them are in mm.

    References
    ----------
    Amini, Weymouth, Jain 1990, doi:10.1109/34.57681; Petitjean and Dacher 2011 (review),
    doi:10.1016/j.media.2010.12.004.
    """

    name = "cardiac-mri"
    title = "Left ventricle in short-axis MRI"
    stiffness: float = parameter(0.6, "How smooth the borders are; more is rounder.", minimum=0, maximum=20)

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the blood pool and the myocardium of the left ventricle.

        Raises
        ------
        UnsupportedImageError
            If the image is not a scalar stack, or no ventricle is found in it.
        Cancelled
            If the user asked to stop.
        """
        part = progress.part(0.0, 1.0, self.title)
        require_scalar(image, self.title, (3,))
        sigma = (_SMOOTHING_MM, _SMOOTHING_MM, 1e-3 * image.GetSpacing()[2])
        stack = view(gaussian_smooth(image, sigma, part.part(0.0, 0.1)))
        spacing = image.GetSpacing()[1::-1]
        axis = trace_axis(stack, spacing, part.part(0.1, 0.6))
        if not axis.slices:
            raise UnsupportedImageError(
                "No left ventricle was found: this method needs short-axis slices with bright blood, and the heart "
                "near the middle of the picture."
            )
        labels = self._outlined(stack, spacing, axis, part.part(0.6, 1.0))
        part.step(fraction=1.0)
        segments = (segment("left-ventricle", _POOL), segment("left-ventricular-myocardium", _MUSCLE))
        return Segmentation((image_like(labels, image),), segments)

    def _outlined(self, stack: np.ndarray, spacing: tuple[float, float], axis: Axis, progress: Progress) -> np.ndarray:
        labels = np.zeros(stack.shape, np.uint8)
        rays = Rays(spacing, _REACH_MM)
        sizes: dict[int, float] = {}
        for done, (number, neighbor) in enumerate(axis.outward):
            progress.step(self.title, done / len(axis.slices))
            center = tuple(axis.centers[number])
            values = rays.image(stack[number], center)
            radius = float(axis.radii[number])
            most = _GROWTH * sizes.get(neighbor, radius + _WALL_MM) + _LEAST_RADIUS_MM
            pool = _pool_border(values, rays.radii, min(radius, most), most, self.stiffness)
            hull = convex(pool, rays.angles)
            pool = np.where(hull - pool > _NOTCH_MM, hull, pool)
            wall = _wall_border(values, rays.radii, pool, self.stiffness)
            sizes[number] = float(pool.mean())
            labels[number][rays.disk(stack.shape[1:], center, wall)] = _MUSCLE
            labels[number][rays.disk(stack.shape[1:], center, pool)] = _POOL
        return labels


def _pool_border(values: np.ndarray, radii: np.ndarray, radius: float, most: float, stiffness: float) -> np.ndarray:
    """Return the radius (mm) at each angle within which blood is bright and beyond which muscle is dark."""
    blood = float(np.median(values[:, radii <= max(radius - _WALL_MM, _LEAST_RADIUS_MM)]))
    beyond = (radii > radius) & (radii <= radius + 2 * _WALL_MM)
    muscle = float(np.quantile(values[:, beyond], 0.3))
    spread = max((blood - muscle) / 2, 1e-6)
    brightness = np.clip((values - (blood + muscle) / 2) / spread, -1, 1)
    within = np.cumsum(-brightness, axis=1)
    window = round(_WALL_MM / RADIUS_STEP_MM)
    after = np.empty_like(within)
    after[:, :-window] = within[:, window:] - within[:, :-window]
    after[:, -window:] = after[:, -window - 1 : -window]
    cost = within - 2 * after
    cost[:, (radii < _LEAST_RADIUS_MM) | (radii > most)] = np.inf
    return _as_radii(closed_path(cost, stiffness), radii)


def _wall_border(values: np.ndarray, radii: np.ndarray, pool: np.ndarray, stiffness: float) -> np.ndarray:
    """Return the radius (mm) at each angle up to which the wall looks like the muscle next to the pool."""
    thickness = radii[None, :] - pool[:, None]
    ring = values[(thickness > 1.5) & (thickness < _WALL_MM)]
    muscle = float(np.median(ring))
    blood = float(np.median(values[thickness < -1.5])) if (thickness < -1.5).any() else 2 * muscle
    tolerance = max(_LIKENESS * abs(blood - muscle), 1e-6)
    unlike = np.clip(np.abs(values - muscle) / tolerance - 1, -1, 1)
    unlike[thickness <= 0] = 0
    cost = np.cumsum(unlike, axis=1) + 0.02 * (thickness - _USUAL_WALL_MM) ** 2 / RADIUS_STEP_MM
    cost[(thickness < _LEAST_WALL_MM) | (thickness > _MOST_WALL_MM)] = 1e6
    return np.maximum(_as_radii(closed_path(cost, stiffness), radii), pool + _LEAST_WALL_MM)


def _as_radii(path: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return the radii of a path, half a step on: the border lies behind the last sample within."""
    return radii[path] + RADIUS_STEP_MM / 2
