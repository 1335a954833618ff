"""What a segmentation method is, and the registry that the presets, the GUI and the command line draw from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import SimpleITK as sitk

from ..analysis import Segmentation
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

    @abstractmethod
    def __call__(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation of `image`."""

    def resolved(self) -> SegmentationMethod:
        """Return the method with every choice made that depends on the machine, such as an engine `auto`.

        Records hold the resolved method, so that they repeat the run.
        """
        return self


METHODS: Registry[type[SegmentationMethod]] = Registry("segmentation method", __package__)
