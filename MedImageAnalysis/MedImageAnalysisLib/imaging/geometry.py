"""Grids: whether two images share one, how to say one in words, and how to bring labels from one to another."""

from __future__ import annotations

import math
from dataclasses import replace

import SimpleITK as sitk

from ..analysis import Segmentation

__all__ = ["describe_grid", "resample_segmentation", "same_grid", "scaled"]

# Headers round-trip through text and float32 in common formats: less than this share of a voxel is rounding.
_TOLERANCE = 1e-3


def same_grid(first: sitk.Image, second: sitk.Image) -> bool:
    """Tell whether two images have the same size and, within a thousandth of a voxel, the same place in space."""
    size, spacing = first.GetSize(), first.GetSpacing()
    if size != second.GetSize():
        return False
    # Plain numbers: this is asked for each segmentation, and arrays of three numbers would cost ten times as much.
    tolerance = _TOLERANCE / max(size)
    shift = _TOLERANCE * min(spacing)
    return (
        all(math.isclose(a, b, rel_tol=tolerance) for a, b in zip(spacing, second.GetSpacing(), strict=True))
        and all(abs(a - b) <= shift for a, b in zip(first.GetOrigin(), second.GetOrigin(), strict=True))
        and all(abs(a - b) <= tolerance for a, b in zip(first.GetDirection(), second.GetDirection(), strict=True))
    )


def describe_grid(image: sitk.Image) -> str:
    """Say size, spacing, origin and direction of an image in words."""
    size = " x ".join(map(str, image.GetSize()))
    spacing = " x ".join(f"{value:.4g}" for value in image.GetSpacing())
    origin = ", ".join(f"{value:.2f}" for value in image.GetOrigin())
    direction = ", ".join(f"{value:.3g}" for value in image.GetDirection())
    return f"{size} voxels of {spacing} mm at origin ({origin}) with direction ({direction})"


def resample_segmentation(segmentation: Segmentation, reference: sitk.Image) -> Segmentation:
    """Bring the labelmaps onto the grid of `reference` by nearest neighbor; unchanged if they are on it."""
    if all(same_grid(layer, reference) for layer in segmentation.layers):
        return segmentation
    identity = sitk.Transform(reference.GetDimension(), sitk.sitkIdentity)
    layers = (
        sitk.Resample(layer, reference, identity, sitk.sitkNearestNeighbor, 0, layer.GetPixelID())
        for layer in segmentation.layers
    )
    return replace(segmentation, layers=tuple(layers))


def scaled(image: sitk.Image, factor: float) -> sitk.Image:
    """Return the same pixels with spacing and origin multiplied by `factor`: a change of the unit of length."""
    copy = sitk.Image(image)
    copy.SetSpacing([value * factor for value in image.GetSpacing()])
    copy.SetOrigin([value * factor for value in image.GetOrigin()])
    return copy
