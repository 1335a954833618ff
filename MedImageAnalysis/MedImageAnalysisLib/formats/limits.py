"""What is refused before it is read: images that would fill the memory, and more than three dimensions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import UnreadableImageError, UnsupportedImageError

__all__ = ["check_dimension", "check_size", "times"]

_FALLBACK_LIMIT = 8 * 1024**3
# Deflate, the strongest compression of the plain formats, makes at best one byte of 1032.
_STRONGEST_COMPRESSION = 1100


def check_size(path: Path, byte_count: int, stored: int = 0) -> None:
    """Refuse an image that would fill the memory, be it real or a header that lies.

    Parameters
    ----------
    byte_count : int
        Bytes of the pixels in memory.
    stored : int
        Bytes of the file if no compression can make it smaller than 1/1032 of its pixels; 0 if that is not known.
    """
    if stored and byte_count > stored * _STRONGEST_COMPRESSION:
        raise UnreadableImageError(
            f"'{path.name}' is damaged: its header promises {byte_count} bytes of pixels, but it has only {stored}."
        )
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


def check_dimension(size: Sequence[int], *, over_time: bool = False) -> None:
    """Refuse sizes that are neither 2D nor 3D (or 4D, if time is allowed); further axes of length 1 do not count."""
    if len(size) < 2 or any(length > 1 for length in size[4 if over_time else 3 :]):
        raise UnsupportedImageError(
            f"The image has {len(size)} dimensions ({times(size)}), e.g. a series over time. "
            "Only 2D and 3D are handled: extract one time point first. A heartbeat is read by `medimage cine`."
        )


def times(size: Sequence[int]) -> str:
    """Return a size as people write it, e.g. "512 x 512 x 300"."""
    return " x ".join(map(str, size))
