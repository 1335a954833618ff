"""Thin slices as the thicker ones for which a measure was defined."""

from __future__ import annotations

import numpy as np

__all__ = ["as_thick_slices", "slices_averaged"]


def slices_averaged(distance: float, thickness: float, least: float) -> int:
    """Return how many slices together are about `thickness` mm: an odd number; 1 if `distance` is `least` or more."""
    return 1 if distance >= least else 2 * round((thickness / distance - 1) / 2) + 1


def as_thick_slices(values: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Return each slice averaged with its neighbors, `count` together, as float32; `values` themselves if that is 1.

    The slices then overlap, as those that a scanner reconstructs at distances smaller than their thickness.
    """
    if count == 1:
        return values
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(values.astype(np.float32), count, axis=axis, mode="nearest")
