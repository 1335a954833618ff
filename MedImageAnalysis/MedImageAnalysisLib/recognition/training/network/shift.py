"""What to expect elsewhere: images as another machine, another export or another hand would have left them.

Each kind is as strong as it can be while a reader would still read the image. None of them is the variation that
networks train with, though some resemble it; all go through the whole way from file to canvas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import SimpleITK as sitk

__all__ = ["SHIFTS", "shifted"]


def shifted(image: sitk.Image, kind: str, seed: int) -> sitk.Image:
    """Return `image` changed in the way that SHIFTS names `kind`."""
    pixels = sitk.GetArrayFromImage(image).astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    unit = (pixels - low) / max(high - low, 1e-6)
    return sitk.GetImageFromArray(SHIFTS[kind](unit, np.random.default_rng(seed)).astype(np.float32))


def _blurred(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, 0.012 * x.shape[1], mode="nearest")


def _coarse(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    from ...descriptors.canvas import area_average

    return area_average(x, 64, 64)


def _noisy(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return x + 0.08 * random.normal(size=x.shape)


def _saturated(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.clip(x, *np.quantile(x, (0.2, 0.9)))


def _cut(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    rows, columns = (round(0.08 * length) for length in x.shape)
    return x[rows:-rows, columns:-columns]


def _framed(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    rows, columns = (round(0.08 * length) for length in x.shape)
    return np.pad(x, ((rows, rows), (columns, columns)))


def _uneven(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : x.shape[0] * 1j, -1 : 1 : x.shape[1] * 1j]
    angle = random.uniform(0, 2 * np.pi)
    return x * (1 + 0.4 * (np.cos(angle) * columns + np.sin(angle) * rows))


def _flattened(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Lower the contrast of large structures, as equalizing displays do."""
    from scipy.ndimage import gaussian_filter

    return x - 0.6 * gaussian_filter(x, 0.12 * x.shape[1], mode="nearest")


SHIFTS: Mapping[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blurred": _blurred,
    "64 pixels wide": _coarse,
    "noisy": _noisy,
    "saturated": _saturated,
    "cut": _cut,
    "framed": _framed,
    "unevenly exposed": _uneven,
    "locally equalized": _flattened,
}
