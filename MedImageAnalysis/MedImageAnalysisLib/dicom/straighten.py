"""Turn tilted or uneven stacks of slices into a volume on a straight, even grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ..progress import Progress
from .checks import Stack

__all__ = ["straightened"]


def straightened(
    slices: sitk.Image, stack: Stack, spacing: Sequence[float], fill: float, progress: Progress
) -> tuple[sitk.Image, tuple[float, float], tuple[str, ...]]:
    """Resample slices onto an even grid whose third axis is perpendicular to them, by linear interpolation.

    With a tilted gantry every slice is moved sideways by its own offset, and the grid grows so that nothing is lost.
    Uneven distances become their median.

    Parameters
    ----------
    slices : sitk.Image, 3D
        Slices in the order of `stack`; its geometry is not used.
    spacing : sequence of float
        Along x and y of the slices, mm.
    fill : float
        Value outside of the slices.

    Returns
    -------
    volume : sitk.Image
        With spacing set.
    corner : tuple of float
        Offset of the grid's first pixel from that of the first slice, along x and y, mm.
    corrections : tuple of str
    """
    heights = stack.heights
    offsets = heights[:, None] * (stack.shear if stack.is_tilted else np.zeros(2))
    corner = offsets.min(axis=0)
    extent = np.ceil(np.ptp(offsets, axis=0) / spacing - 1e-6).astype(int)
    distance = float(stack.gaps.mean() if stack.is_even else np.median(stack.gaps))
    count = len(heights) if stack.is_even else math.floor(heights[-1] / distance + 1e-6) + 1
    grid = sitk.Image(slices.GetWidth() + int(extent[0]), slices.GetHeight() + int(extent[1]), slices.GetPixelID())
    grid.SetSpacing(spacing)
    grid.SetOrigin(corner.tolist())

    def on_grid(index: int) -> sitk.Image:
        plane = slices[:, :, index]
        plane.SetSpacing(spacing)
        plane.SetOrigin(offsets[index].tolist())
        plane.SetDirection((1, 0, 0, 1))
        return sitk.Resample(plane, grid, sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear, fill)

    volume = sitk.Image((*grid.GetSize(), count), slices.GetPixelID())
    for index in range(count):
        progress.step("Straighten slices", index / count)
        below, weight = (index, 0.0) if stack.is_even else _between(heights, index * distance)
        plane = on_grid(below)
        volume[:, :, index] = plane if weight == 0 else _mixed(plane, on_grid(below + 1), weight)
    volume.SetSpacing((*spacing, distance))
    return volume, (float(corner[0]), float(corner[1])), _corrections(stack, distance)


def _between(heights: np.ndarray, height: float) -> tuple[int, float]:
    """Return the index of the slice at or below `height`, and the weight of the next one."""
    below = int(np.clip(np.searchsorted(heights, height, side="right") - 1, 0, len(heights) - 2))
    weight = (height - heights[below]) / (heights[below + 1] - heights[below])
    return below, float(min(max(weight, 0.0), 1.0))


def _mixed(first: sitk.Image, second: sitk.Image, weight: float) -> sitk.Image:
    mixed = sitk.Cast(first, sitk.sitkFloat32) * (1 - weight) + sitk.Cast(second, sitk.sitkFloat32) * weight
    if first.GetPixelID() != sitk.sitkFloat32:
        mixed = sitk.Round(mixed)
    return sitk.Cast(mixed, first.GetPixelID())


def _corrections(stack: Stack, distance: float) -> tuple[str, ...]:
    corrections = []
    if stack.is_tilted:
        angle = math.degrees(math.atan(np.hypot(*stack.shear)))
        corrections.append(f"straightened a gantry tilt of {angle:.1f} degrees by linear interpolation")
    if not stack.is_even:
        corrections.append(
            f"interpolated slices {stack.gaps.min():.3g} to {stack.gaps.max():.3g} mm apart "
            f"to an even distance of {distance:.3g} mm"
        )
    return tuple(corrections)
