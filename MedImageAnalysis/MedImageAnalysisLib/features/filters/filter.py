"""What an image filter is, and the registry that settings, the GUI and the command line draw from.

The filters are those of the IBSI-2 reference manual: Depeursinge et al., "Standardised convolutional filtering for
radiomics", arXiv:2006.05470; Whybra et al. 2024, doi:10.1148/radiol.231319.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...parameters import Configurable, ParameterInfo
from ...parameters import parameter as _parameter
from ...progress import Progress
from ...registry import Registry

__all__ = ["BOUNDARIES", "FILTERS", "POOLINGS", "Grid", "ImageFilter"]

BOUNDARIES = ("mirror", "nearest", "periodic", "zero")
POOLINGS = ("average", "max")


@dataclass(frozen=True)
class Grid:
    """The axes of an array along which a filter works, and how far apart the samples lie on them.

    Parameters
    ----------
    axes : tuple of int
        Array axes in the order x, y(, z), the k1, k2(, k3) of the IBSI manual.
    spacing : tuple of float
        In millimeters, in the same order.
    """

    axes: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def dimension(self) -> int:
        """2 where slices are filtered on their own, 3 for volumes."""
        return len(self.axes)


@dataclass(frozen=True)
class ImageFilter(Configurable, ABC):
    """Turns an image into a response map on the same grid, as 32-bit floating point.

    Subclasses implement :meth:`respond` on the array; reading, checking and geometry are done here once.
    """

    shown: ClassVar[tuple[str, ...]] = ()
    """Parameters that always appear in :attr:`label`."""

    by_slice: bool = _parameter(False, "Filter each axial slice on its own (2D) instead of the whole volume (3D).")
    boundary: str = _parameter("mirror", "How the image is continued beyond its border.", choices=BOUNDARIES)

    @abstractmethod
    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the response to `array` (float32, axes (z,) y, x), of the same shape."""

    def __call__(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Return the response map of a scalar 2D or 3D image, with its geometry.

        Raises
        ------
        UnsupportedImageError
            If the image has several components per voxel, is neither 2D nor 3D, or holds NaN or infinity.
        """
        array = _finite_array(image)
        dimension = 2 if self.by_slice else array.ndim
        axes = tuple(array.ndim - 1 - i for i in range(dimension))
        response = self.respond(array, Grid(axes, image.GetSpacing()[:dimension]), progress)
        result = sitk.GetImageFromArray(np.ascontiguousarray(response, dtype=np.float32))
        result.CopyInformation(image)
        return result

    @property
    def label(self) -> str:
        """Prefix of feature names, e.g. ``"log_sigma_2mm"``: tells any two different filters apart."""
        parts = [self.name.replace("-", "_")]
        for info in self.parameters():
            value = getattr(self, info.name)
            if info.name in self.shown or value != info.default:
                parts.append(_label(info, value))
        return "_".join(parts)


def _label(info: ParameterInfo, value: object) -> str:
    if isinstance(value, bool):
        return info.name if value else f"no_{info.name}"
    if isinstance(value, str):
        return value
    values = value if isinstance(value, tuple) else (value,)
    unit = info.unit if info.name.endswith(f"_{info.unit}") else ""
    stem = info.name.removesuffix(f"_{unit}")
    return f"{stem}_{'x'.join(f'{item:g}' for item in values)}{unit}"


def _finite_array(image: sitk.Image) -> np.ndarray:
    """Return the pixels as float32, or say why this image cannot be filtered."""
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() not in (2, 3):
        raise UnsupportedImageError(
            f"Filters take 2D and 3D images with one value per pixel; this one is {image.GetDimension()}D with "
            f"{image.GetNumberOfComponentsPerPixel()} values per pixel. Convert it to gray first."
        )
    array = sitk.GetArrayViewFromImage(image).astype(np.float32)
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise UnsupportedImageError(
            f"{bad} voxels of the image are not finite numbers, and a filter would spread them to their neighbors. "
            "Replace them first, e.g. by the value of air."
        )
    return array


FILTERS: Registry[type[ImageFilter]] = Registry("image filter", __package__)
