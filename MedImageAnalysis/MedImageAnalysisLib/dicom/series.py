"""From a DICOM file or folder to one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..analysis import ImageInfo, SlicePlacement
from ..errors import GeometryError, UnsupportedImageError
from ..formats.color import LUMINANCE_CORRECTION
from ..formats.limits import check_size
from ..progress import Progress
from .checks import Stack, arrange, in_one_frame, without_copies, without_localizers
from .description import PROJECTIONS, describe
from .folder import Series, only_series, series_of_files
from .header import Plane, planes, read_header, require_pydicom
from .pixels import AIR, fitting_type, is_exact, padding_mask, real_range, real_values, stored_values
from .straighten import straightened

__all__ = ["read_dicom", "read_dicom_files", "read_series"]

_MONOCHROME1 = "inverted MONOCHROME1 to MONOCHROME2 (lowest + highest storable value - value)"


def read_dicom(path: Path, color: str, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    """Read one DICOM file, or the one series that a folder holds; see :func:`MedImageAnalysisLib.image.read_image`."""
    require_pydicom()
    warnings: tuple[str, ...] = ()
    if path.is_dir():
        series, warnings = only_series(path, progress.part(0.0, 0.3))
    else:
        header = read_header(path)
        series = Series(header, planes(header, path))
    pixels, info = read_series(series, color, progress.part(0.3, 1.0))
    return pixels, replace(info, warnings=warnings + info.warnings)


def read_dicom_files(files: Sequence[Path], color: str, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    """Read the files of one series, which may lie in several folders or among files of other series."""
    require_pydicom()
    series = series_of_files(files, progress.part(0.0, 0.3))
    return read_series(series, color, progress.part(0.3, 1.0))


def read_series(series: Series, color: str, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    """Check the planes of a series, decode them and put them together.

    Returns
    -------
    sitk.Image
        2D for a single plane, else 3D on a straight and even grid.
    ImageInfo
        Names all corrections.
    """
    found, copies = without_copies(series.planes)
    found, localizers = without_localizers(found)
    found, frames = in_one_frame(found)
    first = found[0]
    _check_color(first, color)
    info, spacing = describe(series.header, first)
    info = replace(info, corrections=copies + localizers + frames)
    if len(found) == 1:
        pixels, info = _pixels(found, info, progress)
        return _single(pixels, first, spacing, info)
    stack = arrange(found)
    check_size(first.path, first.rows * first.columns * len(found) * ((first.format.bits_stored + 7) // 8))
    if not info.spacing_source:
        raise GeometryError(f"The {len(found)} slices beside '{first.path.name}' have no pixel spacing. Export again.")
    pixels, info = _pixels(stack.planes, info, progress.part(0.0, 0.9))
    return _volume(pixels, stack, spacing, info, progress.part(0.9, 1.0))


def _check_color(plane: Plane, color: str) -> None:
    if plane.format.is_color and color == "refuse":
        raise UnsupportedImageError(
            f"'{plane.path.name}' is in color ({plane.format.photometric}) where gray values are needed. "
            "Allow color='luminance', or convert it to gray first."
        )


def _pixels(ordered: tuple[Plane, ...], info: ImageInfo, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    """Fill one image plane by plane, in the smallest type that holds all values."""
    first = ordered[0]
    hounsfield = info.intensity_unit == "HU"
    inverted = first.format.photometric == "MONOCHROME1" and not hounsfield
    whole = all(map(is_exact, ordered))
    size = (first.columns, first.rows, len(ordered))
    volume = sitk.Image(size, _first_guess(ordered) if whole else sitk.sitkFloat32)
    padded = False
    for index, (plane, stored) in enumerate(zip(ordered, stored_values(ordered), strict=True)):
        progress.step("Read slices", index / len(ordered))
        values = real_values(stored, plane, whole, inverted, AIR if hounsfield else None)
        padded = padded or padding_mask(stored, plane) is not None
        if whole:
            volume = _widened(volume, values)
        volume[:, :, index] = sitk.GetImageFromArray(values.astype(_array_type(volume), copy=False))
    corrections = {
        LUMINANCE_CORRECTION: first.format.is_color,
        "applied the Modality LUT": bool(first.format.lut_bits),
        _MONOCHROME1: inverted,
        f"set padding to {'air (-1000 HU)' if hounsfield else 'the lowest value of its slice'}": padded,
        "applied the rescale of each slice, since they differ": len({(p.slope, p.intercept) for p in ordered}) > 1,
    }
    done = tuple(correction for correction, applies in corrections.items() if applies)
    return volume, replace(info, corrections=info.corrections + done)


def _first_guess(ordered: tuple[Plane, ...]) -> int:
    """Return the pixel type that the stored bits ask for, 16 bits where they only might need more."""
    ranges = [real_range(plane) for plane in ordered]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    kind = fitting_type(low, high)
    if np.dtype(kind).itemsize > 2 and max(plane.format.bits_stored for plane in ordered) <= 16:
        kind = np.int16
    return _PIXEL_TYPES[kind]


def _widened(volume: sitk.Image, values: np.ndarray) -> sitk.Image:
    """Return `volume` in a type that also holds `values`."""
    limits = np.iinfo(_array_type(volume))
    low, high = int(values.min()), int(values.max())
    if limits.min <= low and high <= limits.max:
        return volume
    return sitk.Cast(volume, _PIXEL_TYPES[fitting_type(min(low, limits.min), max(high, limits.max))])


_PIXEL_TYPES = {
    np.uint8: sitk.sitkUInt8,
    np.uint16: sitk.sitkUInt16,
    np.int16: sitk.sitkInt16,
    np.int32: sitk.sitkInt32,
    np.uint32: sitk.sitkUInt32,
    np.int64: sitk.sitkInt64,
    np.float32: sitk.sitkFloat32,
}
_ARRAY_TYPES = {pixel_type: array_type for array_type, pixel_type in _PIXEL_TYPES.items()}


def _array_type(volume: sitk.Image) -> type[np.number]:
    return _ARRAY_TYPES[volume.GetPixelID()]


def _single(
    pixels: sitk.Image, plane: Plane, spacing: tuple[float, ...], info: ImageInfo
) -> tuple[sitk.Image, ImageInfo]:
    flat = pixels[:, :, 0]
    flat.SetSpacing(spacing)
    flat.SetOrigin((0.0, 0.0))
    if plane.position and plane.orientation and info.spacing_source and info.modality not in PROJECTIONS:
        direction = np.stack([plane.orientation[:3], plane.orientation[3:], plane.normal], axis=1)
        placement = SlicePlacement(
            plane.position, (*spacing, plane.thickness or 1.0), tuple(map(float, direction.ravel()))
        )
        info = replace(info, placement=placement)
    return flat, info


def _volume(
    slices: sitk.Image, stack: Stack, spacing: tuple[float, ...], info: ImageInfo, progress: Progress
) -> tuple[sitk.Image, ImageInfo]:
    """Give the slices their place in space, straightened if they need it."""
    first = stack.planes[0]
    axes = np.reshape(first.orientation, (2, 3))
    origin = np.array(first.position)
    if stack.is_tilted or not stack.is_even:
        fill = AIR if info.intensity_unit == "HU" else float(sitk.GetArrayViewFromImage(slices).min())
        slices, corner, corrections = straightened(slices, stack, spacing, fill, progress)
        origin = origin + np.array(corner) @ axes
        info = replace(info, corrections=info.corrections + corrections)
    else:
        slices.SetSpacing((*spacing, float(stack.gaps.mean())))
    slices.SetOrigin(origin.tolist())
    slices.SetDirection(np.column_stack([*axes, first.normal]).ravel().tolist())
    return slices, info
