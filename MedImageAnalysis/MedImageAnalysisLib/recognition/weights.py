"""Read the weights of a model without trusting the file: no pickle, no path, no surprise in size, shape or type."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np

from ..errors import InvalidModelError
from ..untrusted_file import read_bytes

__all__ = ["read_weights"]

MAXIMUM_ARRAY_BYTES = 64 * 2**20
MAXIMUM_ARRAYS = 32
_HEADER = re.compile(
    rb"\{'descr': '((?:<[fiu][248]|\|[iu]1))', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,12},? ?){0,4})\), \}\s*"
)


@lru_cache(maxsize=16)
def read_weights(path: Path, sha256: str) -> Mapping[str, np.ndarray]:
    """Return the arrays of an .npz file by name, read-only and finite.

    Parameters
    ----------
    path : pathlib.Path
        As :func:`~MedImageAnalysisLib.untrusted_file.checked_file` returns it.
    sha256 : str
        Checksum from model.json. Together with the path it is the key of a small cache, so that a batch reads once.

    Raises
    ------
    InvalidModelError
        If the file is damaged, too large when unpacked, or holds anything but plain numeric arrays.
    """
    content = read_bytes(path, sha256)
    where = f"{path.parent.name}/{path.name}"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _checked_members(archive, where)
            arrays = {member.filename[:-4]: _read_array(archive, member, where) for member in members}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError) as error:
        # zipfile raises RuntimeError for encrypted archives and its subclass NotImplementedError for exotic ones.
        raise InvalidModelError(f"{where} is damaged or not an .npz file: {error!s:.200}.") from None
    return MappingProxyType(arrays)


def _checked_members(archive: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    """Check names, methods and sizes from the directory of the archive, before anything is unpacked."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if not 1 <= len(members) <= MAXIMUM_ARRAYS or len(set(names)) != len(names):
        raise InvalidModelError(f"{where} must hold 1 to {MAXIMUM_ARRAYS} arrays, each once, but holds {len(members)}.")
    for member in members:
        name = member.filename
        if not name.endswith(".npy") or not name[:-4].isidentifier():
            raise InvalidModelError(f"{where} holds {name!r:.60}, which is not an array.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidModelError(f"{where}: {name} is packed in a way that is not allowed.")
    total = sum(member.file_size for member in members)
    if total > MAXIMUM_ARRAY_BYTES:
        raise InvalidModelError(f"{where} unpacks to {total:,} bytes; at most {MAXIMUM_ARRAY_BYTES:,} are allowed.")
    return members


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> np.ndarray:
    with archive.open(member) as stream:
        dtype, fortran, shape = _read_header(stream, f"{where}: {member.filename}")
        size = dtype.itemsize * math.prod(shape)  # Python integers: a product in int64 could wrap around
        if size > member.file_size:
            raise InvalidModelError(f"{where}: {member.filename} claims the shape {shape}, which its size contradicts.")
        content = stream.read(size)
    if len(content) != size:
        raise InvalidModelError(f"{where}: {member.filename} ends too early.")
    array = np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    if not np.isfinite(array).all():
        raise InvalidModelError(f"{where}: {member.filename} holds NaN or infinite values.")
    return array


def _read_header(stream: IO[bytes], where: str) -> tuple[np.dtype, bool, tuple[int, ...]]:
    """Return type, order and shape from an .npy header, matched by a pattern: nothing of it is evaluated.

    The format is documented at https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
    """
    start = stream.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise InvalidModelError(f"{where} is not an array in the .npy format 1.0.")
    header = stream.read(int.from_bytes(start[8:], "little"))
    match = _HEADER.fullmatch(header)
    if not match:
        raise InvalidModelError(f"{where} must hold plain numbers in at most 4 dimensions.")
    descr, fortran, shape = (part.decode("ascii") for part in match.groups())
    return np.dtype(descr), fortran == "True", tuple(int(length) for length in shape.split(",") if length.strip())
