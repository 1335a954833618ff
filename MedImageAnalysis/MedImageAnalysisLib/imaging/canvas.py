"""Bring pixels to a grid of a few cells, and gray values to ranks: what image models see of an image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["area_average", "ranked"]


def area_average(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return `pixels` resampled to (rows, columns), each new pixel the mean over the area that it covers."""
    height, width = pixels.shape
    return _overlaps(height, rows) @ pixels.astype(np.float32, copy=False) @ _overlaps(width, columns).T


def ranked(pixels: np.ndarray) -> np.ndarray:
    """Return the rank of each pixel among all, from 0 to 1; equal pixels share the mean of their ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(pixels, method="average").reshape(pixels.shape)
    return ((ranks - 1) / max(pixels.size - 1, 1)).astype(np.float32)


@lru_cache(maxsize=64)
def _overlaps(old: int, new: int) -> np.ndarray:
    """Return the matrix (new, old) of the share that each old pixel has in each new one; its rows add up to 1."""
    edges = np.linspace(0, old, new + 1)
    lower = np.maximum(edges[:-1, None], np.arange(old))
    upper = np.minimum(edges[1:, None], np.arange(old) + 1)
    shares = np.maximum(upper - lower, 0)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
