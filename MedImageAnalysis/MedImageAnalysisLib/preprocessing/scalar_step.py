"""What all steps of this package have in common: the check of the input and the reports at start and end."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import SimpleITK as sitk

from ..imaging.pixels import require_scalar
from ..progress import Progress
from .step import PreprocessingStep

__all__ = ["ScalarStep"]


@dataclass(frozen=True)
class ScalarStep(PreprocessingStep):
    """A step on 2D or 3D images with one finite real value per pixel.

    Steps that select among existing values keep the pixel type; steps that compute new values return float32.
    """

    def _run(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Check that the image is 2D or 3D, scalar, not empty and finite, and process it."""
        part = progress.part(0.0, 1.0, self.title)
        part.step()
        require_scalar(image, self.title)
        result = self._apply(image, part)
        part.step(fraction=1.0)
        return result

    @abstractmethod
    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Process a checked image."""
