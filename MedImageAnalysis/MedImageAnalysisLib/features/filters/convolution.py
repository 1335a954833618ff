"""Convolution with separable kernels, its right-angle rotations, and padding by the boundary conditions of IBSI-2."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
from scipy import ndimage

from ...progress import Progress
from .filter import Grid

__all__ = ["convolve", "crop", "pad", "pooled"]

# numpy's and scipy's names differ for the same continuation.
_SCIPY_MODE = {"mirror": "reflect", "nearest": "nearest", "periodic": "wrap", "zero": "constant"}
_NUMPY_MODE = {"mirror": "symmetric", "nearest": "edge", "periodic": "wrap", "zero": "constant"}

Kernel = tuple[float, ...]
Kernels = Sequence[Sequence[float]]
Chains = tuple[tuple[Kernel, ...], ...]


def convolve(array: np.ndarray, kernels: Kernels, grid: Grid, boundary: str) -> np.ndarray:
    """Convolve with the outer product of one kernel of odd length per axis of `grid`."""
    for kernel, axis in zip(kernels, grid.axes, strict=True):
        array = ndimage.convolve1d(array, kernel, axis=axis, mode=_SCIPY_MODE[boundary])
    return array


def pad(array: np.ndarray, widths: Sequence[int], grid: Grid, boundary: str) -> np.ndarray:
    """Continue the array by `widths` samples at both ends of the axes of `grid`."""
    full = [(0, 0)] * array.ndim
    for axis, width in zip(grid.axes, widths, strict=True):
        full[axis] = (width, width)
    return np.pad(array, full, mode=_NUMPY_MODE[boundary])


def crop(array: np.ndarray, starts: Sequence[int], shape: tuple[int, ...], grid: Grid) -> np.ndarray:
    """Return the part of `shape` that begins at `starts` along the axes of `grid`."""
    part = [slice(None)] * array.ndim
    for axis, start in zip(grid.axes, starts, strict=True):
        part[axis] = slice(start, start + shape[axis])
    return array[tuple(part)]


def pooled(
    array: np.ndarray, cascade: Sequence[Kernels], grid: Grid, boundary: str, pooling: str, progress: Progress
) -> np.ndarray:
    """Convolve with all right-angle rotations of a separable filter and pool the responses voxel by voxel.

    Parameters
    ----------
    cascade : sequence of kernels per axis
        Convolved one after the other, all in the same rotation.
    pooling : {"average", "max"}
    """
    rotated = _rotations(cascade)
    total: np.ndarray | None = None
    for i, (chains, signs) in enumerate(rotated):
        progress.step(fraction=i / len(rotated))
        response = array
        for kernels in zip(*chains, strict=True):
            response = convolve(response, kernels, grid, boundary)
        if pooling == "average":
            response *= signs[1] - signs[-1]
            total = response if total is None else np.add(total, response, out=total)
        else:
            extreme = np.abs(response, out=response) if len(signs) == 2 else response * next(iter(signs))
            total = extreme if total is None else np.maximum(total, extreme, out=total)
    return total / sum(signs.total() for _, signs in rotated) if pooling == "average" else total


def _rotations(cascade: Sequence[Kernels]) -> list[tuple[Chains, Counter[int]]]:
    """Return the distinct rotated filters as chains of kernels per axis, and how often each has sign +1 and -1.

    Most kernels equal their mirror image or its negative, so that few of the 4 (2D) or 24 (3D) rotations differ.
    """
    chains = [tuple(tuple(map(float, kernel)) for kernel in chain) for chain in zip(*cascade, strict=True)]
    found: dict[Chains, Counter[int]] = {}
    for order, flips in _proper_rotations(len(chains)):
        signed = [_flipped(chains[i]) if flip else (chains[i], 1) for i, flip in zip(order, flips, strict=True)]
        rotated = tuple(chain for chain, _ in signed)
        found.setdefault(rotated, Counter())[math.prod(sign for _, sign in signed)] += 1
    return list(found.items())


def _flipped(chain: tuple[Kernel, ...]) -> tuple[tuple[Kernel, ...], int]:
    """Return the mirror images of kernels and a common sign; an antisymmetric kernel is its own, with sign -1."""
    sign, flipped = 1, []
    for kernel in chain:
        mirrored = kernel[::-1]
        antisymmetric = mirrored == tuple(-value for value in kernel)
        sign = -sign if antisymmetric else sign
        flipped.append(kernel if antisymmetric else mirrored)
    return tuple(flipped), sign


def _proper_rotations(dimension: int) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """Yield the axis orders and flips that are rotations of the grid, without reflections."""
    for order, flips in product(permutations(range(dimension)), product((False, True), repeat=dimension)):
        matrix = np.eye(dimension)[list(order)] * np.where(flips, -1, 1)[:, np.newaxis]
        if np.linalg.det(matrix) > 0:
            yield order, flips
