"""Plausible variations of an image: how it could have looked on another day or another machine."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

__all__ = ["varied"]


def varied(image: sitk.Image, random: np.random.Generator, mirror: bool = False) -> sitk.Image:
    """Return `image` turned, scaled, shifted, unevenly exposed, blurred or noisy: each a little, at random.

    Up to 8 degrees, 10 % of scale per axis, 5 % of the width; exposure changes by up to 30 % across the image; blur has
    a standard deviation up to 0.8 % of the width; noise one of up to 3 % of the range. Mirrored half the time if
    `mirror`.
    """
    size = np.array(image.GetSize(), dtype=np.float64)
    turned = _moved(image, size, random, mirror and random.random() < 0.5)
    pixels = sitk.GetArrayFromImage(turned).astype(np.float32)
    rows, columns = np.mgrid[-0.5 : 0.5 : pixels.shape[0] * 1j, -0.5 : 0.5 : pixels.shape[1] * 1j]
    angle, strength = random.uniform(0, 2 * math.pi), random.uniform(0, 0.3)
    pixels *= 1 + strength * (math.cos(angle) * columns + math.sin(angle) * rows).astype(np.float32)
    if random.random() < 0.5:
        pixels = _blurred(pixels, random.uniform(0, 0.008) * size[0])
    else:
        noise = random.normal(size=pixels.shape).astype(np.float32)
        pixels += noise * np.float32(random.uniform(0, 0.03) * np.ptp(pixels))
    result = sitk.GetImageFromArray(pixels)
    result.CopyInformation(image)
    return result


def _moved(image: sitk.Image, size: np.ndarray, random: np.random.Generator, mirrored: bool) -> sitk.Image:
    transform = sitk.AffineTransform(2)
    angle = math.radians(random.uniform(-8, 8))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    scale = np.diag(random.uniform(0.9, 1.1, 2)) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    extent = size * image.GetSpacing()
    transform.SetMatrix((turn @ scale).ravel())
    transform.SetCenter(image.TransformContinuousIndexToPhysicalPoint(((size - 1) / 2).tolist()))
    transform.SetTranslation((random.uniform(-0.05, 0.05, 2) * extent).tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(image)
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetUseNearestNeighborExtrapolator(True)
    return resampler.Execute(image)


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(pixels, sigma, mode="nearest")
