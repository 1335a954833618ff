"""The scattering transform: a fixed cascade of wavelet convolutions and moduli."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ...parameters import parameter
from .canvas import area_average
from .descriptor import DESCRIPTORS, ImageDescriptor

__all__ = ["Scattering"]

_FLOOR = 1e-3


@DESCRIPTORS.register
@dataclass(frozen=True)
class Scattering(ImageDescriptor):
    """Logarithms of local means of S0 = x, S1 = |x * psi_a| and S2 = ||x * psi_a| * psi_b| with coarser b.

    psi are Morlet wavelets at dyadic scales and evenly spaced orientations. The transform is stable to small
    deformations and needs no training. J. Bruna, S. Mallat: Invariant Scattering Convolution Networks, IEEE
    Transactions on Pattern Analysis and Machine Intelligence 35(8), 2013, doi:10.1109/TPAMI.2012.230.
    """

    name: ClassVar[str] = "scattering"
    title: ClassVar[str] = "Scattering transform"

    scales: int = parameter(4, "Number of dyadic scales.", minimum=1, maximum=5)
    orientations: int = parameter(6, "Number of orientations over half a turn.", minimum=1, maximum=16)

    @property
    def channels(self) -> tuple[str, ...]:
        """The mean, then one channel per path of wavelets."""
        first = [f"s{j}o{k}" for j in range(self.scales) for k in range(self.orientations)]
        second = [
            f"s{j}o{k}>s{i}o{m}"
            for j in range(self.scales - 1)
            for k in range(self.orientations)
            for i in range(j + 1, self.scales)
            for m in range(self.orientations)
        ]
        return ("mean", *first, *second)

    def describe(self, canvas: np.ndarray) -> np.ndarray:
        """Return log local means of all paths, shape (channels, grid, grid)."""
        margin = self._padded // 2 - self.size // 2
        padded = np.pad(canvas, (margin, self._padded - self.size - margin), mode="reflect")
        first = _moduli(padded[None], _bank(self._padded, self.scales, self.orientations, 0, 0))[0]
        paths = [canvas[None], first]
        for j in range(self.scales - 1):
            # A modulus of scale j has no detail below 2^j: halving it once per scale loses little and saves much.
            halvings = max(j, 1)
            band = first[j * self.orientations : (j + 1) * self.orientations]
            small = band[:, :: 2**halvings, :: 2**halvings]
            bank = _bank(self._padded, self.scales, self.orientations, j + 1, halvings)
            paths.append(_moduli(small, bank).reshape(-1, *small.shape[1:]))
        means = [self._local_means(path, margin) for path in paths]
        logs = [means[0], *(np.log(_FLOOR + part) for part in means[1:])]
        return np.concatenate(logs).astype(np.float32)

    @property
    def _padded(self) -> int:
        return 2 ** math.ceil(math.log2(self.size + 2 ** (self.scales + 1)))

    def _local_means(self, channels: np.ndarray, margin: int) -> np.ndarray:
        if channels.shape[-1] != self.size:
            step = self._padded // channels.shape[-1]
            start = -(-margin // step)
            count = self.size // step
            channels = channels[:, start : start + count, start : start + count]
        return np.stack([area_average(channel, self.grid, self.grid) for channel in channels])


def _moduli(images: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Return |image * psi| of each image (n, h, w) and each wavelet of the bank (m, h, w): shape (n, m, h, w)."""
    from scipy import fft

    spectra = fft.fft2(images.astype(np.complex64))
    return np.abs(fft.ifft2(spectra[:, None] * bank[None]))


@lru_cache(maxsize=32)
def _bank(padded: int, scales: int, orientations: int, first: int, halvings: int) -> np.ndarray:
    """Return the spectra of the Morlet wavelets from scale `first` on, for an image halved `halvings` times."""
    size = padded >> halvings
    frequency = 2 * np.pi * np.fft.fftfreq(size) / 2**halvings
    v, u = np.meshgrid(frequency, frequency, indexing="ij")
    slant = 4.0 / orientations
    bank = []
    for j in range(first, scales):
        sigma, center = 0.8 * 2**j, 0.75 * np.pi / 2**j
        for k in range(orientations):
            angle = np.pi * k / orientations
            along = u * np.cos(angle) + v * np.sin(angle)
            across = -u * np.sin(angle) + v * np.cos(angle)

            def gauss(offset: float, along=along, across=across, sigma=sigma) -> np.ndarray:
                return np.exp(-0.5 * sigma**2 * ((along - offset) ** 2 + (across / slant) ** 2))

            # The second term gives the wavelet a mean of zero.
            correction = np.exp(-0.5 * sigma**2 * center**2)
            bank.append(gauss(center) - correction * gauss(0.0))
    return np.array(bank, dtype=np.float32)
