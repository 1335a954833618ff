"""Thin slices as the thicker ones for which a measure was defined."""

from __future__ import annotations

import numpy as np

__all__ = ["as_thick_slices", "slices_averaged"]


# Measures of calcium were defined for slices of the first; slices closer than the second are noisier.
_THICKNESS_MM, _THIN_MM = 3.0, 1.5


def slices_averaged(distance: float) -> int:
    """Return how many slices at a distance (mm) together are about 3 mm thick: an odd number; 1 from 1.5 mm on."""
    return 1 if distance >= _THIN_MM else 2 * round((_THICKNESS_MM / distance - 1) / 2) + 1


def as_thick_slices(values: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Return each slice averaged with its neighbors, `count` together, as float32; `values` themselves if that is 1.

    The slices then overlap, as those that a scanner reconstructs at distances smaller than their thickness.
    """
    if count == 1:
        return values
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(values.astype(np.float32), count, axis=axis, mode="nearest")
