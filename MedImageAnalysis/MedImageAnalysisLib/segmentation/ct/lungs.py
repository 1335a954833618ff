"""Both lungs on CT, disease inside them kept, told apart also where they touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...imaging.masks import bounding_box, component_sizes, components
from ...progress import Progress
from .airways import find_airways
from .volume import (
    CoarseVolume,
    Part,
    ball_closing,
    ball_dilation,
    ball_erosion,
    filled,
    filled_in_slices,
    interior_of_body,
    outlined,
    spine_position,
)

__all__ = ["ChestAnatomy", "find_chest", "lung_outline"]

# Midway between aerated lung (about -850) and soft tissue (about 40).
_LUNG_HU = -400
# Voxels beyond these are purely one or the other; their means around the outline, over about this distance, say where
# a voxel there is half of each: lower in emphysema beside fat, higher in dense lung beside muscle.
_PURE_LUNG_HU, _PURE_TISSUE_HU, _AROUND_MM = -600, -200, 8.0
_LEAST_AROUND = 0.01
_BONE_HU = 250
# Much of a pocket of gas in bowel or stomach is below this, little of a lung.
_GAS_HU = -960
_MOST_GAS_LARGE, _MOST_GAS_SMALL = 0.7, 0.3
_LEAST_LUNG_ML = 250.0
# Parts of the lung cut off by disease or by the field of view are kept from this size.
_LEAST_PART_ML = 1.0
_LEAST_SHARE = 0.005
_NEAR_MM = 12.0
_AIRWAY_WALL_MM = 2.0
# The lungs' markers must lie this far apart to the sides; a smaller distance means that one lung was cut in two.
_APART_MM = 50.0


@dataclass(frozen=True, eq=False)
class ChestAnatomy:
    """Coarse masks in patient axes; empty where something is not in the field of view."""

    volume: CoarseVolume
    inside: np.ndarray
    spine: tuple[float, float] | None
    airways: np.ndarray
    right: np.ndarray
    left: np.ndarray


def find_chest(volume: CoarseVolume, closing: float, progress: Progress) -> ChestAnatomy:
    """Find body, airways and lungs.

    Parameters
    ----------
    volume : CoarseVolume
    closing : float
        Vessels, nodules and consolidations narrower than twice this (mm) count as lung.
    progress : Progress
    """
    inside = interior_of_body(volume, progress.part(0.0, 0.25))
    spine = spine_position(volume, inside)
    airways = find_airways(volume, inside, spine, progress.part(0.25, 0.45))
    progress.step("Find the lungs", 0.45)
    walls = ball_dilation(airways, _AIRWAY_WALL_MM, volume.spacing) if airways.any() else airways
    air = _lung_air(volume, (volume.hu < _LUNG_HU) & inside & ~walls)
    progress.step(fraction=0.6)
    right, left = _sides(volume, air, spine, progress.part(0.6, 0.8))
    allowed = inside & ~walls & (volume.hu < _BONE_HU)
    right = _completed(right, closing, allowed & ~left, volume)
    progress.step(fraction=0.9)
    left = _completed(left, closing, allowed & ~right, volume)
    return ChestAnatomy(volume, inside, spine, airways, right, left)


def _lung_air(volume: CoarseVolume, air: np.ndarray) -> np.ndarray:
    """Return those connected pieces of air that are lung and not gas in bowel or stomach."""
    from scipy import ndimage

    labels = components(air)
    sizes = component_sizes(labels)
    milliliters = sizes * volume.voxel_ml
    gas = np.bincount(labels[air & (volume.hu < _GAS_HU)], minlength=sizes.size) / np.maximum(sizes, 1)
    # Even severe emphysema leaves a large lung denser than gas; for small pieces the rim of mixed voxels counts more.
    large = (milliliters >= _LEAST_LUNG_ML) & (gas < _MOST_GAS_LARGE)
    lung_like = (milliliters >= _LEAST_PART_ML) & (gas < _MOST_GAS_SMALL)
    boxes = ndimage.find_objects(labels)
    top = np.array([0] + [box[0].stop for box in boxes])
    # The field of view may show the bases only: they reach its upper end. Bowel with a mixed content seldom does.
    chosen = large | (lung_like & (top == air.shape[0]))
    if not large.any():
        return chosen[labels]
    # Pieces that consolidation cuts off lie close to the lung, above its lowest end.
    bottom = np.array([0] + [box[0].start for box in boxes])
    near = ball_dilation(large[labels], _NEAR_MM, volume.spacing)
    touched = np.zeros(sizes.size, bool)
    touched[labels[near & air]] = True
    lowest = bottom[large].min()
    chosen |= touched & (gas < _MOST_GAS_SMALL) & (bottom >= lowest)
    chosen[0] = False
    return chosen[labels]


def _sides(
    volume: CoarseVolume, air: np.ndarray, spine: tuple[float, float] | None, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return the air of the right and of the left lung."""
    progress.step("Tell the lungs apart")
    labels = np.array(components(air))
    sizes = component_sizes(labels)
    midline = spine[1] if spine else (air.shape[2] - 1) / 2
    columns = np.arange(air.shape[2])
    number = sizes.size
    for label in np.flatnonzero(sizes * volume.voxel_ml >= _LEAST_LUNG_ML):
        mask = labels == label
        across = mask.sum(axis=(0, 1))
        share = across[columns > midline].sum() / across.sum()
        if 0.15 < share < 0.85:
            parts = _split(mask, volume, progress)
            if parts is not None:
                labels[parts == 2] = number
                number += 1
    progress.step()
    sizes = np.bincount(labels.reshape(-1), minlength=number)
    centers = np.bincount(labels.reshape(-1), np.broadcast_to(columns, air.shape).reshape(-1), number)
    centers = centers / np.maximum(sizes, 1)
    sizes[0] = 0
    first, second = np.argsort(-sizes, kind="stable")[:2] if number > 2 else (0, 0)
    apart = abs(centers[first] - centers[second]) * volume.spacing[2]
    if second and sizes[second] > 0.2 * sizes[first] and apart >= _APART_MM:
        # Two lungs tell the middle better than the spine of a scoliotic patient.
        midline = (centers[first] + centers[second]) / 2
    left = centers > midline
    left[0] = False
    is_left = left[labels]
    is_right = air & ~is_left
    # Beside a lung, a tiny other one is gas in the esophagus or the like.
    least = _LEAST_SHARE * max(is_right.sum(), is_left.sum())
    return is_right & (is_right.sum() > least), is_left & (is_left.sum() > least)


