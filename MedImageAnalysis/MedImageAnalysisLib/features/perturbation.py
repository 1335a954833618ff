"""Small random changes of an image and a segment, such as scanning and drawing once more would make.

After Zwanenburg et al. 2019, "Assessing robustness of radiomic features by image perturbation",
doi:10.1038/s41598-018-36938-4: rotation in the slice, translation by parts of a voxel, noise as strong as that of the
image, and growth or shrinkage of the contour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import SimpleITK as sitk

from ..parameters import Configurable, parameter
from ..progress import Progress

__all__ = ["Change", "Perturbations", "noise_level", "perturbed"]

# The median of |x| of a normal distribution of unit variance.
_MEDIAN_OF_NORMAL = 0.6745


@dataclass(frozen=True)
class Perturbations(Configurable):
    """How strongly, and how often, image and segments are changed."""

    name: ClassVar[str] = "perturbations"
    title: ClassVar[str] = "Perturbations"

    repetitions: int = parameter(20, "Number of changed copies.", minimum=2, maximum=1000)
    rotation_deg: float = parameter(5.0, "Largest rotation in the slice.", unit="deg", minimum=0.0, maximum=45.0)
    translation_voxels: float = parameter(0.5, "Largest shift along each axis.", unit="voxel", minimum=0.0, maximum=5.0)
    noise: float = parameter(
        1.0, "Strength of added noise, in multiples of the noise found in the image.", minimum=0.0, maximum=10.0
    )
    volume_change: float = parameter(
        0.1, "Largest growth or shrinkage of a segment, as a share of its volume.", minimum=0.0, maximum=0.5
    )
    seed: int = parameter(0, "Start of the random numbers: the same seed gives the same result.", minimum=0)

    def draw(self, dimension: int) -> list[Change]:
        """Return the changes, one per repetition; all segments of an image undergo the same."""
        changes = []
        for repetition in range(self.repetitions):
            random = np.random.default_rng([self.seed, repetition])
            unit = random.uniform(-1, 1, 2 + dimension)
            changes.append(
                Change(
                    angle=math.radians(self.rotation_deg) * unit[0],
                    volume_change=self.volume_change * unit[1],
                    shift=tuple(self.translation_voxels * unit[2:]),
                    noise=self.noise,
                    seed=(self.seed, repetition),
                )
            )
        return changes


@dataclass(frozen=True)
class Change:
    """One perturbation: angle in radians, shift in voxels, the rest as in :class:`Perturbations`."""

    angle: float
    volume_change: float
    shift: tuple[float, ...]
    noise: float
    seed: tuple[int, ...]


def noise_level(image: sitk.Image) -> float:
    """Estimate the standard deviation of the noise: median(|w|) / 0.6745 of the finest diagonal wavelet sub-band.

    Chang et al. 2000, doi:10.1109/83.862633.
    """
    from .filters.separable_wavelet import SeparableWavelet

    # A mirrored border would halve the noise there; of a periodic one the median takes no notice.
    band = SeparableWavelet(
        wavelet="coif1", subband="H" * image.GetDimension(), rotation_invariant=False, boundary="periodic"
    )
    response = sitk.GetArrayFromImage(band(image, Progress()))
    return float(np.median(np.abs(response))) / _MEDIAN_OF_NORMAL


def perturbed(image: sitk.Image, mask: sitk.Image, change: Change, noise_sigma: float) -> tuple[sitk.Image, sitk.Image]:
    """Return image and mask after one change, on the same grid; the image keeps its pixel type.

    Parameters
    ----------
    image : sitk.Image
        Scalar, 2D or 3D.
    mask : sitk.Image of uint8
        One segment, 0 and 1, on the grid of the image.
    noise_sigma : float
        Standard deviation of the noise that 1 stands for, see :func:`noise_level`.
    """
    transform = _rigid(image, change)
    pixels = sitk.Cast(image, sitk.sitkFloat32)
    moved = _resampled(pixels, transform)
    if change.noise * noise_sigma > 0:
        moved = _with_noise(moved, change.noise * noise_sigma, change.seed)
    distance = sitk.SignedMaurerDistanceMap(mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    grown = _thresholded(_resampled(distance, transform), mask, change.volume_change)
    return _cast_like(moved, image), grown


def _rigid(image: sitk.Image, change: Change) -> sitk.Transform:
    """Return the rotation about the slice's normal through the center of the image, and the shift."""
    center = image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in image.GetSize()])
    dimension = image.GetDimension()
    axes = np.array(image.GetDirection()).reshape(dimension, dimension)
    shift = axes @ (np.array(change.shift) * image.GetSpacing())
    if dimension == 2:
        transform = sitk.Euler2DTransform(center, change.angle)
    else:
        transform = sitk.VersorRigid3DTransform()
        transform.SetCenter(center)
        transform.SetRotation(axes[:, 2].tolist(), change.angle)
    transform.SetTranslation(shift.tolist())
    return transform


def _resampled(image: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(image)
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.UseNearestNeighborExtrapolatorOn()
    return resampler.Execute(image)


def _with_noise(image: sitk.Image, sigma: float, seed: tuple[int, ...]) -> sitk.Image:
    array = sitk.GetArrayViewFromImage(image)
    # A stream of its own: the drawn changes do not depend on the size of the image.
    random = np.random.default_rng([*seed, 1])
    noisy = sitk.GetImageFromArray(array + sigma * random.standard_normal(array.shape, dtype=np.float32))
    noisy.CopyInformation(image)
    return noisy


def _thresholded(distance: sitk.Image, mask: sitk.Image, volume_change: float) -> sitk.Image:
    """Return the voxels nearest to (or deepest in) the segment, as many as the changed volume asks for."""
    array = sitk.GetArrayViewFromImage(distance)
    wanted = round(np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * (1 + volume_change))
    wanted = min(max(wanted, 1), array.size)
    inside = np.zeros(array.size, np.uint8)
    inside[np.argsort(array, axis=None, kind="stable")[:wanted]] = 1
    result = sitk.GetImageFromArray(inside.reshape(array.shape))
    result.CopyInformation(mask)
    return result


def _cast_like(image: sitk.Image, original: sitk.Image) -> sitk.Image:
    """Return the image in the pixel type of `original`, rounded and kept in its range if that holds integers."""
    kind = sitk.GetArrayViewFromImage(original).dtype
    if kind.kind == "f":
        return sitk.Cast(image, original.GetPixelID())
    limits = np.iinfo(kind)
    array = np.rint(sitk.GetArrayViewFromImage(image).astype(np.float64)).clip(limits.min, limits.max).astype(kind)
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(original)
    return result
