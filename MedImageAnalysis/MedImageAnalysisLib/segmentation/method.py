"""What a segmentation method is, and the registry that the presets, the GUI and the command line draw from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial

import SimpleITK as sitk

from ..analysis import Segmentation
from ..attended import attended
from ..parameters import Configurable
from ..progress import Progress
from ..registry import Registry

__all__ = ["METHODS", "SegmentationMethod"]


@dataclass(frozen=True)
class SegmentationMethod(Configurable, ABC):
    """Stage 2: finds structures in a processed image.

    Methods are chained: the first gets ``previous=None``; each later one may refine or split what came before.
    The result lies on the grid of `image`.
    """

    def __call__(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation of `image`; progress is reported and cancel heard within a second.

        Raises
        ------
        UnsupportedImageError
            If the method does not take such images.
        Cancelled
            If the user asked to stop.
        MedImageError
            As the method says.
        """
        return attended(partial(self._run, image, previous), progress, image.GetNumberOfPixels())

    @abstractmethod
    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation of `image`; large ones are worked on in a thread other than the caller's."""

    def resolved(self) -> SegmentationMethod:
        """Return the method with every choice made that depends on the machine, such as an engine `auto`.

        Records hold the resolved method, so that they repeat the run.
        """
        return self


METHODS: Registry[type[SegmentationMethod]] = Registry("segmentation method", __package__)
