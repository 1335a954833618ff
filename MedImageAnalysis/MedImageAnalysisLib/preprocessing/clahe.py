"""Local contrast: equalization of the histogram by neighborhoods with limited gain (CLAHE), strip by strip."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.pixels import as_float, axis_lengths, blank_like, is_constant, slabs, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["Clahe"]

_BINS = 256
# The map of a tile is drawn finer than its histogram, so that images of 12 bits do not fall into 256 values.
_FINER = 4
_LEVELS = _BINS * _FINER
_CHUNK = 1 << 17


@STEPS.register
@dataclass(frozen=True)
class Clahe(ScalarStep):
    """Equalize the histogram of each neighborhood, with limited gain (CLAHE), within the range of the image.

    The image is cut into tiles of equal size; each tile's histogram of 256 bins is clipped at `clip_limit` of its
    pixels (what is cut off is spread over the other bins) and equalized; a pixel's new value is interpolated between
    the maps of the tiles around it. The slope of a map is at most 256 times `clip_limit`: at 1/256 nothing changes.
    Maps of two layers of tiles are held at a time, so that the memory beside input and output stays small.

    References
    ----------
    Zuiderveld 1994, Graphics Gems IV, doi:10.1016/B978-0-12-336156-1.50061-6.
    """

    name = "clahe"
    title = "Local contrast (CLAHE)"
    tile_size: float | None = parameter(
        None, "Size of a neighborhood; empty means one eighth of the image.", unit="mm", minimum=0.01, maximum=1000
    )
    clip_limit: float = parameter(
        0.01, "Largest share of a tile's pixels in one gray level; more is stronger.", minimum=0.0001, maximum=1
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return as_float(image)
        enhanced, target = blank_like(image, np.float32)
        grid = _Grid(view(image), self._tiles(image), self.clip_limit)
        for place, values in grid.equalized(progress.part(0.0, 0.9)):
            target[place] = values
        _stretch(target, (grid.lowest, grid.highest), progress.part(0.9, 1.0))
        return enhanced

    def _tiles(self, image: sitk.Image) -> tuple[int, ...]:
        """Return how many tiles there are along each axis of the array."""
        shape = tuple(reversed(image.GetSize()))
        if self.tile_size is None:
            return tuple(min(8, length) for length in shape)
        wanted = (round(n * spacing / self.tile_size) for n, spacing in zip(shape, axis_lengths(image), strict=True))
        return tuple(min(max(1, tiles), length) for tiles, length in zip(wanted, shape, strict=True))


class _Grid:
    """The tiles over an array and their maps; the first axis is walked along, layer by layer."""

    def __init__(self, values: np.ndarray, tiles: tuple[int, ...], clip_limit: float) -> None:
        self.values = values
        self.lowest, self.highest = float(values.min()), float(values.max())
        self.clip_limit = clip_limit
        self.edges = [
            np.linspace(0, n, count + 1).round().astype(int) for n, count in zip(values.shape, tiles, strict=True)
        ]
        # Place of each pixel among the centers of the tiles: the tile before it, and the weight of the one after it.
        self.below, self.weight = zip(*(_between(edges) for edges in self.edges), strict=True)

    def equalized(self, progress: Progress) -> Iterator[tuple[tuple[slice | int, ...], np.ndarray]]:
        """Yield where, and the new values there between 0 and 1."""
        layers: dict[int, np.ndarray] = {}
        last = len(self.edges[0]) - 2
        for index in range(self.values.shape[0]):
            row = progress.part(index / self.values.shape[0], (index + 1) / self.values.shape[0])
            lower = int(self.below[0][index])
            for layer in (lower, min(lower + 1, last)):
                if layer not in layers:
                    layers = {key: maps for key, maps in layers.items() if key >= lower}
                    layers[layer] = self._maps(layer, row)
            weight = np.float32(self.weight[0][index])
            maps = layers[lower] + weight * (layers[min(lower + 1, last)] - layers[lower])
            for rows in self._rows():
                row.step(fraction=1.0)
                yield (index, *rows), self._looked_up(maps, (index, *rows))

    def _rows(self) -> Iterator[tuple[slice, ...]]:
        """Cut the array across the first axis into pieces; of a picture's row this is the row itself."""
        if self.values.ndim == 2:
            yield (slice(None),)
        else:
            for rows in slabs(self.values.shape[1:], _CHUNK):
                yield (rows, slice(None))

    def _codes(self, values: np.ndarray) -> np.ndarray:
        """Return the level of each value, 0 to _LEVELS - 1."""
        scaled = values.astype(np.float32)
        scaled -= np.float32(self.lowest)
        scaled *= np.float32((_LEVELS - 1) / (self.highest - self.lowest))
        return np.clip(scaled, 0, _LEVELS - 1, out=scaled).astype(np.intp)

    def _maps(self, layer: int, progress: Progress) -> np.ndarray:
        """Return the maps of one layer of tiles, shape (tiles along the other axes..., levels)."""
        shape = tuple(len(edges) - 1 for edges in self.edges[1:])
        counts = np.zeros(math.prod(shape) * _BINS, np.int64)
        owner = np.zeros(self.values.shape[1:], np.int32)
        for axis, edges in enumerate(self.edges[1:]):
            number = np.repeat(np.arange(len(edges) - 1), np.diff(edges)) * math.prod(shape[axis + 1 :])
            owner += number.astype(np.int32).reshape([-1 if axis == other else 1 for other in range(owner.ndim)])
        owner *= _BINS
        for index in range(self.edges[0][layer], self.edges[0][layer + 1]):
            for rows in self._rows():
                progress.step()
                bins = self._codes(self.values[(index, *rows)]) // _FINER
                bins += owner[rows]
                counts += np.bincount(bins.reshape(-1), minlength=counts.size)
        return _equalizing(counts.reshape(*shape, _BINS), self.clip_limit)

    def _looked_up(self, maps: np.ndarray, place: tuple[slice | int, ...]) -> np.ndarray:
        """Return the values at a place, taken through the maps around each pixel and interpolated."""
        table = maps.reshape(-1)
        codes = self._codes(self.values[place])
        strides = [math.prod(maps.shape[axis + 1 :]) for axis in range(maps.ndim - 1)]
        weights, steps = [], []
        for axis, stride in enumerate(strides):
            shape = [-1 if axis == other else 1 for other in range(codes.ndim)]
            below = self.below[axis + 1][place[axis + 1]]
            codes += (below * stride).reshape(shape)
            weights.append(self.weight[axis + 1][place[axis + 1]].reshape(shape))
            # With one tile there is none after it, and the weight is 0.
            steps.append(stride if maps.shape[axis] > 1 else 0)
        corners = {
            corner: table.take(codes + sum(corner[axis] * step for axis, step in enumerate(steps)))
            for corner in itertools.product((0, 1), repeat=len(steps))
        }
        for weight in reversed(weights):
            corners = {
                corner[:-1]: low + weight * (corners[(*corner[:-1], 1)] - low)
                for corner, low in corners.items()
                if corner[-1] == 0
            }
        return corners[()]


