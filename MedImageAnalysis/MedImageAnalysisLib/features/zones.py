"""What the two families of zones share: how the zones of slices are put together."""

from __future__ import annotations

import numpy as np

from .region import Region

__all__ = ["merged"]


def merged(region: Region, items: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each matrix's items and number of voxels: in 2.5D the slices are one matrix, else each its own."""
    voxels = region.texture.voxels
    if region.settings.dimension == "2.5D":
        return [np.concatenate(items)], voxels.sum(keepdims=True)
    return items, voxels
