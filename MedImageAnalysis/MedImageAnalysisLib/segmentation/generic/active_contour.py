"""Active contours: outlines that move until they fit the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.filters import gradient_magnitude, signed_distance
from ...imaging.pixels import cropped_like, image_like, mask_image, view, with_minimum_size
from ...parameters import parameter
from ...progress import Progress, run_filter
from ..method import METHODS
from .scalar_method import ScalarMethod, labeled, starting_region

__all__ = ["GeodesicActiveContour"]


@METHODS.register
@dataclass(frozen=True)
class GeodesicActiveContour(ScalarMethod):
    """Let the outline of the previous segmentation settle on edges, ``d psi/dt = g (p + c k) |grad psi| + a grad g``.

    ``g = 1 / (1 + (|grad G*I| / K)^2)`` is small on edges; K is the 90th percentile of the gradient. p pushes outward,
    the curvature k keeps the outline smooth. Without a previous segmentation it starts from the bright side of an
    Otsu threshold.

    References
    ----------
    Caselles, Kimmel, Sapiro 1997, doi:10.1023/A:1007979827043.
    """

    name = "geodesic-active-contour"
    title = "Geodesic active contour"
    scale: float | None = parameter(
        None,
        "Width of the Gaussian that finds edges; empty means one and a half pixels.",
        unit="mm",
        minimum=0.001,
        maximum=100,
    )
    propagation: float = parameter(0.0, "Push outward; negative is inward.", minimum=-10, maximum=10)
    curvature: float = parameter(0.3, "Smoothness of the outline.", minimum=0, maximum=10)
    advection: float = parameter(1.0, "Pull toward edges.", minimum=0, maximum=10)
    iterations: int = parameter(100, "How many steps the outline takes at most.", minimum=1, maximum=2000)

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        start = starting_region(image, previous)
        if start.all() or not start.any():
            return labeled(start.view(np.uint8), ["Object"], image)
        speed = self._speed(image, progress.part(0.0, 0.15))
        level = signed_distance(mask_image(start, image), progress.part(0.15, 0.2))
        contour = sitk.GeodesicActiveContourLevelSetImageFilter()
        contour.SetPropagationScaling(self.propagation)
        contour.SetCurvatureScaling(self.curvature)
        contour.SetAdvectionScaling(self.advection)
        contour.SetMaximumRMSError(0.005)
        contour.SetNumberOfIterations(self.iterations)
        # The gradient of the speed is taken by a recursive filter, which needs four pixels along each axis.
        inputs = (with_minimum_size(level, 4), with_minimum_size(speed, 4))
        settled = cropped_like(run_filter(contour, *inputs, progress=progress.part(0.2, 1.0)), image)
        return labeled((view(settled) <= 0).view(np.uint8), ["Object"], image)

    def _speed(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        gradient = view(gradient_magnitude(image, self.scale or 1.5 * min(image.GetSpacing()), progress))
        edge = max(float(np.percentile(gradient, 90)), 1e-6)
        return image_like(1 / (1 + (gradient / np.float32(edge)) ** 2), image)
