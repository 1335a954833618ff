"""What ITK's NIfTI reader lets pass and a careful reader must not: truncated files, NaN values, unknown spacing.

ITK fills the missing end of a truncated file with zeros, turns NaN and infinity into zeros, and takes the pixels of
`scan.nii` for those of `scan.nii.gz` if both lie in one folder; none of it is reported.
"""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import UnreadableImageError, UnsupportedImageError
from .limits import check_dimension, check_size

__all__ = ["NiftiHeader", "checked_nifti"]

_GZIP = b"\x1f\x8b"
_FLOATS = {16: "f4", 64: "f8"}
_BLOCK = 1 << 20
_HEADER_BYTES = 348
_NIFTI_2 = 540  # length of its header, which the file begins with
# Offsets and struct codes of the fields that are needed.
_FIELDS = {
    "dim": (40, "8h"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "pixdim": (76, "8f"),
    "offset": (108, "f"),
    "units": (123, "B"),
    "qform": (252, "h"),
    "sform": (254, "h"),
}


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI-1 header on which the checks rest."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    datatype: int
    bytes_per_pixel: float
    offset: int
    units: int
    has_orientation: bool
    byte_order: str

    @property
    def promised_bytes(self) -> int:
        """Length that the uncompressed file must have."""
        return self.offset + math.ceil(math.prod(self.size) * self.bytes_per_pixel)

    @property
    def knows_spacing(self) -> bool:
        """Tell whether the spacing is more than a default: 1 in no unit and without a place in space means unknown."""
        return bool(self.units & 7) or self.has_orientation or any(value != 1 for value in self.spacing)


@contextmanager
def checked_nifti(path: Path, *, over_time: bool = False) -> Iterator[tuple[Path, NiftiHeader]]:
    """Check a NIfTI file; yield a path that ITK reads rightly (of an unpacked copy if it is compressed) and the header.

    Series over time are refused unless `over_time` is set.

    Raises
    ------
    UnreadableImageError
        If it is truncated or damaged.
    UnsupportedImageError
        If it holds NaN or infinity, or would fill the memory.
    """
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if not packed:
        with path.open("rb") as file:
            header = _header(file, path, over_time)
        if path.stat().st_size < header.promised_bytes:
            raise _truncated(path, path.stat().st_size, header.promised_bytes)
        _check_finite(path, header, path.name)
        yield path, header
        return
    with tempfile.TemporaryDirectory(prefix="medimage-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, "image.nii")
        header = _unpack(path, copy, over_time)
        _check_finite(copy, header, path.name)
        yield copy, header


def _unpack(path: Path, copy: Path, over_time: bool) -> NiftiHeader:
    """Decompress `path` (its checksum is verified at the end), never more than its header promises."""
    try:
        with gzip.open(path, "rb") as packed, copy.open("wb") as target:
            header = _header(packed, path, over_time)
            packed.seek(0)
            left = header.promised_bytes
            while block := packed.read(min(_BLOCK, left)):
                target.write(block)
                left -= len(block)
            packed.read(1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableImageError(f"'{path.name}' is truncated or damaged. Export or copy it again.") from error
    if left:
        raise _truncated(path, header.promised_bytes - left, header.promised_bytes)
    return header


def _header(file: BinaryIO, path: Path, over_time: bool) -> NiftiHeader:
    data = file.read(_HEADER_BYTES)
    for byte_order in "<>":
        length = struct.unpack(byte_order + "i", data[:4])[0] if len(data) == _HEADER_BYTES else 0
        if length == _NIFTI_2:
            raise UnsupportedImageError(f"'{path.name}' is NIfTI-2, which ITK cannot read. Save it as NIfTI-1 or NRRD.")
        if length == _HEADER_BYTES:
            return _parsed(data, byte_order, path, over_time)
    raise UnreadableImageError(f"'{path.name}' is not a NIfTI file, or is truncated in its header.")


def _parsed(data: bytes, byte_order: str, path: Path, over_time: bool) -> NiftiHeader:
    fields = {name: struct.unpack_from(byte_order + code, data, at) for name, (at, code) in _FIELDS.items()}
    count = fields["dim"][0]
    size = fields["dim"][1 : 1 + count]
    offset = fields["offset"][0]
    if not 1 <= count <= 7 or min(size) < 1 or not math.isfinite(offset) or offset < 0 or fields["bitpix"][0] < 1:
        raise UnreadableImageError(f"'{path.name}' has a damaged NIfTI header: it gives a size of {size}.")
    header = NiftiHeader(
        size=size,
        spacing=fields["pixdim"][1 : 1 + min(count, 3)],
        datatype=fields["datatype"][0],
        bytes_per_pixel=fields["bitpix"][0] / 8,
        offset=int(offset),
        units=fields["units"][0],
        has_orientation=bool(fields["qform"][0] > 0 or fields["sform"][0] > 0),
        byte_order=byte_order,
    )
    check_dimension(size, over_time=over_time)
    check_size(path, header.promised_bytes, path.stat().st_size)
    return header


def _check_finite(file: Path, header: NiftiHeader, name: str) -> None:
    kind = _FLOATS.get(header.datatype)
    if kind is None:
        return
    values = np.memmap(file, header.byte_order + kind, "r", header.offset, (math.prod(header.size),))
    blocks = (values[start : start + _BLOCK] for start in range(0, values.size, _BLOCK))
    bad = sum(int(block.size - np.count_nonzero(np.isfinite(block))) for block in blocks)
    if bad:
        raise UnsupportedImageError(
            f"{bad} of {values.size} pixels of '{name}' are not finite (NaN or infinity). "
            "Replace them by the value of the background first."
        )


def _truncated(path: Path, there: int, promised: int) -> UnreadableImageError:
    return UnreadableImageError(
        f"'{path.name}' is truncated: it has {there} of the {promised} bytes that its header promises. "
        "Export or copy it again."
    )
