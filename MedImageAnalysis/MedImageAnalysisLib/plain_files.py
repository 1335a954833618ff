"""Read the image files that are not DICOM: NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF.

The reader is chosen by the file's first bytes (by its name only where the format has no mark), so that a file from a
stranger never reaches any other of ITK's readers.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import SimpleITK as sitk

from .analysis import ImageInfo
from .color import LUMINANCE_CORRECTION, luminance
from .errors import UnreadableImageError, UnsupportedImageError

__all__ = ["check_size", "luminance_image", "plain_format", "read_plain"]

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNGImageIO"),
    (b"\xff\xd8\xff", "JPEGImageIO"),
    (b"II*\x00", "TIFFImageIO"),
    (b"MM\x00*", "TIFFImageIO"),
    (b"NRRD", "NrrdImageIO"),
)
_SUFFIXES = (
    (".nii", "NiftiImageIO"),
    (".nii.gz", "NiftiImageIO"),
    (".mha", "MetaImageIO"),
    (".mhd", "MetaImageIO"),
    (".png", "PNGImageIO"),
    (".jpg", "JPEGImageIO"),
    (".jpeg", "JPEGImageIO"),
    (".tif", "TIFFImageIO"),
    (".tiff", "TIFFImageIO"),
    (".nrrd", "NrrdImageIO"),
    (".nhdr", "NrrdImageIO"),
)
# These store, if anything, the resolution of a print or a screen: not millimeters in the patient.
_WITHOUT_SPACING = ("PNGImageIO", "JPEGImageIO", "TIFFImageIO")
_SPACING_KEYS = {
    "NrrdImageIO": re.compile(rb"^(spacings|space directions):", re.MULTILINE),
    "MetaImageIO": re.compile(rb"^\s*(ElementSpacing|ElementSize)\s*=", re.MULTILINE),
}
_DETACHED = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file:)\s*(.+?)\s*$", re.MULTILINE)
_HEADER_BYTES = 65536
_FALLBACK_LIMIT = 8 * 1024**3


def plain_format(path: Path) -> str:
    """Return the name of the ITK reader for `path`, or "" if it is none of the plain formats."""
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM":
        return ""
    by_content = next((reader for mark, reader in _SIGNATURES if start.startswith(mark)), "")
    name = path.name.lower()
    return by_content or next((reader for suffix, reader in _SUFFIXES if name.endswith(suffix)), "")


def read_plain(path: Path, color: str) -> tuple[sitk.Image, ImageInfo]:
    """Read one file that :func:`plain_format` knows; see :func:`MedImageAnalysisLib.image.read_image`."""
    image_io = plain_format(path)
    header = _header(path)
    _check_detached(path, header)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        check_size(path, _byte_count(reader))
        pixels = reader.Execute()
    except RuntimeError as error:
        raise UnreadableImageError(
            f"'{path.name}' cannot be read: it is damaged, truncated, or not the kind of file its name says."
        ) from error
    corrections: tuple[str, ...] = ()
    if pixels.GetNumberOfComponentsPerPixel() > 1:
        if color == "refuse":
            raise UnsupportedImageError(
                f"'{path.name}' has {pixels.GetNumberOfComponentsPerPixel()} components per pixel (color or vectors) "
                "where gray values are needed. Allow color='luminance', or convert it to gray first."
            )
        pixels = luminance_image(pixels, path.name)
        corrections = (LUMINANCE_CORRECTION,)
    source, warnings = _spacing_source(image_io, header)
    if not source:
        pixels.SetSpacing([1.0] * pixels.GetDimension())
    return pixels, ImageInfo(spacing_source=source, corrections=corrections, warnings=warnings)


def luminance_image(pixels: sitk.Image, name: str) -> sitk.Image:
    """Return the luminance of a color image of 2 to 4 components, with its geometry."""
    if pixels.GetNumberOfComponentsPerPixel() > 4 or "complex" in pixels.GetPixelIDTypeAsString():
        raise UnsupportedImageError(
            f"'{name}' has {pixels.GetNumberOfComponentsPerPixel()} components per pixel: vectors, not colors. "
            "Extract one component first."
        )
    gray = sitk.GetImageFromArray(luminance(sitk.GetArrayViewFromImage(pixels)))
    gray.CopyInformation(pixels)
    return gray


def check_size(path: Path, byte_count: int) -> None:
    """Refuse an image that would fill the memory, be it real or a header that lies."""
    limit = _memory_limit()
    if byte_count > limit:
        raise UnsupportedImageError(
            f"'{path.name}' says that it needs {byte_count / 1024**3:.1f} GB of memory, more than half of this "
            f"computer's ({limit / 1024**3:.1f} GB). It is damaged, or must be cropped or resampled first."
        )


def _memory_limit() -> int:
    """Return half of the physical memory in bytes; 8 GB where it cannot be asked."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return _FALLBACK_LIMIT


def _byte_count(reader: sitk.ImageFileReader) -> int:
    count = reader.GetNumberOfComponents()
    for length in reader.GetSize():
        count *= length
    bits = re.search(r"(\d+)-bit", sitk.GetPixelIDValueAsString(reader.GetPixelID()))
    return count * (int(bits[1]) // 8 if bits else 8)


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES)


def _check_detached(path: Path, header: bytes) -> None:
    """Refuse headers that point out of their own folder."""
    if path.suffix.lower() not in (".mhd", ".nhdr"):
        return
    for target in _DETACHED.findall(header):
        name = target.decode("utf-8", "replace")
        if Path(name).name != name and name not in (".", "./" + Path(name).name):
            raise UnreadableImageError(f"'{path.name}' points to pixels outside its own folder. Put them beside it.")


def _spacing_source(image_io: str, header: bytes) -> tuple[str, tuple[str, ...]]:
    """Return where the spacing comes from ("" if it is unknown) and the warnings this gives."""
    key = _SPACING_KEYS.get(image_io)
    if image_io in _WITHOUT_SPACING or (key and not key.search(header)):
        return "", ("The file does not tell the pixel spacing: lengths are in pixels.",)
    return "file header", ()
