"""Bright regions with sharp borders: from all regions above a series of thresholds, those that are bounded best.

As in maximally stable extremal regions (Matas et al. 2004, doi:10.1016/j.imavis.2004.02.006) each region has its own
threshold: the regions above a higher one lie within those above a lower one, and from this tree the regions are taken
whose borders are the sharpest in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...imaging.masks import at_edge, component_sizes, components

__all__ = ["filled", "holes_in", "sharp_regions"]


def sharp_regions(
    masks: Sequence[np.ndarray], sharpness: np.ndarray, counted: np.ndarray, least_size: float
) -> np.ndarray:
    """Return the regions of all masks, none within another, with the highest sum of `sharpness` along their borders.

    Parameters
    ----------
    masks : sequence of numpy.ndarray of bool, shape (rows, columns)
        Each within the one before.
    sharpness : numpy.ndarray, shape (rows, columns)
        What a pixel of the border is worth; below 0 it speaks against the region.
    counted : numpy.ndarray of bool
        Where a region may be cut off without a border of its own, the picture's edge say, False.
    least_size : float
        Smaller regions are left out (pixels).
    """
    chosen = np.zeros(sharpness.shape, dtype=bool)
    # From the highest threshold down: what the best regions within each region are worth.
    inner, best = np.zeros(sharpness.shape, dtype=np.int64), np.zeros(1)
    for mask in reversed(masks):
        parts, own = _regions(mask, sharpness, counted, least_size)
        around = np.zeros(len(best), dtype=np.int64)
        # Every region lies within one of the lower threshold: any of its pixels tells which.
        around[inner] = parts
        within = np.bincount(around, best, len(own))
        within[0] = 0
        chosen |= ((own > 0) & (own >= within))[parts]
        inner, best = parts, np.maximum(own, within)
    return chosen


def _regions(
    mask: np.ndarray, sharpness: np.ndarray, counted: np.ndarray, least_size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the regions of a mask as numbers, and what the border of each is worth (0 if nothing)."""
    parts = components(mask)
    inside = np.pad(mask, 1, constant_values=True)
    inside = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    border = mask & ~inside & counted
    worth = np.bincount(parts[border], weights=sharpness[border], minlength=int(parts.max()) + 1)
    worth[component_sizes(parts) < least_size] = 0
    return parts, np.maximum(worth, 0)


def holes_in(mask: np.ndarray) -> np.ndarray:
    """Return the holes of a mask, which do not reach the picture's edge, as numbers; elsewhere 0."""
    outside = components(~mask)
    return np.where(at_edge(outside)[outside], 0, outside)


def filled(mask: np.ndarray, largest: float) -> np.ndarray:
    """Fill holes up to `largest` pixels: cysts and marrow, not the gap between two bones."""
    holes = holes_in(mask)
    sizes = component_sizes(holes)
    return mask | ((sizes > 0) & (sizes <= largest))[holes]
