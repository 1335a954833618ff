"""Color to gray: one formula for all formats."""

from __future__ import annotations

import numpy as np

__all__ = ["LUMINANCE_CORRECTION", "luminance"]

LUMINANCE_CORRECTION = "converted color to gray by luminance (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601)"


def luminance(colors: np.ndarray) -> np.ndarray:
    """Return the luminance of an array whose last axis is the color component.

    Parameters
    ----------
    colors : numpy.ndarray, shape (..., 1 to 4)
        Gray, gray with opacity, RGB, or RGB with opacity; opacity is left out.

    Returns
    -------
    numpy.ndarray, shape (...)
        In the type of the input; whole numbers are rounded.

    References
    ----------
    Recommendation ITU-R BT.601-7, the Y of JPEG and of DICOM's YBR_FULL (PS3.3 C.7.6.3.1.2).
    """
    if colors.shape[-1] < 3:
        return np.ascontiguousarray(colors[..., 0])
    gray = np.float32(0.299) * colors[..., 0]
    gray += np.float32(0.587) * colors[..., 1]
    gray += np.float32(0.114) * colors[..., 2]
    if np.issubdtype(colors.dtype, np.integer):
        np.rint(gray, out=gray)
    return gray.astype(colors.dtype)
