"""Read the headers of DICOM files: without pixels, without identity, and with clear errors for damaged files."""

from __future__ import annotations

import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingPackageError, UnreadableImageError, UnsupportedImageError
from ..formats.limits import check_size

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "PixelFormat",
    "Plane",
    "check_inflated",
    "damage_as_error",
    "is_dicom",
    "numbers",
    "planes",
    "read_header",
    "require_pydicom",
]

Vector = tuple[float, ...]

# What is read of a header. Nothing here names the patient; birth date and study date only give the age.
_TAGS = """
    BitsAllocated BitsStored BodyPartExamined Columns EstimatedRadiographicMagnificationFactor FrameOfReferenceUID
    ImageOrientationPatient ImagePositionPatient ImagerPixelSpacing ImageType InstanceNumber Modality
    ModalityLUTSequence NominalScannedPixelSpacing NumberOfFrames PatientAge PatientBirthDate PatientSex
    PerFrameFunctionalGroupsSequence PhotometricInterpretation PixelPaddingRangeLimit PixelPaddingValue
    PixelRepresentation PixelSpacing RedPaletteColorLookupTableDescriptor RescaleIntercept RescaleSlope RescaleType
    Rows SamplesPerPixel SequenceOfUltrasoundRegions SeriesInstanceUID SeriesNumber SharedFunctionalGroupsSequence
    SliceThickness SOPClassUID SOPInstanceUID StudyDate TemporalPositionIdentifier TriggerTime ViewPosition
    VOILUTSequence
"""

# PS3.3 C.7.6.3.1.2, with the retired ones that still occur in grayscale and color archives.
_PHOTOMETRIC = frozenset(
    {
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "XYB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT",
        "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_RCT",
    }
)  # fmt: skip
# Objects that hold no picture, or none that is an image of the patient, by the start of their SOP Class UID.
_NOT_IMAGES = (
    ("1.2.840.10008.1.3.10", "directory (DICOMDIR)"),
    ("1.2.840.10008.5.1.4.1.1.66", "segmentation, registration or raw data object"),
    ("1.2.840.10008.5.1.4.1.1.88", "structured report"),
    ("1.2.840.10008.5.1.4.1.1.481", "radiotherapy object"),
    ("1.2.840.10008.5.1.4.1.1.11", "presentation state"),
    ("1.2.840.10008.5.1.4.1.1.9", "waveform"),
    ("1.2.840.10008.5.1.4.1.1.104", "encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.30", "parametric map"),
)
_RADIOTHERAPY_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"

# What pydicom raises for files that are cut off or scrambled.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, RuntimeError, struct.error,
    TypeError, ValueError, zlib.error,
)  # fmt: skip

_DEFLATED = b"1.2.840.10008.1.2.1.99"
# The file meta information is shorter than the first; files are looked through in pieces of the second.
_META_BYTES, _CHUNK_BYTES = 2048, 1 << 20


# What tells the phases of a heartbeat apart, the most exact first; in files of one plane, in the header itself.
_MOMENTS = (
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("CardiacSynchronizationSequence", "TriggerTime"),
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("FrameContentSequence", "TemporalPositionIdentifier"),
    ("FrameContentSequence", "InstanceNumber"),
)


