"""The brain within the head: a grown surface, cut free of what still hangs on it.

All lengths are in millimeters; the work is done on a grid along the axes of the patient, so that the way in which the
slices were acquired does not matter.
"""

from __future__ import annotations

import itertools
from contextlib import suppress

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...imaging.filters import gaussian_smooth
from ...imaging.masks import bounding_box, largest_component
from ...imaging.pixels import image_like, mask_image, view
from ...progress import Progress, run_filter
from .surface import HeadIntensities, brain_surface, head_intensities, inside

__all__ = ["distance_to", "extract_brain"]

_STEP_MM = 1.5
_MAXIMUM_EXTENT_MM = 700.0
_LEAST_EXTENT_MM = 60.0
# Deeper inside than this, the first surface holds brain for certain.
_CORE_DEPTH_MM = 12.0
# Tissue lies between these multiples of the median of the core, whatever the weighting.
_LEAST_SHARE = 0.55
_MOST_SHARE = 2.5
# In thick slices the skull is blurred and the surface may get out through it, the more so with contrast agent, where
# the scalp is much brighter than the brain. So a large brain is looked for more strictly too, nearer to its
# intensities. If this much of it is farther than this from the strict one, it had leaked: whole ones have 0 to 0.04 of
# their volume there, leaks 0.1 to 0.2.
_LARGE_MM3 = 1.3e6
_STRICT_SHARE = 1.3
_FAR_MM, _LEAKED_SHARE = 10.0, 0.07
# Bridges to eyes, muscle and marrow are thinner than twice this.
_BRIDGE_RADIUS_MM = 5.0
# Sulci are narrower than twice this, and belong to the brain with the fluid in them.
_SULCUS_RADIUS_MM = 8.0
_SURFACE_SLACK_MM = 1.0
# A head with less than this share outside of the first surface has been skull-stripped.
_STRIPPED_SHARE = 0.02


def extract_brain(image: sitk.Image, fraction: float, progress: Progress) -> np.ndarray:
    """Return the voxels of the brain, with the fluid in its sulci and ventricles, as a boolean array.

    Parameters
    ----------
    image : sitk.Image
        3D, T1-, T2-weighted or FLAIR, with the bias field corrected.
    fraction : float
        Where the first surface stops between background (0) and brain (1).
    progress : Progress

    Raises
    ------
    UnsupportedImageError
        If there is no head in the image, or nothing that could be a brain in it.
    """
    upright = _upright(image, progress.part(0.0, 0.15))
    head = head_intensities(upright)
    brain = _brain_of(upright, head, fraction, _MOST_SHARE, progress.part(0.15, 0.55))
    if np.count_nonzero(_within(brain)) * _STEP_MM**3 > _LARGE_MM3:
        # Where the strict look finds nothing, it does not tell whether the first leaked; quality control sees the size.
        with suppress(UnsupportedImageError):
            strict = _brain_of(upright, head, (1 + fraction) / 2, _STRICT_SHARE, progress.part(0.55, 0.9))
            brain = strict if _leaked(brain, strict) else brain
    return _on_grid(brain, image, progress.part(0.9, 1.0))


def _within(distance: sitk.Image) -> np.ndarray:
    """Return the voxels of a brain. Distances count from centers of voxels: the border is half a voxel farther out."""
    return view(distance) < _STEP_MM / 2


def _leaked(brain: sitk.Image, strict: sitk.Image) -> bool:
    """Tell whether much of a brain is far from a stricter one; both are distances, in boxes of one grid."""
    there = sitk.Resample(strict, brain, sitk.Transform(), sitk.sitkNearestNeighbor, 2 * _FAR_MM)
    return bool((view(there)[_within(brain)] > _FAR_MM).mean() > _LEAKED_SHARE)


