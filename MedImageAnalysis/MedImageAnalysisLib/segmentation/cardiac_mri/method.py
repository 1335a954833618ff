"""The ventricles in short-axis cine MRI, in one phase: the blood of both, and the muscle of the left one."""

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
from .borders import rounded
from .right_ventricle import trace_right_ventricle
from .rings import trace_rings, ventricular
from .ventricle import trace_axis

__all__ = ["CardiacMRI"]

_POOL, _MUSCLE, _RIGHT = 1, 2, 3
_SMOOTHING_MM = 1.0


@METHODS.register
@dataclass(frozen=True)
class CardiacMRI(SegmentationMethod):
    """Find the ventricles in a stack of short-axis slices of one phase (bright-blood cine MRI).

    The left ventricle is the round bright pool in a dark ring near the middle of the slices. From its clearest slice it
    is traced to both ends of the stack. On rays from its center, dynamic programming finds the closed border within
    which blood is bright and beyond which muscle is dark (papillary muscles count as pool), then the outer border up to
    which the wall looks like the muscle next to the pool. Basal slices that muscle does not surround are left out. The
    right ventricle is the blood behind the septum, up to its thin free wall, traced in the same way. Slices, or the
    frames of a cine of one slice, lie across the third axis of the image; lengths within them are in mm.

    References
    ----------
    Amini, Weymouth, Jain 1990, doi:10.1109/34.57681; Petitjean and Dacher 2011 (review),
    doi:10.1016/j.media.2010.12.004.
    """

    name = "cardiac-mri"
    title = "Ventricles in short-axis MRI"
    stiffness: float = parameter(1.0, "How smooth the borders are; more is rounder.", minimum=0, maximum=20)
    above_valves: bool = parameter(
        False, "Keep slices at the base that muscle does not surround. For the frames of one slice, which end nowhere."
    )
    right_ventricle: bool = parameter(
        True, "Outline the blood of the right ventricle too. Off for the frames of one slice, where it has no ends."
    )

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the blood pool and the myocardium of the left ventricle, and the blood pool of the right one.

        The right one is missing where nothing like it was found.

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
        rays, rings = trace_rings(stack, spacing, axis, self.stiffness, part.part(0.6, 0.8))
        labels = np.zeros(stack.shape, np.uint8)
        kept = rings if self.above_valves else ventricular(rings, rays.radii)
        if self.right_ventricle:
            labels[trace_right_ventricle(stack, rays, kept, _right_of(image), part.part(0.8, 1.0))] = _RIGHT
        for number, ring in kept.items():
            labels[number][rays.disk(stack.shape[1:], ring.center, ring.wall)] = _MUSCLE
            labels[number][rays.disk(stack.shape[1:], ring.center, rounded(ring.pool, ring.wall))] = _POOL
        part.step(fraction=1.0)
        segments = [segment("left-ventricle", _POOL), segment("left-ventricular-myocardium", _MUSCLE)]
        if (labels == _RIGHT).any():
            segments.append(segment("right-ventricle", _RIGHT))
        return Segmentation((image_like(labels, image),), tuple(segments))


def _right_of(image: sitk.Image) -> tuple[float, float]:
    """Return the patient's right along the rows and columns (y, x) of an image in LPS."""
    direction = image.GetDirection()
    return -direction[1], -direction[0]
