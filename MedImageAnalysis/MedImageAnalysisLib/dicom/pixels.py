"""Decode the pixels of DICOM planes, one at a time, and turn stored values into real ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..color import luminance
from ..errors import MissingPackageError
from .header import Plane, damage_as_error

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["AIR", "fitting_type", "is_exact", "real_range", "real_values", "stored_values"]

AIR = -1000  # HU, by definition of the Hounsfield scale
_WHOLE_TYPES = (np.uint8, np.uint16, np.int16, np.int32, np.int64)


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
        frames = [plane.frame for plane in group]
        with damage_as_error(path):
            for values in _decoded(path, frames):
                yield luminance(values) if values.ndim == 3 else values


def is_exact(plane: Plane) -> bool:
    """Tell whether the rescale of a plane keeps whole numbers whole."""
    return plane.slope.is_integer() and plane.intercept.is_integer()


def real_range(plane: Plane) -> tuple[float, float]:
    """Return the lowest and highest real value that the stored bits of a plane can mean."""
    ends = sorted(value * plane.slope + plane.intercept for value in plane.format.stored_range)
    return ends[0], ends[1]


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
    if whole:
        values = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
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
    return next(
        (kind for kind in _WHOLE_TYPES if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max),
        np.int64,
    )


def _decoded(path: Path, frames: list[int]) -> Iterator[np.ndarray]:
    from pydicom.pixels import get_decoder, iter_pixels

    syntax = _transfer_syntax(path)
    if not get_decoder(syntax).is_available:
        raise MissingPackageError.of("pylibjpeg", "dicom", f"Reading DICOM compressed as {syntax.name}")
    yield from iter_pixels(path, indices=frames)


def _transfer_syntax(path: Path):
    from pydicom import dcmread
    from pydicom.uid import ImplicitVRLittleEndian

    meta: Dataset = dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True, force=True).file_meta
    return meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
