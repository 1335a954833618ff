"""Bright regions with sharp borders: from all regions above a series of thresholds, those that are bounded best.

As in maximally stable extremal regions (Matas et al. 2004, doi:10.1016/j.imavis.2004.02.006) each region has its own
threshold: the regions above a higher one lie within those above a lower one, and from this tree the regions are taken
whose borders are the sharpest in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...imaging.masks import component_sizes, components

__all__ = ["filled", "sharp_regions"]


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
    levels = [_regions(mask, sharpness, counted, least_size) for mask in masks]
    best = np.zeros(1)
    within: list[np.ndarray] = []
    for index in range(len(levels) - 1, -1, -1):
        parts, own = levels[index]
        parents = np.zeros(len(own))
        if index + 1 < len(levels):
            inner, _ = levels[index + 1]
            first = np.unique(inner, return_index=True)
            # Every region lies within one of the level before: any of its pixels tells which.
            np.add.at(parents, parts.reshape(-1)[first[1]], best[first[0]])
            parents[0] = 0
        within.insert(0, (own > 0) & (own >= parents))
        best = np.maximum(own, parents)
    chosen = np.zeros(sharpness.shape, dtype=bool)
    for (parts, _), taken in zip(levels, within, strict=True):
        chosen |= taken[parts]
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


def filled(mask: np.ndarray, largest: float) -> np.ndarray:
    """Fill holes up to `largest` pixels: cysts and marrow, not the gap between two bones."""
    holes = components(~mask)
    small = component_sizes(holes) <= largest
    small[np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])] = False
    small[0] = False
    return mask | small[holes]
