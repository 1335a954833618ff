"""What several steps and methods ask of masks: the box around them, their connected components, distances to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from .pixels import mask_image, view

__all__ = ["at_edge", "bounding_box", "component_sizes", "components", "distance_to", "largest_component"]


def bounding_box(array: np.ndarray, margin: int | Sequence[int] = 0) -> tuple[slice, ...] | None:
    """Return the least box that holds all elements of an array above 0; None if there are none.

    Parameters
    ----------
    array : numpy.ndarray of bool or of labels
    margin : int or sequence of int
        Elements by which the box grows on either side, along all axes or each; it stays within the array.
    """
    box = _tight_box(array)
    if box is None:
        return None
    margins = [margin] * array.ndim if isinstance(margin, int) else margin
    return tuple(
        slice(max(0, part.start - wider), min(length, part.stop + wider))
        for part, wider, length in zip(box, margins, array.shape, strict=True)
    )


def _tight_box(array: np.ndarray) -> tuple[slice, ...] | None:
    used = np.maximum.reduce(array.reshape(len(array), -1), axis=1).nonzero()[0]
    if not used.size:
        return None
    part = slice(int(used[0]), int(used[-1]) + 1)
    return (part, *_tight_box(np.maximum.reduce(array[part]))) if array.ndim > 1 else (part,)


def components(mask: np.ndarray, *, diagonal: bool = False) -> np.ndarray:
    """Return the connected components of a mask, numbered from 1 in raster order; the array is read-only.

    Parameters
    ----------
    mask : numpy.ndarray of bool, 2D or 3D
    diagonal : bool
        Elements that touch at an edge or a corner are connected too.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    return view(sitk.ConnectedComponent(image, diagonal))


def component_sizes(labels: np.ndarray) -> np.ndarray:
    """Return the number of elements of each label; that of the background is 0."""
    sizes = np.bincount(labels.reshape(-1), minlength=1)
    sizes[0] = 0
    return sizes


def at_edge(labels: np.ndarray) -> np.ndarray:
    """Tell of each label, from 0 on, whether it reaches the edge of the array."""
    found = np.zeros(int(labels.max()) + 1, dtype=bool)
    for axis in range(labels.ndim):
        found[np.moveaxis(labels, axis, 0)[[0, -1]].reshape(-1)] = True
    return found


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected component of a mask, the first of equal ones; nothing if the mask is empty."""
    labels = components(mask)
    return (labels == component_sizes(labels).argmax()) & mask


def distance_to(mask: np.ndarray, reference: sitk.Image) -> np.ndarray:
    """Return the distance in mm of each voxel to the nearest voxel of a mask, as float32; 0 or less within it.

    References
    ----------
    Maurer, Qi, Raghavan 2003, doi:10.1109/TPAMI.2003.1177156.
    """
    distance = sitk.SignedMaurerDistanceMap(
        mask_image(mask, reference), insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return view(distance)
