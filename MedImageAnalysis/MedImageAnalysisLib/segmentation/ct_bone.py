"""Bones on CT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..progress import Progress
from .ct_volume import (
    CoarseVolume,
    Part,
    ball_closing,
    component_sizes,
    components,
    filled,
    outlined,
    regions_in_slices,
)

__all__ = ["bone_outline", "coarse_bone"]

_CORTEX_HU = 250
_RIM_HU = 150
_CLOSING_MM = 3.5
_LEAST_ML = 0.5
_MARROW_HU = 70


def coarse_bone(volume: CoarseVolume, inside: np.ndarray, progress: Progress) -> np.ndarray:
    """Return the bones, marrow included, in coarse voxels."""
    dense = inside & (volume.hu > _RIM_HU)
    labels = components(dense)
    sizes = component_sizes(labels)
    cortex = np.bincount(labels[dense & (volume.hu > _CORTEX_HU)], minlength=sizes.size)
    kept = (sizes * volume.voxel_ml >= _LEAST_ML) & (cortex > 0.15 * sizes)
    kept[0] = False
    shell = kept[labels]
    progress.step(fraction=0.2)
    closed = ball_closing(shell, _CLOSING_MM, volume.spacing)
    progress.step(fraction=0.4)
    # Bones that leave the field of view above or below are closed there; the spinal canal stays open to the sides.
    whole = filled(closed, open_axes=(1, 2))
    for axis in range(3):
        whole |= _marrow(volume, whole, axis)
        progress.step(fraction=0.45 + 0.05 * axis)
    return whole & inside


def _marrow(volume: CoarseVolume, bone: np.ndarray, axis: int) -> np.ndarray:
    """Return what bone encloses within the slices across `axis`, if it is as dense as marrow: not the spinal canal."""
    regions, rims = regions_in_slices(~bone, axis)
    sizes = np.bincount(regions.reshape(-1))
    means = np.bincount(regions.reshape(-1), volume.hu.reshape(-1)) / np.maximum(sizes, 1)
    marrow = (rims == 0) & (means > _MARROW_HU)
    marrow[0] = False
    return marrow[regions]


def bone_outline(volume: CoarseVolume, bone: np.ndarray) -> Iterator[Part]:
    """Return coarse bones at full resolution: inside as they are, at their outline by the image."""
    from scipy import ndimage

    sure = ndimage.binary_erosion(bone, border_value=1)
    return outlined(volume, sure, ndimage.binary_dilation(bone), lambda hu: hu > _RIM_HU)
