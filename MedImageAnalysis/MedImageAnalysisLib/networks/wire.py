"""Count the parts of an ONNX file without building them.

A file of a few megabytes may hold millions of empty messages, each of which takes a hundred bytes once it is parsed.
The format is documented at https://protobuf.dev/programming-guides/encoding/, the field numbers in onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["count_parts"]

# By field number what lies inside: the fields of a message, or None for a text, packed numbers or raw bytes.
Inside = Mapping[int, Any]
_ENTRY: Inside = {1: None, 2: None}
_TENSOR: Inside = dict.fromkeys((1, 4, 5, 6, 7, 8, 9, 10, 11, 12)) | {16: _ENTRY}
_ATTRIBUTE: Inside = dict.fromkeys((1, 4, 7, 8, 9, 13)) | {5: _TENSOR}
_NODE: Inside = dict.fromkeys((1, 2, 3, 4, 6, 7)) | {5: _ATTRIBUTE, 9: _ENTRY}
_GRAPH: Inside = {1: _NODE, 2: None, 5: _TENSOR, 10: None, 16: _ENTRY}
_MODEL: Inside = {2: None, 3: None, 4: None, 6: None, 7: _GRAPH, 14: _ENTRY}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def count_parts(content: bytes, limit: int) -> int:
    """Return the number of parts of a model; counting stops beyond `limit`.

    What is not looked into counts as the most parts that it could hold, one for each two bytes. Content that is not
    well formed is counted as far as it can be read: parsing will refuse it.
    """
    count = 0
    messages: list[tuple[int, int, Inside]] = [(0, len(content), _MODEL)]
    while messages:
        position, end, fields = messages.pop()
        while position < end:
            count += 1
            key, position = _varint(content, position, end)
            kind, start = key & 7, position
            if kind == _VARINT:
                _, position = _varint(content, position, end)
            elif kind == _BYTES:
                length, start = _varint(content, position, end)
                position = start + length
            elif kind in (_FIXED64, _FIXED32):
                position += 8 if kind == _FIXED64 else 4
            else:
                break
            if kind == _BYTES:
                inside = fields.get(key >> 3, ())
                if inside:
                    messages.append((start, min(position, end), inside))
                elif inside is not None:
                    count += (min(position, end) - start) // 2
            if count > limit:
                return count
    return count


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Return a number and the position after it; a number that does not end is read as far as it goes."""
    value = shift = 0
    while position < end and shift < 70:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value, position
