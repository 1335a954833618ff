"""What ITK's TIFF reader leaves out: whether low values are meant to be bright."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["is_white_zero"]

_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0
_SHORT = 3


def is_white_zero(path: Path) -> bool:
    """Tell whether the first page has gray values of 8 or 16 bits of which 0 is white (TIFF 6.0, section 4).

    ITK returns such values as they are stored. Of other depths it makes gray or color values itself.
    """
    with path.open("rb") as file:
        start = file.read(8)
        order = "<" if start[:2] == b"II" else ">"
        if len(start) < 8 or struct.unpack(order + "H", start[2:4])[0] != 42:
            return False
        file.seek(struct.unpack(order + "I", start[4:])[0])
        count = file.read(2)
        entries = file.read(12 * struct.unpack(order + "H", count)[0]) if len(count) == 2 else b""
    tags = {}
    for at in range(0, len(entries) - 11, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", entries, at)
        if kind == _SHORT and number == 1:
            tags[tag] = struct.unpack_from(order + "H", entries, at + 8)[0]
    return tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and tags.get(_BITS_PER_SAMPLE) in (8, 16)
