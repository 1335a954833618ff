"""What an image descriptor is, and the registry that models name them from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...parameters import Configurable, parameter
from ...registry import Registry

__all__ = ["DESCRIPTORS", "ImageDescriptor"]


@dataclass(frozen=True)
class ImageDescriptor(Configurable, ABC):
    """Turns a 2D image into a vector: `channels` numbers for each cell of a grid over the image.

    The vector is ordered channel by channel, and within a channel row by row, so that weights can be drawn as a map.
    """

    size: int = parameter(
        96, "Side of the square canvas to which the image is brought.", unit="px", minimum=32, maximum=256
    )
    grid: int = parameter(6, "Number of cells along each side of the canvas.", minimum=1, maximum=32)

    fill_marks: bool = parameter(True, "Fill in burned-in letters and markers; not for images that are mostly empty.")

    @property
    @abstractmethod
    def channels(self) -> tuple[str, ...]:
        """Name of each channel."""

    @abstractmethod
    def describe(self, canvas: np.ndarray) -> np.ndarray:
        """Return the channels of a canvas as float32 of shape (channels, grid, grid)."""

    def __call__(self, image: sitk.Image) -> np.ndarray:
        """Return the descriptor of `image` as a float32 vector of `length`."""
        from .canvas import square_canvas

        return self.describe(square_canvas(image, self.size, self.fill_marks)).ravel()

    @property
    def length(self) -> int:
        """Number of elements of the vector."""
        return len(self.channels) * self.grid * self.grid


DESCRIPTORS: Registry[type[ImageDescriptor]] = Registry("image descriptor", __package__)