@dataclass(frozen=True)
class PixelFormat:
    """How the values of a plane are stored.

    Parameters
    ----------
    padding : tuple of int or None
        Lowest and highest stored value that marks "no data".
    lut_bits : int
        Bits of the entries of the Modality LUT, 0 if there is none.
    """

    photometric: str
    samples: int
    bits_stored: int
    signed: bool
    padding: tuple[int, int] | None
    lut_bits: int = 0

    @property
    def is_color(self) -> bool:
        """Tell whether the pixels are colors."""
        return self.samples > 1 or self.photometric == "PALETTE COLOR"

    @property
    def stored_range(self) -> tuple[int, int]:
        """Lowest and highest value that the stored bits can hold."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1


@dataclass(frozen=True)
class Plane:
    """One image plane: a file of its own, or one frame of a multi-frame file.

    Parameters
    ----------
    frame : int
        Index of the frame in its file, from 0.
    position, orientation : tuple of float or None
        Image Position and Image Orientation (Patient): LPS, mm.
    spacing : tuple of float or None
        Along a row (x) and down a column (y), mm; the reverse of DICOM's Pixel Spacing.
    thickness : float or None
        Nominal slice thickness, mm.
    slope, intercept : float
        Of the rescale to real values.
    moment : tuple of float
        When it was taken among the planes at its place, to sort by: times and numbers as far as the file has them.
    """

    path: Path
    frame: int
    instance: str
    series: str
    frame_of_reference: str
    rows: int
    columns: int
    position: Vector | None
    orientation: Vector | None
    spacing: Vector | None
    thickness: float | None
    slope: float
    intercept: float
    rescale_type: str
    localizer: bool
    format: PixelFormat
    moment: tuple[float, ...] = ()

    @property
    def normal(self) -> np.ndarray:
        """Unit vector perpendicular to the plane; needs an orientation."""
        return np.cross(self.orientation[:3], self.orientation[3:])


def require_pydicom() -> None:
    """Raise a MissingPackageError if pydicom, with the decoders that came with version 3, cannot be imported."""
    try:
        import pydicom.pixels  # noqa: F401
    except ImportError as error:
        raise MissingPackageError.of("pydicom>=3", "dicom", "Reading DICOM") from error


def is_dicom(path: Path) -> bool:
    """Tell whether a file has DICOM's mark after its preamble of 128 bytes."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


class _MalformedError(ValueError):
    """An attribute, which is named, holds no such numbers; what it holds may identify the patient and is not said."""


def _is_deflated(path: Path) -> bool:
    """Tell whether all of a DICOM file behind its file meta information is compressed (PS3.5 A.5)."""
    with path.open("rb") as file:
        return _DEFLATED in file.read(_META_BYTES)


def check_inflated(path: Path) -> None:
    """Refuse a deflated file that grows beyond what can be held, before pydicom inflates it as a whole.

    Raises
    ------
    UnreadableImageError
        If it is damaged.
    UnsupportedImageError
        If it is too large.
    """
    if not _is_deflated(path):
        return
    from pydicom.filereader import read_file_meta_info

    with damage_as_error(path), path.open("rb") as file:
        # The preamble and the mark, and the element that tells the length of the rest.
        file.seek(132 + 12 + int(read_file_meta_info(path).FileMetaInformationGroupLength))
        inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        content = file.read(_CHUNK_BYTES)
        while content and not inflate.eof:
            size += len(inflate.decompress(content, _CHUNK_BYTES))
            check_size(path, size)
            content = inflate.unconsumed_tail or file.read(_CHUNK_BYTES)