def _split(mask: np.ndarray, volume: CoarseVolume, progress: Progress) -> np.ndarray | None:
    """Cut lungs that touch at the thinnest place between them; None if this is one lung.

    The mask is thinned until it falls into two large pieces side by side; each voxel then goes to the piece that is
    nearest through the mask (Hu, Hoffman, Reinhardt 2001, doi:10.1109/42.929615, with a watershed for the path).
    """
    from skimage.segmentation import watershed

    for radius in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0):
        progress.step()
        labels = components(ball_erosion(mask, radius, volume.spacing))
        sizes = component_sizes(labels)
        if sizes.size < 3:
            continue
        first, second = (int(label) for label in np.argsort(-sizes, kind="stable")[:2])
        if sizes[second] < 0.2 * sizes[first]:
            continue
        centers = [np.argwhere(labels == label).mean(axis=0) * volume.spacing for label in (first, second)]
        across = abs(centers[0][2] - centers[1][2])
        if across >= _APART_MM and across >= abs(centers[0][0] - centers[1][0]):
            markers = np.where(labels == first, 1, np.where(labels == second, 2, 0)).astype(np.int32)
            return watershed(np.zeros(mask.shape, np.uint8), markers, mask=mask)
    return None


def _completed(air: np.ndarray, closing: float, allowed: np.ndarray, volume: CoarseVolume) -> np.ndarray:
    """Return a lung with its vessels, nodules and consolidations: closed, and holes filled."""
    if not air.any():
        return air
    closed = ball_closing(air, closing, volume.spacing) & allowed
    # A large mass that lung surrounds within a slice is inside it, though not in space.
    return (filled_in_slices(filled(closed) & allowed, 0) & allowed) | air


def lung_outline(chest: ChestAnatomy, lung: np.ndarray) -> Iterator[Part]:
    """Return a coarse lung at full resolution: well inside as it is, at its outline by the image itself."""
    from scipy import ndimage

    volume = chest.volume
    sure = ndimage.binary_erosion(lung, border_value=1) | (lung & (volume.hu >= _LUNG_HU))
    possible = ndimage.binary_dilation(lung) & chest.inside & ~chest.airways
    return outlined(volume, sure, possible, lambda hu, half: hu < half, at=_half_way(chest, lung))


def _half_way(chest: ChestAnatomy, lung: np.ndarray) -> np.ndarray:
    """Return for each coarse voxel the value (HU) midway between the lung and the soft tissue around it."""
    half = np.full(lung.shape, _LUNG_HU, np.float32)
    box = bounding_box(lung, 2)
    if box is None:
        return half
    hu, inside = chest.volume.hu[box], chest.inside[box]
    sigma = [_AROUND_MM / length for length in chest.volume.spacing]
    air, enough_air = _mean_around(hu, lung[box] & (hu < _PURE_LUNG_HU), sigma)
    tissue, enough = _mean_around(hu, inside & (hu > _PURE_TISSUE_HU) & (hu < _BONE_HU), sigma)
    half[box] = np.where(enough_air & enough, (air + tissue) / 2, _LUNG_HU)
    return half


def _mean_around(hu: np.ndarray, mask: np.ndarray, sigma: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean of the voxels of a mask around each voxel, and where there are enough of them."""
    from scipy.ndimage import gaussian_filter

    weight = mask.astype(np.float32)
    share = gaussian_filter(weight, sigma, truncate=2.0)
    return gaussian_filter(weight * hu, sigma, truncate=2.0) / np.maximum(share, _LEAST_AROUND), share > _LEAST_AROUND
