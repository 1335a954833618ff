"""Histograms of oriented gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...parameters import parameter
from .canvas import area_average
from .descriptor import DESCRIPTORS, ImageDescriptor

__all__ = ["OrientedGradients"]


@DESCRIPTORS.register
@dataclass(frozen=True)
class OrientedGradients(ImageDescriptor):
    """Share of each gradient orientation in each cell, normalized by the gradients in and around the cell.

    N. Dalal, B. Triggs: Histograms of oriented gradients for human detection, CVPR 2005, doi:10.1109/CVPR.2005.177.
    """

    name: ClassVar[str] = "oriented-gradients"
    title: ClassVar[str] = "Histograms of oriented gradients"

    orientations: int = parameter(9, "Number of orientations over half a turn.", minimum=2, maximum=36)

    @property
    def channels(self) -> tuple[str, ...]:
        """One channel per orientation, in degrees."""
        return tuple(f"{180 * k / self.orientations:g}deg" for k in range(self.orientations))

    def describe(self, canvas: np.ndarray) -> np.ndarray:
        """Return the normalized histograms, shape (orientations, grid, grid)."""
        from scipy.ndimage import uniform_filter

        down, right = np.gradient(canvas)
        strength = np.hypot(down, right)
        position = np.mod(np.arctan2(down, right), np.pi) * self.orientations / np.pi
        low = np.floor(position).astype(np.int64) % self.orientations
        share = (position - np.floor(position)) * strength
        layers = np.zeros((self.orientations, *canvas.shape), dtype=np.float32)
        rows, columns = np.indices(canvas.shape)
        layers[low, rows, columns] = strength - share
        layers[(low + 1) % self.orientations, rows, columns] += share
        cells = np.stack([area_average(layer, self.grid, self.grid) for layer in layers])
        around = uniform_filter((cells * cells).sum(axis=0), 3, mode="nearest")
        return np.sqrt(cells / (np.sqrt(around) + 1e-3)).astype(np.float32)