def _brain_of(
    upright: sitk.Image, head: HeadIntensities, fraction: float, most_share: float, progress: Progress
) -> sitk.Image:
    """Return the distance in mm from the brain, negative within, in a box around where it lies."""
    surface = brain_surface(upright, head, fraction, progress.part(0.0, 0.6))
    first = inside(*surface, upright)
    if not first.any():
        raise UnsupportedImageError("No brain was found in this image: is it an MRI of the whole head?")
    box = bounding_box(first, round(3 * _SULCUS_RADIUS_MM / _STEP_MM))
    region = upright[tuple(slice(part.start, part.stop) for part in reversed(box))]
    head_mask = view(region) > head.threshold
    if np.count_nonzero(head_mask & ~first[box]) < _STRIPPED_SHARE * np.count_nonzero(head_mask):
        # Nothing lies around the brain: somebody has stripped the skull already.
        brain = _with_sulci(head_mask, region)
    else:
        brain = _cut_free(region, first[box], most_share, progress.part(0.6, 1.0))
    return image_like(distance_to(brain, region), region)


def distance_to(mask: np.ndarray, reference: sitk.Image) -> np.ndarray:
    """Return the distance in mm of each voxel to the nearest voxel of a mask, as float32; 0 or less within it."""
    distance = sitk.SignedMaurerDistanceMap(
        mask_image(mask, reference), insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return view(distance)


def _upright(image: sitk.Image, progress: Progress) -> sitk.Image:
    """Return the image on an isotropic grid along the patient's axes that holds all of it."""
    ends = itertools.product(*((-0.5, size - 0.5) for size in image.GetSize()))
    corners = np.array([image.TransformContinuousIndexToPhysicalPoint(end) for end in ends])
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    if extent.min() < _LEAST_EXTENT_MM or extent.max() > _MAXIMUM_EXTENT_MM:
        measures = " x ".join(f"{length:.0f}" for length in extent)
        raise UnsupportedImageError(
            f"The brain is looked for in volumes of {_LEAST_EXTENT_MM:g} to {_MAXIMUM_EXTENT_MM:g} mm, but this one is "
            f"{measures} mm. Check the spacing."
        )
    smooth = gaussian_smooth(image, (_STEP_MM / 2,) * 3, progress.part(0.0, 0.6))
    resample = sitk.ResampleImageFilter()
    resample.SetSize([int(np.ceil(length / _STEP_MM)) for length in extent])
    resample.SetOutputOrigin((low + _STEP_MM / 2).tolist())
    resample.SetOutputSpacing((_STEP_MM,) * 3)
    resample.SetDefaultPixelValue(float(view(smooth).min()))
    return run_filter(resample, smooth, progress=progress.part(0.6, 1.0))


def _cut_free(image: sitk.Image, first: np.ndarray, most_share: float, progress: Progress) -> np.ndarray:
    """Return the brain proper of what the first surface encloses."""
    message = "Cutting the brain free"
    progress.step(message)
    outside = distance_to(first, image)
    tissue = _tissue(view(image), outside, most_share)
    progress.step(message, 0.3)
    kernel = largest_component(distance_to(~tissue, image) > _BRIDGE_RADIUS_MM)
    if not kernel.any():
        raise UnsupportedImageError("No brain was found in this image: is it an MRI of the whole head?")
    progress.step(message, 0.6)
    brain = tissue & (distance_to(kernel, image) <= _BRIDGE_RADIUS_MM)
    return _with_sulci(brain, image) & (outside <= _SURFACE_SLACK_MM)


def _with_sulci(brain: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Close the sulci and fill the ventricles."""
    from scipy.ndimage import binary_fill_holes

    grown = distance_to(brain, image) <= _SULCUS_RADIUS_MM
    return binary_fill_holes((distance_to(~grown, image) > _SULCUS_RADIUS_MM) | brain)


def _tissue(values: np.ndarray, outside: np.ndarray, most_share: float) -> np.ndarray:
    """Return the voxels within the first surface whose intensities are those of its core."""
    core = values[outside < -_CORE_DEPTH_MM]
    if core.size == 0:
        raise UnsupportedImageError("No brain was found in this image: is it an MRI of the whole head?")
    median = np.median(core)
    within = (values > _LEAST_SHARE * median) & (values < most_share * median)
    return within & (outside < 2 * _SURFACE_SLACK_MM)


def _on_grid(distance: sitk.Image, image: sitk.Image, progress: Progress) -> np.ndarray:
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(image)
    resample.SetDefaultPixelValue(_STEP_MM)
    return _within(run_filter(resample, distance, progress=progress))
