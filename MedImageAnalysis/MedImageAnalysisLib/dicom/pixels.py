"""Decode the pixels of DICOM planes, one at a time, and turn stored values into real ones."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..errors import MissingPackageError
from ..formats.color import luminance
from .header import Plane, damage_as_error

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

__all__ = ["AIR", "fitting_type", "is_exact", "padding_mask", "real_range", "real_values", "stored_values"]

AIR = -1000  # HU, by definition of the Hounsfield scale
_WHOLE_TYPES = (np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64)
# Below these, values and the sum of two values fit into int32 and int64.
_INT32_LIMIT = 1 << 30
_EXACT_LIMIT = 1 << 62
_PIXEL_MODULE = (
    "SamplesPerPixel",
    "PlanarConfiguration",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


def stored_values(planes: Sequence[Plane]) -> Iterator[np.ndarray]:
    """Yield the stored values of each plane, shape (rows, columns); colors as luminance. One plane is held at a time.

    Raises
    ------
    UnreadableImageError
        If the pixels are damaged or truncated.
    MissingPackageError
        If no decoder for their compression is installed.
    """
    for path, group in itertools.groupby(planes, key=lambda plane: plane.path):
        members = list(group)
        with damage_as_error(path):
            for values in _decoded(path, members):
                yield luminance(values) if values.ndim == 3 else values


def is_exact(plane: Plane) -> bool:
    """Tell whether the rescale of a plane keeps whole numbers whole, and small enough to compute with."""
    whole = plane.slope.is_integer() and plane.intercept.is_integer()
    return whole and max(map(abs, real_range(plane))) < _EXACT_LIMIT


def real_range(plane: Plane) -> tuple[float, float]:
    """Return the lowest and highest real value that the stored bits of a plane can mean."""
    if plane.format.lut_bits:
        return 0.0, float((1 << plane.format.lut_bits) - 1)
    low, high = sorted(value * plane.slope + plane.intercept for value in plane.format.stored_range)
    return low, high


def real_values(stored: np.ndarray, plane: Plane, whole: bool, inverted: bool, fill: int | None) -> np.ndarray:
    """Return stored values rescaled, then inverted if asked, with padding replaced.

    Parameters
    ----------
    stored : numpy.ndarray, shape (rows, columns)
    whole : bool
        Compute in whole numbers (the rescale must be exact); else the result is float32.
    inverted : bool
        Mirror the values in the range that the stored bits can mean: high becomes low.
    fill : int or None
        Value of padding; None for the lowest value that is not padding.
    """
    if plane.format.lut_bits:
        values = _looked_up(stored, plane)
    elif whole:
        small = max(map(abs, real_range(plane))) < _INT32_LIMIT and stored.dtype.itemsize <= 2
        values = stored.astype(np.int32 if small else np.int64)
        values *= int(plane.slope)
        values += int(plane.intercept)
    else:
        # In float64 for one plane at a time: exact for 16 bits, and rounded once.
        values = (stored * plane.slope + plane.intercept).astype(np.float32)
    if inverted:
        values = values.dtype.type(sum(real_range(plane))) - values
    padding = padding_mask(stored, plane)
    if padding is not None and not padding.all():
        values[padding] = values[~padding].min() if fill is None else fill
    return values


def padding_mask(stored: np.ndarray, plane: Plane) -> np.ndarray | None:
    """Return where the plane holds padding, or None if nowhere."""
    if plane.format.padding is None:
        return None
    low, high = plane.format.padding
    mask = (stored >= low) & (stored <= high)
    return mask if mask.any() else None


def fitting_type(low: float, high: float) -> type[np.integer]:
    """Return the smallest whole-number type that holds `low` to `high`; bytes only for values from 0."""
    fitting = (kind for kind in _WHOLE_TYPES if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return next(fitting, np.int64)


def _looked_up(stored: np.ndarray, plane: Plane) -> np.ndarray:
    """Return stored values replaced by those of the file's Modality LUT (PS3.3 C.11.1)."""
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut

    header = dcmread(plane.path, stop_before_pixels=True, force=True)
    return apply_modality_lut(stored, header).astype(np.int32)


def _decoded(path: Path, planes: Sequence[Plane]) -> Iterator[np.ndarray]:
    """Yield the frames of one file: gray of shape (rows, columns), or RGB of shape (rows, columns, 3)."""
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut, iter_pixels

    frames = [plane.frame for plane in planes]
    header = dcmread(path, stop_before_pixels=True, force=True)
    syntax = _transfer_syntax(header)
    if not _has_decoder(syntax):
        decoded = _decoded_by_gdcm(path, frames, syntax)
    elif "TransferSyntaxUID" in getattr(header, "file_meta", ()) and not syntax.is_deflated:
        decoded = iter_pixels(path, indices=frames)
    else:
        # pydicom finds the pixels in a file only if it states how they are stored and is not deflated.
        dataset = dcmread(path, force=True)
        dataset.file_meta.TransferSyntaxUID = syntax
        decoded = iter_pixels(dataset, indices=frames)
    palette = planes[0].format.photometric == "PALETTE COLOR"
    return (apply_color_lut(frame, header) for frame in decoded) if palette else decoded


def _transfer_syntax(header: Dataset) -> UID:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    stated = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if stated:
        return stated
    implicit, little_endian = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian


def _has_decoder(syntax: UID) -> bool:
    """Tell whether pydicom can decode a transfer syntax with the packages that are installed."""
    from pydicom.pixels import get_decoder

    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def _decoded_by_gdcm(path: Path, frames: Sequence[int], syntax: UID) -> Iterator[np.ndarray]:
    """Decode compressed frames by the GDCM inside SimpleITK, for a pydicom without decoders as in 3D Slicer.

    Each frame is handed over as a bare file of its own, so that nothing but the stored values comes back.
    """
    from pydicom import Dataset, FileMetaDataset, dcmread
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

    source = dcmread(path, force=True)
    count = int(source.get("NumberOfFrames") or 1)
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = syntax
    bare.SOPClassUID = bare.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword in _PIXEL_MODULE:
        if keyword in source:
            bare[keyword] = source[keyword]
    if bare.SamplesPerPixel == 1:
        # ITK would invert MONOCHROME1, and look up palettes, by itself.
        bare.PhotometricInterpretation = "MONOCHROME2"
    for frame in frames:
        bare.PixelData = encapsulate([get_frame(source.PixelData, frame, number_of_frames=count)])
        bare["PixelData"].VR = "OB"
        with tempfile.TemporaryDirectory(prefix="medimage-") as folder:
            file = Path(folder, "frame.dcm")
            bare.save_as(file, enforce_file_format=True)
            try:
                image = sitk.ReadImage(str(file), imageIO="GDCMImageIO")
            except RuntimeError as error:
                purpose = f"Reading '{path.name}', which is compressed as {syntax.name},"
                raise MissingPackageError.of("pylibjpeg", "dicom", purpose) from error
        yield sitk.GetArrayFromImage(image)[0]
