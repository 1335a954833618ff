"""From a DICOM file or folder to one image."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..analysis import ImageInfo, SlicePlacement
from ..color import LUMINANCE_CORRECTION
from ..errors import GeometryError, UnreadableImageError, UnsupportedImageError
from ..progress import Progress
from .checks import Stack, arrange, without_copies, without_localizers
from .description import PROJECTIONS, describe
from .header import Plane, planes, read_header
from .pixels import AIR, fitting_type, is_exact, padding_mask, real_range, real_values, stored_values

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["read_dicom"]

_MONOCHROME1 = "inverted MONOCHROME1 to MONOCHROME2 (lowest + highest storable value - value)"
_MOST_FILES = 20_000


def read_dicom(path: Path, color: str, progress: Progress) -> tuple[sitk.Image, ImageInfo]:
    """Read one DICOM file, or the one series that a folder holds; see :func:`MedImageAnalysisLib.image.read_image`."""
    if path.is_dir():
        header, found, notes = _series_of_folder(path, progress.part(0.0, 0.3))
    else:
        header = read_header(path)
        found, notes = planes(header, path), ImageInfo()
    found, copies = without_copies(found)
    found, localizers = without_localizers(found)
    info, spacing = describe(header, found[0])
    info = replace(
        info,
        corrections=notes.corrections + copies + localizers + info.corrections,
        warnings=notes.warnings + info.warnings,
    )
    _check_color(found[0], color, path)
    stack = arrange(found) if len(found) > 1 else None
    ordered = stack.planes if stack else found
    pixels, info = _pixels(ordered, info, progress.part(0.3, 1.0))
    if stack is None:
        return _single(pixels, ordered[0], spacing, info)
    if not info.spacing_source:
        raise GeometryError(f"'{path.name}' has several slices but no pixel spacing. Export the series again.")
    return _placed(pixels, stack, spacing), info


def _series_of_folder(folder: Path, progress: Progress) -> tuple[Dataset, tuple[Plane, ...], ImageInfo]:
    """Read all headers below `folder`; there must be exactly one series of images."""
    files = _files(folder)
    headers: list[Dataset] = []
    found: list[Plane] = []
    others: list[str] = []
    for index, file in enumerate(files):
        progress.step("Read headers", index / len(files))
        try:
            header = read_header(file)
        except UnsupportedImageError:
            others.append(file.name)
            continue
        found.extend(planes(header, file))
        headers.append(header)
    if not found:
        raise UnreadableImageError(f"'{folder.name}' holds no DICOM images.")
    series = {plane.series for plane in found}
    if len(series) > 1:
        raise UnsupportedImageError(f"'{folder.name}' holds {len(series)} series. Give a folder with one.")
    warnings = (f"{len(others)} DICOM objects that are not images were ignored.",) if others else ()
    return headers[0], tuple(found), ImageInfo(warnings=warnings)


def _files(folder: Path) -> list[Path]:
    files = [Path(root, name) for root, _, names in os.walk(folder) for name in names if not name.startswith(".")]
    if len(files) > _MOST_FILES:
        raise UnreadableImageError(f"'{folder.name}' holds {len(files)} files. Give the folder of one series.")
    return sorted(files)


def _check_color(plane: Plane, color: str, path: Path) -> None:
    if plane.format.samples > 1 and color == "refuse":
        raise UnsupportedImageError(
            f"'{path.name}' is in color ({plane.format.photometric}) where gray values are needed. "
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
    corrections = (LUMINANCE_CORRECTION,) if first.format.samples > 1 else ()
    corrections += (_MONOCHROME1,) if inverted else ()
    if padded:
        corrections += (f"set padding to {'air (-1000 HU)' if hounsfield else 'the lowest value of its slice'}",)
    if len({(plane.slope, plane.intercept) for plane in ordered}) > 1:
        corrections += ("applied the rescale of each slice, since they differ",)
    return volume, replace(info, corrections=info.corrections + corrections)


def _first_guess(ordered: tuple[Plane, ...]) -> int:
    """Return the pixel type that the stored bits ask for, 16 bits where they only might need more."""
    ranges = [real_range(plane) for plane in ordered]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    kind = fitting_type(low, high)
    if kind in (np.int32, np.int64) and max(plane.format.bits_stored for plane in ordered) <= 16:
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


def _placed(pixels: sitk.Image, stack: Stack, spacing: tuple[float, ...]) -> sitk.Image:
    first = stack.planes[0]
    direction = np.stack([first.orientation[:3], first.orientation[3:], first.normal], axis=1)
    pixels.SetSpacing((*spacing, float(stack.gaps.mean())))
    pixels.SetOrigin(first.position)
    pixels.SetDirection(tuple(map(float, direction.ravel())))
    return pixels
