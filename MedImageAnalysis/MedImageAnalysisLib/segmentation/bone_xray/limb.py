"""The limb in the exposed field of a radiograph, and metal in it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...errors import UnsuitablePresetError
from ...imaging.masks import component_sizes, components

__all__ = ["limb_in", "metal_in"]

_BINS = 256
# Parts of the limb smaller than this share of the field are lead letters and dust.
_LEAST_PART = 0.02
# Air is a peak of the histogram that is this prominent (share of the highest), and behind it is less than half as much.
_PROMINENT, _EMPTY = 0.1, 0.5


def limb_in(pixels: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return the limb: what is brighter than the air beside it, without lead letters.

    Parameters
    ----------
    pixels : numpy.ndarray of float32, shape (rows, columns)
        From 0 to 1.
    field : numpy.ndarray of bool

    Raises
    ------
    UnsuitablePresetError
        If there is no limb with air beside it.
    """
    smooth = ndimage.gaussian_filter(pixels, 1.0)
    counts = np.histogram(smooth[field], _BINS, (0, 1))[0].astype(float)
    tissue = field & (smooth > _valley(counts) / _BINS)
    parts = components(ndimage.binary_opening(tissue, iterations=2))
    kept = component_sizes(parts) >= max(_LEAST_PART * field.sum(), 1)
    limb = ndimage.binary_fill_holes(kept[parts])
    if not limb.any() or limb.sum() > 0.98 * field.sum():
        raise UnsuitablePresetError(
            "No limb with air beside it was found. Is this a radiograph of a limb with bright bone? "
            "Choose another preset, or segment by hand."
        )
    return limb


def _valley(counts: np.ndarray) -> int:
    """Return the first minimum after the peak of air, the first clear one in the darkest third of the histogram."""
    from scipy.signal import find_peaks

    smooth = np.pad(ndimage.gaussian_filter1d(counts, 3.0), (1, 0))
    peaks, _ = find_peaks(smooth, prominence=_PROMINENT * smooth.max())
    smooth, peaks = smooth[1:], peaks - 1
    dark = peaks[peaks < _BINS // 3]
    air = int(dark[0]) if dark.size else int(np.argmax(smooth[: _BINS // 3]))
    rising = np.diff(smooth[air:]) > 0
    low = smooth[air:-1] < _EMPTY * smooth[air]
    after = np.flatnonzero(rising & low)
    return air + (int(after[0]) if len(after) else 0)


def metal_in(pixels: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return what is far brighter than all tissue and has a sharp edge; parameters as above."""
    inside = pixels[limb]
    median, high = np.percentile(inside, [50, 97])
    threshold = high + 0.6 * (high - median)
    if threshold >= 0.995:
        return np.zeros(limb.shape, dtype=bool)
    bright = limb & (pixels > threshold)
    rim = ndimage.gaussian_gradient_magnitude(pixels, 1.0) > 0.06
    parts, count = ndimage.label(bright)
    if count == 0:
        return bright
    index = np.arange(1, count + 1)
    border = bright & ~ndimage.binary_erosion(bright)
    sharp = ndimage.mean(rim, np.where(border, parts, 0), index) > 0.5
    large = np.bincount(parts.ravel(), minlength=count + 1)[1:] >= 12
    return np.concatenate([[False], sharp & large])[parts]
