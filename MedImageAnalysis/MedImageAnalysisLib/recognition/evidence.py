"""Show what a linear model's result rests on: its strongest features, and where in the image they are.

The score of a category is a sum over features, so each feature's share in it is exact: share_i = z_i d_i, with the
standardized feature z and the weight d for the category against the mean of all. The shares of a descriptor that lie in
the same cell of its grid add up to the cell's share: the map F(x) = sum over i of w_i I_i(x).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ..analysis import Evidence
from .descriptors import ImageDescriptor
from .inputs import Input, Reading

__all__ = ["MAXIMUM_ROWS", "cell_evidence", "evidence_map", "input_evidence", "map_of_cells"]

MAXIMUM_ROWS = 20
MAP_SIZE = 96


def input_evidence(
    inputs: Sequence[Input], readings: Sequence[Reading], shares: np.ndarray, z: np.ndarray, category: str
) -> tuple[Evidence, ...]:
    """Return the rows of the inputs with the largest shares, largest first."""
    order = np.argsort(-np.abs(shares[: len(inputs)]), kind="stable")[:MAXIMUM_ROWS]
    return tuple(
        Evidence(
            inputs[i].key,
            readings[i].title,
            readings[i].value,
            readings[i].unit,
            category,
            float(shares[i]),
            float(z[i]),
        )
        for i in order
    )


def cell_evidence(
    descriptors: Sequence[ImageDescriptor], shares: np.ndarray, z: np.ndarray, category: str
) -> tuple[Evidence, ...]:
    """Return the cells of the descriptors' grids with the largest shares, largest first.

    The value of a cell is the root mean square of its standardized features: 1 is typical of the training data.
    """
    rows = []
    start = 0
    for descriptor in descriptors:
        part = slice(start, start + descriptor.length)
        start = part.stop
        cells = shares[part].reshape(-1, descriptor.grid, descriptor.grid).sum(axis=0)
        unusual = np.sqrt((z[part] ** 2).reshape(-1, descriptor.grid, descriptor.grid).mean(axis=0))
        for (row, column), share in np.ndenumerate(cells):
            key = f"{descriptor.name}[{row + 1},{column + 1}]"
            title = f"{descriptor.title}, row {row + 1}, column {column + 1} of {descriptor.grid}"
            rows.append(Evidence(key, title, float(unusual[row, column]), "", category, float(share)))
    return tuple(sorted(rows, key=lambda found: -abs(found.contribution))[:MAXIMUM_ROWS])


def evidence_map(descriptors: Sequence[ImageDescriptor], shares: np.ndarray, image: sitk.Image) -> sitk.Image:
    """Return the density of the shares of descriptors over the image, see :func:`map_of_cells`."""
    grids = []
    start = 0
    for descriptor in descriptors:
        part = shares[start : start + descriptor.length]
        start += descriptor.length
        grids.append(part.reshape(-1, descriptor.grid, descriptor.grid).sum(axis=0))
    return map_of_cells(grids, image)


def map_of_cells(grids: Sequence[np.ndarray], image: sitk.Image) -> sitk.Image:
    """Return the density of shares over the image, per area of one MAP_SIZE-th of each side squared.

    The map covers the image exactly, on a coarser grid of MAP_SIZE x MAP_SIZE; its sum is the part of the score that
    the cells give.

    Parameters
    ----------
    grids : sequence of numpy.ndarray, shape (rows, columns)
        Shares of the cells of grids that each cover the image.
    """
    total = sum((_spread(cells) for cells in grids), np.zeros((MAP_SIZE, MAP_SIZE)))
    drawn = sitk.GetImageFromArray(total.astype(np.float32))
    spacing = [s * n / MAP_SIZE for s, n in zip(image.GetSpacing(), image.GetSize(), strict=True)]
    corner = [0.5 * n / MAP_SIZE - 0.5 for n in image.GetSize()]
    drawn.SetSpacing(spacing)
    drawn.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(corner))
    drawn.SetDirection(image.GetDirection())
    return drawn


def _spread(cells: np.ndarray) -> np.ndarray:
    """Interpolate cells linearly to the map, keeping their sum."""
    from scipy.ndimage import zoom

    factors = [MAP_SIZE / length for length in cells.shape]
    fine = zoom(cells, factors, order=1, mode="nearest", grid_mode=True)
    return fine / (factors[0] * factors[1])
