"""What a preprocessing step is, and the registry that the presets, the GUI and the command line draw from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial

import SimpleITK as sitk

from ..attended import attended
from ..parameters import Configurable
from ..progress import Progress
from ..registry import Registry

__all__ = ["STEPS", "PreprocessingStep"]


@dataclass(frozen=True)
class PreprocessingStep(Configurable, ABC):
    """Stage 1: turns an image into a better image of the same scene, `I_processed = I * f`.

    A step takes 2D and 3D scalar images, keeps origin and direction exactly (and spacing and size too, unless
    resampling or cropping is its purpose), gives its lengths in millimeters, and never changes its input.
    """

    def __call__(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Return the processed image; progress is reported and cancel heard within a second, whatever the size.

        Raises
        ------
        UnsupportedImageError
            If the step does not take such images.
        Cancelled
            If the user asked to stop.
        """
        return attended(partial(self._run, image), progress, image.GetNumberOfPixels())

    @abstractmethod
    def _run(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Return the processed image; large ones are worked on in a thread other than the caller's."""


STEPS: Registry[type[PreprocessingStep]] = Registry("preprocessing step", __package__)
