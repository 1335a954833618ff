"""Change the spacing of the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import SimpleITK as sitk

from ..errors import InvalidSettingError
from ..imaging.filters import gaussian_smooth
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["Resample", "ResampleIsotropic", "resample_to_spacing"]

_INTERPOLATORS = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "b-spline": sitk.sitkBSpline}
# Full width at half maximum of a Gaussian, in standard deviations.
_WIDTH_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
_MAXIMUM_VOXELS = 2**31


def resample_to_spacing(
    image: sitk.Image, spacing: tuple[float, ...], interpolation: str, progress: Progress
) -> sitk.Image:
    """Return `image` on a grid of `spacing` (mm along x, y, z) with the same origin and direction.

    The new grid reaches the center of the last old voxel or just beyond, where edge values continue. Where the grid
    gets coarser, a Gaussian widens the old voxel to the new one first, ``sigma^2 = (new^2 - old^2) / (8 ln 2)``, so
    that fine detail does not alias. Nearest neighbor keeps the pixel type; the others return float32.

    References
    ----------
    Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81 (width of the Gaussian).
    """
    steps = [(n - 1) * old / new for n, old, new in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)]
    size = [math.ceil(count - 1e-6) + 1 for count in steps]
    if math.prod(size) > _MAXIMUM_VOXELS:
        raise InvalidSettingError(
            f"Resampling to {' x '.join(f'{s:g}' for s in spacing)} mm would make {' x '.join(map(str, size))} voxels, "
            "more than can be handled. Choose a larger spacing."
        )
    first, second = progress.parts(2)
    nearest = interpolation == "nearest"
    if not nearest:
        sigma = [
            math.sqrt(max(0.0, n * n - o * o)) / _WIDTH_PER_SIGMA
            for o, n in zip(image.GetSpacing(), spacing, strict=True)
        ]
        image = _widened(image, sigma, first)
    resample = sitk.ResampleImageFilter()
    resample.SetSize(size)
    resample.SetOutputSpacing(spacing)
    resample.SetOutputOrigin(image.GetOrigin())
    resample.SetOutputDirection(image.GetDirection())
    resample.SetTransform(sitk.Transform(image.GetDimension(), sitk.sitkIdentity))
    resample.SetInterpolator(_INTERPOLATORS[interpolation])
    resample.SetUseNearestNeighborExtrapolator(True)
    resample.SetOutputPixelType(image.GetPixelID() if nearest else sitk.sitkFloat32)
    return run_filter(resample, image, progress=second)


@STEPS.register
@dataclass(frozen=True)
class ResampleIsotropic(ScalarStep):
    """Resample to the same spacing along all axes."""

    name = "resample-isotropic"
    title = "Resample to isotropic voxels"
    spacing: float | None = parameter(
        None, "New spacing; empty means the smallest spacing of the image.", unit="mm", minimum=0.001, maximum=100
    )
    interpolation: str = parameter("linear", "How values between pixels are found.", choices=tuple(_INTERPOLATORS))

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        spacing = self.spacing or min(image.GetSpacing())
        return resample_to_spacing(image, (spacing,) * image.GetDimension(), self.interpolation, progress)


@STEPS.register
@dataclass(frozen=True)
class Resample(ScalarStep):
    """Resample to a given spacing along each axis."""

    name = "resample"
    title = "Resample to a spacing"
    spacing: tuple[float, ...] = parameter(
        (1.0,), "New spacing along x, y (, z), or one value for all axes.", unit="mm", minimum=0.001, maximum=100
    )
    interpolation: str = parameter("linear", "How values between pixels are found.", choices=tuple(_INTERPOLATORS))

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        dimension = image.GetDimension()
        spacing = self.spacing * dimension if len(self.spacing) == 1 else self.spacing
        if len(spacing) != dimension:
            raise InvalidSettingError(
                f"{self.name}: 'spacing' has {len(spacing)} values, but the image has {dimension} axes."
            )
        return resample_to_spacing(image, spacing, self.interpolation, progress)


def _widened(image: sitk.Image, sigma: list[float], progress: Progress) -> sitk.Image:
    if not any(sigma):
        return image
    # ITK refuses a sigma of zero: a hundredth of a voxel changes nothing.
    least = [spacing / 100 for spacing in image.GetSpacing()]
    return gaussian_smooth(image, tuple(max(pair) for pair in zip(sigma, least, strict=True)), progress)
