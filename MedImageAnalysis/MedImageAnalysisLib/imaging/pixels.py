"""From `sitk.Image` to numpy and back, and the checks that every step and method makes of its input.

An array is a view inside one function; what leaves a function is an image with its geometry.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk

from ..errors import UnsupportedImageError

__all__ = [
    "as_float",
    "axis_lengths",
    "blank_like",
    "blocks",
    "cropped_like",
    "image_like",
    "is_constant",
    "mask_image",
    "radius_in_voxels",
    "require_scalar",
    "slabs",
    "view",
    "with_minimum_size",
]

_REAL_TYPES = frozenset(
    {
        sitk.sitkUInt8, sitk.sitkInt8, sitk.sitkUInt16, sitk.sitkInt16, sitk.sitkUInt32, sitk.sitkInt32,
        sitk.sitkUInt64, sitk.sitkInt64, sitk.sitkFloat32, sitk.sitkFloat64,
    }
)  # fmt: skip
_PIXEL_IDS = {
    np.uint8: sitk.sitkUInt8, np.int16: sitk.sitkInt16, np.uint16: sitk.sitkUInt16, np.float32: sitk.sitkFloat32
}  # fmt: skip
_VOXELS_PER_SLAB = 2_000_000

Block = tuple[tuple[slice, ...], tuple[slice, ...], tuple[slice, ...]]


def require_scalar(image: sitk.Image, user: str, dimensions: tuple[int, ...] = (2, 3)) -> None:
    """Check that `image` is a finite, scalar, real image of an allowed dimension.

    Parameters
    ----------
    image : sitk.Image
    user : str
        Who asks, for the message.
    dimensions : tuple of int
        Allowed dimensions.

    Raises
    ------
    UnsupportedImageError
        If it is not.
    """
    allowed = " or ".join(f"{d}D" for d in dimensions)
    if image.GetDimension() not in dimensions:
        raise UnsupportedImageError(f"{user} takes {allowed} images, but this one is {image.GetDimension()}D.")
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetPixelID() not in _REAL_TYPES:
        raise UnsupportedImageError(
            f"{user} takes images with one real value per pixel, but this one holds "
            f"{image.GetPixelIDTypeAsString()}. Convert it to gray values first."
        )
    if image.GetNumberOfPixels() == 0:
        raise UnsupportedImageError(f"{user} got an image without pixels.")
    values = view(image)
    # Minimum and maximum carry NaN along, so no mask of the image's size is needed.
    if values.dtype.kind == "f" and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise UnsupportedImageError(f"{user} got an image with values that are not finite (NaN or infinity).")


def view(image: sitk.Image) -> np.ndarray:
    """Return a read-only array over the pixels, without a copy; axes (z, y, x) or (y, x). It keeps `image` alive."""
    return np.asarray(_Pixels(image))


class _Pixels:
    """Lends the pixels of an image to numpy: the array refers to this object, and so to the image.

    SimpleITK's own view does not, and is left pointing at freed memory when its image goes.
    """

    def __init__(self, image: sitk.Image) -> None:
        self._image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def image_like(array: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Return an image with the pixels of `array` and the geometry of `reference`."""
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(reference)
    return image


def blank_like(reference: sitk.Image, kind: type[np.generic]) -> tuple[sitk.Image, np.ndarray]:
    """Return an image of zeros with the geometry of `reference`, and a writable array over its pixels, without a copy.

    Write before the image is copied or handed on: copies share their pixels until one of them is changed by SimpleITK,
    which does not see what is written here.

    Parameters
    ----------
    reference : sitk.Image
    kind : type of a numpy scalar
        e.g. ``numpy.float32``.
    """
    image = sitk.Image(reference.GetSize(), _PIXEL_IDS[kind])
    image.CopyInformation(reference)
    pixels = _Pixels(image)
    address, _ = pixels.__array_interface__["data"]
    pixels.__array_interface__ = {**pixels.__array_interface__, "data": (address, False)}
    return image, np.asarray(pixels)


def mask_image(array: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Return a boolean array as a uint8 image of 0 and 1 with the geometry of `reference`."""
    return image_like(array.view(np.uint8), reference)


def as_float(image: sitk.Image) -> sitk.Image:
    """Return `image` as float32; without a copy if it is float32 already."""
    return image if image.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def is_constant(image: sitk.Image) -> bool:
    """Tell whether all pixels have the same value."""
    values = view(image)
    return bool(values.min() == values.max())


def axis_lengths(image: sitk.Image) -> tuple[float, ...]:
    """Return the spacing in the axis order of arrays: (z, y, x) or (y, x)."""
    return tuple(reversed(image.GetSpacing()))


def radius_in_voxels(radius: float | None, spacing: tuple[float, ...], default: int = 1) -> tuple[int, ...]:
    """Turn a radius in millimeters into whole voxels along each axis; None gives `default` voxels along each."""
    if radius is None:
        return (default,) * len(spacing)
    return tuple(int(radius / length + 1e-6) for length in spacing)


def slabs(shape: tuple[int, ...], voxels: int = _VOXELS_PER_SLAB) -> Iterator[slice]:
    """Cut the first axis into pieces of about `voxels` voxels, so that long work can be cancelled in between."""
    thickness = max(1, voxels // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], thickness):
        yield slice(start, min(start + thickness, shape[0]))


def blocks(shape: tuple[int, ...], edge: int, margin: int) -> Iterator[Block]:
    """Cut an array into blocks of `edge` voxels along each axis, each with a margin that its neighbors share.

    Yields
    ------
    Block
        Where to read (with margin), what of the result to keep, and where to put it.
    """
    for corner in itertools.product(*(range(0, length, edge) for length in shape)):
        source = tuple(slice(max(0, start - margin), start + edge + margin) for start in corner)
        offsets = (start - part.start for start, part in zip(corner, source, strict=True))
        inner = tuple(slice(offset, offset + edge) for offset in offsets)
        yield source, inner, tuple(slice(start, start + edge) for start in corner)


def with_minimum_size(image: sitk.Image, size: int) -> sitk.Image:
    """Repeat the last pixels along axes shorter than `size`, which some ITK filters cannot handle."""
    missing = [max(0, size - length) for length in image.GetSize()]
    if not any(missing):
        return image
    return sitk.ZeroFluxNeumannPad(image, [0] * len(missing), missing)


def cropped_like(image: sitk.Image, reference: sitk.Image) -> sitk.Image:
    """Take off again what :func:`with_minimum_size` added to an image of the size of `reference`."""
    if image.GetSize() == reference.GetSize():
        return image
    return sitk.RegionOfInterest(image, reference.GetSize(), [0] * image.GetDimension())