@contextmanager
def damage_as_error(path: Path) -> Iterator[None]:
    """Turn what pydicom raises for damaged files into a clear error; keep its warnings, which quote values, quiet."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _MalformedError as malformed:
        raise UnreadableImageError(
            f"'{path.name}' is a damaged DICOM file: its {malformed} is malformed. Correct it, or export the image "
            "again."
        ) from None
    except (*_DAMAGE, BytesLengthException, InvalidDicomError):
        # Not chained: pydicom's message may quote bytes of the header, and so the patient's name, into a log.
        raise UnreadableImageError(
            f"'{path.name}' is a damaged or truncated DICOM file. Export or copy it again."
        ) from None


def read_header(path: Path, also: tuple[str, ...] = ()) -> Dataset:
    """Return the header of one DICOM image without its pixels.

    Parameters
    ----------
    also : tuple of str
        Keywords of further attributes, for a caller that must tell patients and studies apart. They may identify the
        patient: keep them out of everything that is written.

    Raises
    ------
    UnreadableImageError
        If it is not DICOM, damaged, or shorter than its header says.
    UnsupportedImageError
        If it is DICOM but not an image: a segmentation, a report, a directory, ...
    """
    require_pydicom()
    from pydicom import dcmread

    marked = is_dicom(path)
    if marked:
        check_inflated(path)
    try:
        with damage_as_error(path):
            header = dcmread(path, stop_before_pixels=True, specific_tags=[*_TAGS.split(), *also], force=not marked)
            plausible = marked or "SOPClassUID" in header
    except UnreadableImageError:
        if marked:
            raise
        plausible = False
    if not plausible:
        raise UnreadableImageError(
            f"'{path.name}' is not an image that can be read: neither DICOM nor NIfTI, NRRD, MetaImage, PNG, JPEG "
            "or TIFF."
        )
    with damage_as_error(path):
        _check_is_image(header, path)
        _check_complete(header, path)
    return header


def planes(header: Dataset, path: Path) -> tuple[Plane, ...]:
    """Return the planes of one file, in the file's order.

    Raises
    ------
    UnsupportedImageError
        If it has several frames without positions in space, e.g. a cine.
    """
    with damage_as_error(path):
        count = int(header.get("NumberOfFrames") or 1)
        groups = header.get("PerFrameFunctionalGroupsSequence") or ()
        if not groups:
            if count > 1:
                raise UnsupportedImageError(
                    f"'{path.name}' holds {count} frames of {header.get('Modality') or 'unknown modality'} without "
                    "positions in space (a cine or a sequence over time). Extract one frame first."
                )
            return (_plane(header, path, 0, [header]),)
        if len(groups) != count:
            raise ValueError("frames and functional groups differ in number")
        shared = list(header.get("SharedFunctionalGroupsSequence") or ())[:1]
        return tuple(_plane(header, path, index, [group, *shared]) for index, group in enumerate(groups))


def numbers(dataset: Dataset, keyword: str, count: int) -> Vector | None:
    """Return `count` finite numbers of an attribute, None if it is absent or empty; a ValueError if it is malformed."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    try:
        values = tuple(map(float, (value,) if count == 1 else value))
    except (TypeError, ValueError):
        raise _MalformedError(keyword) from None
    if len(values) != count or not all(map(math.isfinite, values)):
        raise _MalformedError(keyword)
    return values


