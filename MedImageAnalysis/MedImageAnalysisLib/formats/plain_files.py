"""Read the image files that are not DICOM: NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF.

The reader is chosen by the file's first bytes (by its name only where the format has no mark), so that a file from a
stranger never reaches any other of ITK's readers.
"""

from __future__ import annotations

import re
from pathlib import Path

import SimpleITK as sitk

from ..analysis import ImageInfo
from ..errors import UnreadableImageError, UnsupportedImageError
from .color import LUMINANCE_CORRECTION, luminance
from .limits import check_dimension, check_size, times
from .nifti import checked_nifti
from .tiff import is_white_zero

__all__ = ["detached_pixels", "plain_format", "read_components", "read_plain", "read_plain_phases"]

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
_WITH_DETACHED_PIXELS = (".mhd", ".nhdr")
_SPACING_KEYS = {
    "NrrdImageIO": re.compile(rb"^(spacings|space directions):", re.MULTILINE),
    "MetaImageIO": re.compile(rb"^\s*(ElementSpacing|ElementSize)\s*[=:]", re.MULTILINE),
}
# What follows these is pixels, which no reader takes for header lines.
_HEADER_ENDS = {
    "NrrdImageIO": re.compile(rb"\r?\n\r?\n"),
    "MetaImageIO": re.compile(rb"^\s*ElementDataFile\s*[=:].*\n", re.MULTILINE),
}
_UNKNOWN_SPACING = "The file does not tell the pixel spacing: lengths are in pixels."
_WHITE_IS_ZERO = "inverted white-is-zero to black-is-zero (highest storable value - value)"
_DETACHED = re.compile(rb"^\s*(?:ElementDataFile\s*[=:]|data ?file:)\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_HEADER_BYTES = 65536


def plain_format(path: Path) -> str:
    """Return the name of the ITK reader for `path`, or "" if it is none of the plain formats."""
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM":
        return ""
    by_content = next((reader for mark, reader in _SIGNATURES if start.startswith(mark)), "")
    name = path.name.lower()
    return by_content or next((reader for suffix, reader in _SUFFIXES if name.endswith(suffix)), "")


def detached_pixels(path: Path) -> tuple[Path, ...]:
    """Return the files beside a header file (.mhd, .nhdr) that hold its pixels."""
    if path.suffix.lower() not in _WITH_DETACHED_PIXELS:
        return ()
    names = (target.decode("utf-8", "replace").removeprefix("./") for target in _DETACHED.findall(_header(path)))
    return tuple(file for file in (path.with_name(Path(name).name) for name in names) if file.is_file())


def read_plain(path: Path, color: str) -> tuple[sitk.Image, ImageInfo]:
    """Read one file that :func:`plain_format` knows; see :func:`MedImageAnalysisLib.image.read_image`."""
    pixels, knows_spacing = read_components(path)
    corrections: tuple[str, ...] = ()
    if pixels.GetNumberOfComponentsPerPixel() > 1:
        pixels = _gray(pixels, path.name, color)
        corrections = (LUMINANCE_CORRECTION,)
    elif plain_format(path) == "TIFFImageIO" and is_white_zero(path):
        pixels = sitk.InvertIntensity(pixels, 255 if pixels.GetPixelID() == sitk.sitkUInt8 else 65535)
        corrections = (_WHITE_IS_ZERO,)
    if knows_spacing:
        return pixels, ImageInfo(spacing_source="file header", corrections=corrections)
    return pixels, ImageInfo(corrections=corrections, warnings=(_UNKNOWN_SPACING,))


def read_plain_phases(path: Path) -> tuple[tuple[sitk.Image, ImageInfo], ...]:
    """Read one 4D file; return its volumes in the order of time."""
    pixels, knows_spacing = read_components(path, over_time=True)
    size = pixels.GetSize()
    if len(size) < 4 or size[3] < 2:
        raise UnsupportedImageError(
            f"'{path.name}' holds one time point ({times(size)}), where the phases of a heartbeat are needed."
        )
    info = ImageInfo(spacing_source="file header") if knows_spacing else ImageInfo(warnings=(_UNKNOWN_SPACING,))
    return tuple((sitk.Extract(pixels, (*size[:3], 0), (0, 0, 0, phase)), info) for phase in range(size[3]))


def read_components(path: Path, *, over_time: bool = False) -> tuple[sitk.Image, bool]:
    """Read one file that :func:`plain_format` knows, with all its components and header fields.

    Series over time are refused unless `over_time` is set.

    Returns
    -------
    sitk.Image
        With spacing 1 if that is not known.
    bool
        Whether the spacing is known.
    """
    image_io = plain_format(path)
    if image_io == "NiftiImageIO":
        with checked_nifti(path, over_time=over_time) as (file, header):
            pixels = _execute(file, image_io, path.name, over_time)
        knows_spacing = header.knows_spacing
    else:
        start = _header(path)
        if image_io in _SPACING_KEYS:
            _check_detached(path, start)
        if image_io == "JPEGImageIO":
            _check_jpeg_end(path)
        pixels = _execute(path, image_io, path.name, over_time)
        key = _SPACING_KEYS.get(image_io)
        # PNG, JPEG and TIFF tell, if anything, the resolution of a print or a screen: not millimeters in the patient.
        knows_spacing = key is not None and bool(key.search(start))
    if not knows_spacing:
        pixels.SetSpacing([1.0] * pixels.GetDimension())
    return pixels, knows_spacing


def _execute(file: Path, image_io: str, name: str, over_time: bool) -> sitk.Image:
    """Read `file` with one ITK reader, after a look at the size and dimension that its header gives."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
        check_dimension(reader.GetSize(), over_time=over_time)
        stored = 0 if file.suffix.lower() in _WITH_DETACHED_PIXELS or image_io == "TIFFImageIO" else file.stat().st_size
        check_size(Path(name), _byte_count(reader), stored)
        return reader.Execute()
    except RuntimeError as error:
        raise UnreadableImageError(
            f"'{name}' cannot be read: it is damaged, truncated, or not the kind of file its name says."
        ) from error


def _gray(pixels: sitk.Image, name: str, color: str) -> sitk.Image:
    """Return the luminance of a color image of 2 to 4 components, with its geometry."""
    components = pixels.GetNumberOfComponentsPerPixel()
    if components > 4 or "complex" in pixels.GetPixelIDTypeAsString():
        raise UnsupportedImageError(
            f"'{name}' has {components} components per pixel: vectors, not colors. Extract one component first."
        )
    if color == "refuse":
        raise UnsupportedImageError(
            f"'{name}' has {components} components per pixel (color) where gray values are needed. "
            "Allow color='luminance', or convert it to gray first."
        )
    gray = sitk.GetImageFromArray(luminance(sitk.GetArrayViewFromImage(pixels)))
    gray.CopyInformation(pixels)
    return gray


def _byte_count(reader: sitk.ImageFileReader) -> int:
    count = reader.GetNumberOfComponents()
    for length in reader.GetSize():
        count *= length
    bits = re.search(r"(\d+)-bit", sitk.GetPixelIDValueAsString(reader.GetPixelID()))
    return count * (int(bits[1]) // 8 if bits else 8)


def _header(path: Path) -> bytes:
    """Return the beginning of a file; of NRRD and MetaImage this is the whole text header, or the file is refused."""
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
        more = bool(file.read(1))
    if more and plain_format(path) in _HEADER_ENDS and not _HEADER_ENDS[plain_format(path)].search(start):
        raise UnreadableImageError(
            f"'{path.name}' has a header of more than {_HEADER_BYTES} bytes. Save the image again without comments."
        )
    return start


def _check_detached(path: Path, header: bytes) -> None:
    """Refuse headers that point out of their own folder or list many files: a stranger's file must not read others."""
    for target in _DETACHED.findall(header):
        name = target.decode("utf-8", "replace").removeprefix("./")
        if Path(name).name != name or name.upper().startswith("LIST"):
            raise UnreadableImageError(
                f"'{path.name}' points to pixels in other places. Put them into one file beside it, or into it."
            )


def _check_jpeg_end(path: Path) -> None:
    """Refuse a truncated JPEG, which libjpeg would fill with gray: nothing ends it after its last scan begins."""
    data = path.read_bytes()
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise UnreadableImageError(f"'{path.name}' is truncated. Export or copy it again.")