def _between(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel the last tile whose center is not after it, and how near the next center is (0 to 1)."""
    centers = (edges[:-1] + edges[1:] - 1) / 2
    places = np.arange(edges[-1])
    if len(centers) == 1:
        return np.zeros(len(places), np.intp), np.zeros(len(places), np.float32)
    below = np.clip(np.searchsorted(centers, places, side="right") - 1, 0, len(centers) - 2)
    weight = (places - centers[below]) / (centers[below + 1] - centers[below])
    return below, np.clip(weight, 0, 1).astype(np.float32)


def _equalizing(counts: np.ndarray, clip_limit: float) -> np.ndarray:
    """Return the map of each histogram (last axis) from level to 0-1: its clipped cumulative share."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    limit = max(clip_limit, 1 / _BINS)
    excess = np.ones(1)
    # What is cut off is spread evenly over the bins below the limit, which may lift some above it in turn.
    while excess.max() > 1e-6:
        clipped = np.minimum(shares, limit)
        excess = 1 - clipped.sum(axis=-1, keepdims=True)
        room = clipped < limit
        shares = clipped + room * (excess / np.maximum(room.sum(axis=-1, keepdims=True), 1))
        if not (room & (excess > 0)).any():
            break
    ends = np.zeros((*shares.shape[:-1], _BINS + 1), np.float32)
    np.cumsum(shares, axis=-1, out=ends[..., 1:])
    within = (np.arange(_FINER, dtype=np.float32) + 0.5) / _FINER
    return (ends[..., :-1, None] + np.diff(ends)[..., None] * within).reshape(*shares.shape[:-1], _LEVELS)


def _stretch(values: np.ndarray, wanted: tuple[float, float], progress: Progress) -> None:
    """Map the range of an array onto another one, in place."""
    lowest, highest = float(values.min()), float(values.max())
    scale = np.float32((wanted[1] - wanted[0]) / max(highest - lowest, 1e-12))
    for slab in slabs(values.shape):
        part = values[slab]
        part -= np.float32(lowest)
        part *= scale
        part += np.float32(wanted[0])
        progress.step(fraction=slab.stop / values.shape[0])