def _plane(header: Dataset, path: Path, frame: int, sources: list[Dataset]) -> Plane:
    """Build one plane; `sources` are the header itself, or the frame's own and the shared functional groups."""

    def find(sequence: str, keyword: str, count: int) -> Vector | None:
        for source in sources:
            holder = source if source is header else next(iter(source.get(sequence) or ()), None)
            value = numbers(holder, keyword, count) if holder is not None else None
            if value is not None:
                return value
        return None

    spacing = find("PixelMeasuresSequence", "PixelSpacing", 2)
    slope = (find("PixelValueTransformationSequence", "RescaleSlope", 1) or (1.0,))[0]
    if slope == 0:
        raise UnreadableImageError(f"'{path.name}' has a rescale slope of 0, which leaves nothing of the image.")
    return Plane(
        path=path,
        frame=frame,
        instance=str(header.get("SOPInstanceUID", "")),
        series=str(header.get("SeriesInstanceUID", "")),
        frame_of_reference=str(header.get("FrameOfReferenceUID", "")),
        rows=int(header.Rows),
        columns=int(header.Columns),
        position=find("PlanePositionSequence", "ImagePositionPatient", 3),
        orientation=find("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        spacing=spacing[::-1] if spacing and min(spacing) > 0 else None,
        thickness=(find("PixelMeasuresSequence", "SliceThickness", 1) or (None,))[0],
        slope=slope,
        intercept=(find("PixelValueTransformationSequence", "RescaleIntercept", 1) or (0.0,))[0],
        rescale_type=_rescale_type(sources, header),
        localizer="LOCALIZER" in (header.get("ImageType") or ()),
        format=_format(header),
        moment=_moment(find),
    )


def _moment(find: Callable[[str, str, int], Vector | None]) -> tuple[float, ...]:
    """Return the times and numbers of `_MOMENTS`, 0 where one is absent or malformed: few images need them."""
    values = []
    for sequence, keyword in _MOMENTS:
        try:
            found = find(sequence, keyword, 1)
        except (TypeError, ValueError):
            found = None
        values.append(found[0] if found else 0.0)
    return tuple(values)


def _rescale_type(sources: list[Dataset], header: Dataset) -> str:
    for source in sources:
        holder = source if source is header else next(iter(source.get("PixelValueTransformationSequence") or ()), None)
        if holder is not None and holder.get("RescaleType"):
            return str(holder.RescaleType).upper()
    return ""


def _format(header: Dataset) -> PixelFormat:
    padding = None
    if isinstance(header.get("PixelPaddingValue"), int):
        limit = header.get("PixelPaddingRangeLimit")
        ends = (header.PixelPaddingValue, limit if isinstance(limit, int) else header.PixelPaddingValue)
        padding = (min(ends), max(ends))
    # Some write an empty table where there is none.
    lut = (next(iter(header.get("ModalityLUTSequence") or ()), None) or {}).get("LUTDescriptor")
    palette = header.get("RedPaletteColorLookupTableDescriptor")
    photometric = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    stored = palette[2] if photometric == "PALETTE COLOR" and palette else header.get("BitsStored")
    bits_stored = int(stored or header.BitsAllocated)
    if not 1 <= bits_stored <= 64:
        raise ValueError("the number of stored bits is impossible")
    return PixelFormat(
        photometric=photometric,
        samples=int(header.get("SamplesPerPixel") or 1),
        bits_stored=bits_stored,
        signed=bool(header.get("PixelRepresentation")),
        padding=padding,
        lut_bits=int(lut[2]) if lut else 0,
    )


def _check_is_image(header: Dataset, path: Path) -> None:
    kind = str(header.get("SOPClassUID", ""))
    for start, name in _NOT_IMAGES:
        if kind != _RADIOTHERAPY_IMAGE and (kind == start or kind.startswith(start + ".")):
            raise UnsupportedImageError(
                f"'{path.name}' is a DICOM {name}, not an image. Choose the image it belongs to; "
                "a segmentation is given as the segmentation instead."
            )
    if "MOSAIC" in (header.get("ImageType") or ()):
        raise UnsupportedImageError(
            f"'{path.name}' is a mosaic: all slices of a volume side by side in one image. Export it as single slices."
        )
    photometric = header.get("PhotometricInterpretation") or "MONOCHROME2"
    if photometric not in _PHOTOMETRIC:
        raise UnsupportedImageError(
            f"'{path.name}' says a photometric interpretation that DICOM does not know, so that its values have no "
            "meaning. Export it again as MONOCHROME2."
        )
    if photometric == "PALETTE COLOR" and "RedPaletteColorLookupTableDescriptor" not in header:
        raise UnreadableImageError(f"'{path.name}' has colors by palette, but no palette. Export it again.")
    if not header.get("Rows") or not header.get("Columns"):
        raise UnreadableImageError(
            f"'{path.name}' is DICOM but holds no image, or is truncated before it. Choose a file with an image."
        )


def _check_complete(header: Dataset, path: Path) -> None:
    """Compare the size of the file with what its header promises; only uncompressed pixels can be told."""
    bits = int(header.BitsAllocated) * int(header.get("SamplesPerPixel") or 1)
    pixels = int(header.Rows) * int(header.Columns) * int(header.get("NumberOfFrames") or 1)
    promised = pixels * bits // 8
    check_size(path, promised)
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    compressed = syntax is not None and (syntax.is_compressed or syntax.is_deflated)
    if not compressed and os.path.getsize(path) < promised:
        raise UnreadableImageError(
            f"'{path.name}' is truncated: it has {os.path.getsize(path)} bytes, its pixels alone need {promised}. "
            "Export or copy it again."
        )
