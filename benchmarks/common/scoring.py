"""What the segmentation benchmarks share: cases, overlap, distance of borders, pictures and contact sheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage, Segmentation

__all__ = ["Case", "contact_sheet", "dice", "hausdorff95", "jaccard", "mask_of", "overlay", "square"]

Color = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Case:
    """An image and its reference.

    Parameters
    ----------
    name : str
    image : MedicalImage
    truth : dict of str to numpy.ndarray of bool
        Reference masks by key of the segment, on the image's grid; empty if there is no reference.
    """

    name: str
    image: MedicalImage
    truth: dict[str, np.ndarray]


def mask_of(segmentation: Segmentation | None, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a structure as a boolean array; empty if it was not found."""
    segment = segmentation.find(key) if segmentation is not None else None
    if segment is None:
        return np.zeros(shape, bool)
    return sitk.GetArrayFromImage(segmentation.mask(segment)).astype(bool)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return twice the common pixels over the sum of both; 0 if both masks are empty."""
    return float(2 * np.count_nonzero(first & second) / max(np.count_nonzero(first) + np.count_nonzero(second), 1))


def wrong_milliliters(found: np.ndarray, true: np.ndarray, spacing: Sequence[float]) -> tuple[float, float]:
    """Return the volumes of what is missing and of what is too much."""
    volume = float(np.prod(spacing)) / 1000
    return np.count_nonzero(true & ~found) * volume, np.count_nonzero(found & ~true) * volume


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Return the common pixels over those of either mask (IoU)."""
    return float(np.count_nonzero(first & second) / max(np.count_nonzero(first | second), 1))


def hausdorff95(first: np.ndarray, second: np.ndarray, spacing: float | Sequence[float]) -> float:
    """Return the 95th percentile of the distances between the two borders, both ways.

    Parameters
    ----------
    first, second : numpy.ndarray of bool
    spacing : float or sequence of float
        Size of a pixel along each array axis (z, y, x), or along all.

    Returns
    -------
    float
        In the unit of `spacing`; NaN if a mask is empty.
    """
    from scipy import ndimage

    if not first.any() or not second.any():
        return float("nan")
    both = first | second
    # What lies outside the common box changes no distance between the borders.
    boxes = [
        np.flatnonzero(both.any(axis=tuple(o for o in range(both.ndim) if o != axis))) for axis in range(both.ndim)
    ]
    box = tuple(slice(max(0, int(found[0]) - 1), int(found[-1]) + 2) for found in boxes)
    edges = [mask[box] & ~ndimage.binary_erosion(mask[box]) for mask in (first, second)]
    away = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return float(np.percentile(np.concatenate([away[1][edges[0]], away[0][edges[1]]]), 95))


def overlay(pixels: np.ndarray, low: float, high: float, outlines: Iterable[tuple[np.ndarray, Color]]) -> np.ndarray:
    """Return a slice in gray between two values with the outlines of masks, as RGB from 0 to 1."""
    from skimage.segmentation import find_boundaries

    gray = np.clip((pixels.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    picture = np.repeat(gray[..., None], 3, axis=2)
    for mask, color in outlines:
        picture[find_boundaries(mask, mode="inner")] = color
    return picture


def square(pixels: np.ndarray, size: int, order: int = 1) -> np.ndarray:
    """Return a gray picture or a mask (order 0) scaled to `size` along its longer side."""
    from skimage.transform import resize

    scale = size / max(pixels.shape)
    shape = tuple(max(1, round(length * scale)) for length in pixels.shape)
    return resize(pixels, shape, order=order, anti_aliasing=order > 0 and scale < 1, preserve_range=True)


def contact_sheet(tiles: Sequence[np.ndarray], path: Path, columns: int = 5) -> None:
    """Write RGB pictures (0 to 1) side by side into one PNG, each in a black field of the size of the largest."""
    from skimage.io import imsave

    columns = min(columns, len(tiles))
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    fields = np.zeros((-(-len(tiles) // columns) * columns, height, width, 3), np.float32)
    for field, tile in zip(fields, tiles, strict=False):
        field[: tile.shape[0], : tile.shape[1]] = tile
    rows = fields.reshape(-1, columns, height, width, 3).swapaxes(1, 2).reshape(-1, columns * width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, (rows * 255).astype(np.uint8), check_contrast=False)
