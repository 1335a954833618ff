"""Even out the illumination of radiographs, ultrasound and photographs of film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.filters import gaussian_smooth
from ..imaging.pixels import as_float, image_like, is_constant, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["CorrectBackground"]


@STEPS.register
@dataclass(frozen=True)
class CorrectBackground(ScalarStep):
    """Take out slow changes of brightness, found by a wide Gaussian G.

    ``subtract``: ``I' = I - G*I + mean(G*I)``. ``homomorphic``, for illumination that multiplies:
    ``L' = L - G*L + mean(G*L)`` with ``L = log(I - min + 0.01 (max - min))``.

    References
    ----------
    Oppenheim, Schafer, Stockham 1968, doi:10.1109/PROC.1968.6570 (homomorphic filtering).
    """

    name = "correct-background"
    title = "Even out the brightness"
    method: str = parameter(
        "subtract", "Whether the background adds or multiplies.", choices=("subtract", "homomorphic")
    )
    scale: float | None = parameter(
        None,
        "Standard deviation of the Gaussian; empty means an eighth of the longest side.",
        unit="mm",
        minimum=0.01,
        maximum=10000,
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return as_float(image)
        sides = (n * s for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True))
        sigma = (self.scale or max(sides) / 8,) * image.GetDimension()
        if self.method == "subtract":
            flat = view(as_float(image)) - _excess(image, sigma, progress)
            return image_like(flat, image)
        values = view(image)
        lowest = np.float32(values.min())
        pedestal = np.float32(0.01) * (np.float32(values.max()) - lowest)
        logarithm = np.log(values.astype(np.float32) - lowest + pedestal)
        logarithm -= _excess(image_like(logarithm, image), sigma, progress)
        return image_like(np.exp(logarithm) + (lowest - pedestal), image)


def _excess(image: sitk.Image, sigma: tuple[float, ...], progress: Progress) -> np.ndarray:
    """Return by how much the background is above its mean."""
    background = view(gaussian_smooth(image, sigma, progress))
    return background - np.float32(background.mean(dtype=np.float64))
