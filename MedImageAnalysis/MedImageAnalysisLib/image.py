"""Read an image file or a DICOM folder, and check any image in memory: the one way into the pipeline.

What comes out is always scalar, finite, 2D or 3D, with an orthonormal direction; how it was changed on the way in is
told by :class:`~MedImageAnalysisLib.analysis.ImageInfo`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .analysis import ImageInfo, MedicalImage, SlicePlacement
from .attended import attended
from .errors import GeometryError, InvalidSettingError, UnreadableImageError, UnsupportedImageError
from .formats.limits import check_dimension, times
from .progress import Progress

__all__ = ["content_hash", "from_pixels", "read_image", "read_phases"]

_COLOR_MODES = ("refuse", "luminance")
_LABEL_MAP_TYPES = (sitk.sitkLabelUInt8, sitk.sitkLabelUInt16, sitk.sitkLabelUInt32, sitk.sitkLabelUInt64)
_COMPLEX_TYPES = (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)
_FLOAT_TYPES = (sitk.sitkFloat32, sitk.sitkFloat64)
# Directions are stored as text or float32: a larger deviation from orthonormal is a sheared or broken header.
_ORTHONORMAL_TOLERANCE = 1e-3
# From electron microscopy to wider than a body: beyond, squares and cubes of lengths lose all meaning.
_SMALLEST_SPACING, _LARGEST_SPACING = 1e-7, 1e5


def read_image(
    path: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    color: str = "refuse",
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
) -> MedicalImage:
    """Read a DICOM file or series folder, NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF.

    Parameters
    ----------
    path : path, or sequence of path
        A file, a folder that holds one DICOM series, or the files of one DICOM series wherever they lie.
    color : {"refuse", "luminance"}
        What to do with color images: refuse them, or take the luminance (recorded in `info.corrections`).
    progress : Progress

    Returns
    -------
    MedicalImage
        2D for radiographs and single slices (with `info.placement` if the slice has a place in space), else 3D.
        Intensities are rescaled as the file says (HU for CT); display curves (VOI LUT, window) are not applied.

    Raises
    ------
    UnreadableImageError
        If the path is missing, damaged, truncated, empty, or not an image.
    UnsupportedImageError
        If it is an image of a kind that is not handled: color (unless allowed), 4D, a cine, NaN values, ...
    GeometryError
        If slices are missing, doubled, uneven, or of different sizes or orientations.
    MissingPackageError
        If it is DICOM and pydicom is not installed.
    Cancelled
        If the user asked to stop.
    """
    if color not in _COLOR_MODES:
        raise InvalidSettingError(
            f"read_image: 'color' must be one of {', '.join(_COLOR_MODES)}, but is {color!r:.80}."
        )
    paths = (Path(path),) if isinstance(path, (str, os.PathLike)) else tuple(map(Path, path))
    if not paths:
        raise InvalidSettingError("read_image: no files were given.")
    name = paths[0].name
    progress.step(f"Read {name}")
    for one in paths:
        _check_there(one)
    try:
        pixels, info = attended(partial(_read, paths, color), progress)
    except OSError as error:
        raise UnreadableImageError(f"'{name}' cannot be opened: {error.strerror}. Check its permissions.") from error
    image = from_pixels(pixels, info)
    progress.step(f"Read {name}", 1.0)
    return image


def read_phases(path: str | os.PathLike, *, progress: Progress = Progress()) -> tuple[MedicalImage, ...]:  # noqa: B008
    """Read the phases of a heartbeat: a DICOM folder with a cine in several slices, or a 4D NIfTI, NRRD or MetaImage.

    Parameters
    ----------
    path : path
    progress : Progress

    Returns
    -------
    tuple of MedicalImage
        One 3D image per phase, in the order of time, all on one grid.

    Raises
    ------
    UnreadableImageError, UnsupportedImageError, GeometryError, MissingPackageError, Cancelled
        As :func:`read_image`; also where there is one phase only, or slices differ in their number of phases.
    """
    path = Path(path)
    progress.step(f"Read {path.name}")
    _check_there(path)
    from .formats.plain_files import plain_format, read_plain_phases

    try:
        if path.is_file() and plain_format(path):
            volumes = read_plain_phases(path)
        elif path.is_dir():
            from .dicom.phases import read_dicom_phases

            volumes = read_dicom_phases(path, progress)
        else:
            raise UnsupportedImageError(f"'{path.name}' is one DICOM file. Give the folder with all slices and phases.")
    except OSError as error:
        raise UnreadableImageError(
            f"'{path.name}' cannot be opened: {error.strerror}. Check its permissions."
        ) from error
    return tuple(from_pixels(pixels, info) for pixels, info in volumes)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise UnreadableImageError(f"'{path}' does not exist. Check the path.")
    if not path.is_file() and not path.is_dir():
        raise UnreadableImageError(f"'{path.name}' is neither a file nor a folder. Choose an image file or folder.")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableImageError(f"'{path.name}' is empty (0 bytes). Export or copy it again.")


def _read(paths: tuple[Path, ...], color: str, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    from .formats.plain_files import plain_format, read_plain

    if len(paths) == 1 and paths[0].is_file() and plain_format(paths[0]):
        return read_plain(paths[0], color)
    from .dicom.series import read_dicom, read_dicom_files

    if len(paths) == 1:
        return read_dicom(paths[0], color, progress)
    return read_dicom_files(paths, color, progress)


def from_pixels(pixels: sitk.Image, info: ImageInfo = ImageInfo()) -> MedicalImage:  # noqa: B008  frozen
    """Return a checked image; a volume of one slice becomes truly 2D and keeps its place in `info.placement`.

    Parameters
    ----------
    pixels : sitk.Image
        Scalar, 2D or 3D (or more with a single time point). It is not changed.
    info : ImageInfo

    Raises
    ------
    UnsupportedImageError
        For color or vector, complex, label-map, 4D, zero-sized or non-finite pixels. NaN and infinity are refused
        rather than replaced, since no replacement is right for every image.
    GeometryError
        If the direction is not orthonormal or the spacing is not positive.
    """
    _check_type(pixels)
    if 0 in pixels.GetSize():
        raise UnsupportedImageError(f"The image has no pixels: its size is {times(pixels.GetSize())}.")
    check_dimension(pixels.GetSize())
    if pixels.GetDimension() > 3:
        pixels = sitk.Extract(pixels, (*pixels.GetSize()[:3], *[0] * (pixels.GetDimension() - 3)))
    _check_geometry(pixels)
    _check_finite(pixels)
    if pixels.GetDimension() == 3 and 1 in pixels.GetSize():
        pixels, placement = _single_slice(pixels)
        info = replace(info, placement=info.placement or placement)
    return MedicalImage(pixels, info)


def content_hash(pixels: sitk.Image) -> str:
    """Return the SHA-256 (hex) of pixel bytes, pixel type, size, spacing, origin and direction."""
    numbers = (*pixels.GetSpacing(), *pixels.GetOrigin(), *pixels.GetDirection())
    # Adding 0.0 turns -0.0 into 0.0: equal geometry must hash alike.
    geometry = " ".join((value + 0.0).hex() for value in numbers)
    header = f"{pixels.GetPixelIDTypeAsString()} {pixels.GetNumberOfComponentsPerPixel()} {pixels.GetSize()} {geometry}"
    digest = hashlib.sha256(header.encode())
    digest.update(sitk.GetArrayViewFromImage(pixels))
    return digest.hexdigest()


def _check_type(pixels: sitk.Image) -> None:
    if pixels.GetPixelID() in _LABEL_MAP_TYPES:
        raise UnsupportedImageError("The image is a run-length label map. Convert it to a labelmap image first.")
    if pixels.GetPixelID() in _COMPLEX_TYPES:
        raise UnsupportedImageError("The image has complex numbers. Take the magnitude or the phase first.")
    components = pixels.GetNumberOfComponentsPerPixel()
    if components != 1 or "vector" in pixels.GetPixelIDTypeAsString():
        raise UnsupportedImageError(
            f"The image has {components} components per pixel (color or vectors) where gray values are needed. "
            "Read it with color='luminance', or use a preset that allows color."
        )


def _check_geometry(pixels: sitk.Image) -> None:
    if not all(_SMALLEST_SPACING <= spacing <= _LARGEST_SPACING for spacing in pixels.GetSpacing()):
        raise GeometryError(
            f"The spacing {pixels.GetSpacing()} is not one of a medical image ({_SMALLEST_SPACING:g} to "
            f"{_LARGEST_SPACING:g} mm). Correct the header of the image."
        )
    if not all(np.isfinite(pixels.GetOrigin())):
        raise GeometryError(f"The origin {pixels.GetOrigin()} is not finite. Correct the header of the image.")
    dimension = pixels.GetDimension()
    direction = np.reshape(pixels.GetDirection(), (dimension, dimension))
    deviation = np.abs(direction @ direction.T - np.eye(dimension)).max()
    if not deviation <= _ORTHONORMAL_TOLERANCE:
        raise GeometryError(
            f"The axes of the image are not perpendicular (deviation {deviation:.3g}): it is sheared. "
            "Resample it onto a straight grid first."
        )


def _check_finite(pixels: sitk.Image) -> None:
    if pixels.GetPixelID() not in _FLOAT_TYPES:
        return
    values = sitk.GetArrayViewFromImage(pixels)
    # Minimum and maximum carry NaN and infinity along, without a temporary as large as the image.
    if np.isfinite(values.min()) and np.isfinite(values.max()):
        return
    count = int(values.size - np.count_nonzero(np.isfinite(values)))
    raise UnsupportedImageError(
        f"{count} of {values.size} pixels are not finite (NaN or infinity). "
        "Replace them by the value of the background first."
    )


def _single_slice(pixels: sitk.Image) -> tuple[sitk.Image, SlicePlacement]:
    """Return the only slice of a volume as a 2D image, and where it lies."""
    size = pixels.GetSize()
    thin = 2 if size[2] == 1 else size.index(1)
    axes = [axis for axis in range(3) if axis != thin] + [thin]
    direction = np.reshape(pixels.GetDirection(), (3, 3))[:, axes]
    spacing = tuple(pixels.GetSpacing()[axis] for axis in axes)
    placement = SlicePlacement(pixels.GetOrigin(), spacing, tuple(map(float, direction.ravel())))
    collapsed = [0 if axis == thin else size[axis] for axis in range(3)]
    flat = sitk.Extract(pixels, collapsed, (0, 0, 0), sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOIDENTITY)
    flat.SetOrigin((0.0, 0.0))
    return flat, placement
