"""Filters that several steps and methods share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

from ..progress import Progress, run_filter
from .pixels import as_float, cropped_like, view, with_minimum_size

__all__ = ["gaussian_smooth", "gradient_magnitude", "noise_level", "signed_distance", "single_threaded"]

# ITK's recursive filters need four pixels along each axis.
_RECURSIVE_MINIMUM = 4


def gaussian_smooth(image: sitk.Image, sigma: tuple[float, ...], progress: Progress) -> sitk.Image:
    """Return `image` smoothed by a Gaussian as float32; edge values continue outside.

    Parameters
    ----------
    image : sitk.Image
    sigma : tuple of float
        Standard deviation along x, y (, z) in millimeters.
    progress : Progress
    """
    smooth = sitk.SmoothingRecursiveGaussianImageFilter()
    smooth.SetSigma(sigma)
    smoothed = run_filter(smooth, with_minimum_size(as_float(image), _RECURSIVE_MINIMUM), progress=progress)
    return cropped_like(smoothed, image)


def gradient_magnitude(image: sitk.Image, sigma: float, progress: Progress) -> sitk.Image:
    """Return the gradient magnitude at the scale `sigma` (mm), in intensity per millimeter, as float32."""
    gradient = sitk.GradientMagnitudeRecursiveGaussianImageFilter()
    gradient.SetSigma(sigma)
    found = run_filter(gradient, with_minimum_size(as_float(image), _RECURSIVE_MINIMUM), progress=progress)
    return cropped_like(found, image)


def signed_distance(
    mask: sitk.Image, progress: Progress, *, inside_is_positive: bool = False, squared: bool = False
) -> sitk.Image:
    """Return the distance of each voxel from the outline of `mask` in mm (or mm2) as float32, with a sign.

    References
    ----------
    Maurer, Qi, Raghavan 2003, doi:10.1109/TPAMI.2003.1177156.
    """
    distance = sitk.SignedMaurerDistanceMapImageFilter()
    distance.SetInsideIsPositive(inside_is_positive)
    distance.SetSquaredDistance(squared)
    distance.SetUseImageSpacing(True)
    return run_filter(distance, mask, progress=progress)


def noise_level(image: sitk.Image) -> float:
    """Return the standard deviation of the noise in `image`, robust to edges.

    It is ``1.4826 * median(|d|) / 6`` of the second differences ``I[i-1] - 2 I[i] + I[i+1]`` along x and y
    (in the middle slice of a volume); smooth structures cancel. 0 for constant images and images too small to tell.

    References
    ----------
    After Immerkaer 1996, doi:10.1006/cviu.1996.0060.
    """
    values = view(image)
    plane = values if values.ndim == 2 else values[values.shape[0] // 2]
    differences = plane.astype(np.float32)
    variance = 1.0
    for axis in (0, 1):
        if plane.shape[axis] > 2:
            differences = np.diff(differences, 2, axis=axis)
            variance *= 6.0
    if variance == 1.0:
        return 0.0
    return float(1.4826 * np.median(np.abs(differences)) / np.sqrt(variance))


class _SingleThread:
    """Who asks for one thread: the first to come sets it, and the last to go sets back what was before."""

    lock = threading.Lock()
    users = 0
    usual = 0


@contextmanager
def single_threaded() -> Iterator[None]:
    """Run ITK on one thread inside the ``with`` block, for filters whose sums depend on the number of threads.

    Several threads may be inside at a time: cancelled work can go on for a while beside new work.
    """
    with _SingleThread.lock:
        if _SingleThread.users == 0:
            _SingleThread.usual = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        _SingleThread.users += 1
    try:
        yield
    finally:
        with _SingleThread.lock:
            _SingleThread.users -= 1
            if _SingleThread.users == 0:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_SingleThread.usual)
