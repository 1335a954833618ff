"""Filters given in the Fourier domain: radial wavelets and the Riesz transform."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import fft

from ...errors import InvalidSettingError
from .filter import Grid

__all__ = ["apply_transfer", "check_order", "riesz"]

Transfer = Callable[[list[np.ndarray]], np.ndarray]


def apply_transfer(array: np.ndarray, transfer: Transfer, grid: Grid) -> np.ndarray:
    """Multiply the spectrum of a periodic array by `transfer(frequencies)`.

    Parameters
    ----------
    transfer : callable
        Gets one broadcastable array of frequencies per axis of `grid`, in units of the Nyquist frequency (-1 to 1).
    """
    spectrum = fft.fftn(array, axes=grid.axes)
    spectrum *= transfer([_frequencies(array.shape, axis) for axis in grid.axes])
    return fft.ifftn(spectrum, axes=grid.axes, overwrite_x=True).real


def _frequencies(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Return the frequencies along one axis as IBSI-2's reference maps take them.

    They run from -1 to 1 symmetrically: for an even number of samples this is half a step more than the frequencies
    of the Fourier transform, and there is none at 0.
    """
    count = shape[axis]
    centered = np.linspace(-1, 1, count, dtype=np.float32) if count > 1 else np.zeros(1, np.float32)
    return fft.ifftshift(centered).reshape([-1 if i == axis else 1 for i in range(len(shape))])


def riesz(frequencies: list[np.ndarray], order: Sequence[int]) -> np.ndarray:
    """Return the transfer function of the Riesz transform of `order` (one number per axis).

    R = (-i)^L sqrt(L! / (l1! l2! l3!)) prod(nu_k^l_k) / |nu|^L with L the sum of the orders l_k; 0 at frequency 0.
    """
    total = sum(order)
    factor = (-1j) ** total * math.sqrt(math.factorial(total) / math.prod(map(math.factorial, order)))
    norm = np.sqrt(sum(nu**2 for nu in frequencies))
    norm[norm == 0] = np.inf
    result = np.full(norm.shape, np.complex64(factor))
    for nu, power in zip(frequencies, order, strict=True):
        result *= nu**power
    return result / norm**total


def check_order(name: str, order: tuple[int, ...], dimension: int) -> None:
    """Refuse a Riesz order that does not name each axis."""
    if len(order) != dimension:
        raise InvalidSettingError(
            f"{name}: 'riesz_order' is {order}, but the image is filtered in {dimension}D. Give one number per axis "
            "(x, y, z), or none to leave the transform out."
        )
