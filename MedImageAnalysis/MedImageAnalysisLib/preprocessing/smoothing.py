"""Denoise by local averages and medians."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..filters import gaussian_smooth, noise_level
from ..parameters import parameter
from ..pixels import as_float, radius_in_voxels
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["BilateralDenoise", "GaussianDenoise", "MedianDenoise"]


@STEPS.register
@dataclass(frozen=True)
class MedianDenoise(ScalarStep):
    """Replace each value by the median of its neighborhood: removes outliers, keeps edges and the pixel type.

    References
    ----------
    Huang, Yang, Tang 1979, doi:10.1109/TASSP.1979.1163188.
    """

    name = "median"
    title = "Median filter"
    radius: float | None = parameter(
        None,
        "Half width of the neighborhood; empty means one pixel in each direction.",
        unit="mm",
        minimum=0,
        maximum=50,
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        median = sitk.MedianImageFilter()
        median.SetRadius(radius_in_voxels(self.radius, image.GetSpacing()))
        return run_filter(median, image, progress=progress)


@STEPS.register
@dataclass(frozen=True)
class GaussianDenoise(ScalarStep):
    """Average with Gaussian weights, ``G(x) ~ exp(-|x|^2 / (2 sigma^2))`` with sigma in millimeters.

    References
    ----------
    Deriche 1993, INRIA RR-1893 (recursive implementation, time independent of sigma).
    """

    name = "gaussian"
    title = "Gaussian filter"
    sigma: float | None = parameter(
        None, "Standard deviation; empty means the smallest pixel spacing.", unit="mm", minimum=0.001, maximum=1000
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        sigma = self.sigma or min(image.GetSpacing())
        return gaussian_smooth(image, (sigma,) * image.GetDimension(), progress)


@STEPS.register
@dataclass(frozen=True)
class BilateralDenoise(ScalarStep):
    """Average with weights that fall with distance and with difference of value, so that edges stay.

    ``w(x, y) = exp(-|x-y|^2 / (2 s_d^2)) exp(-(I(x)-I(y))^2 / (2 s_r^2))``.

    References
    ----------
    Tomasi, Manduchi 1998, doi:10.1109/ICCV.1998.710815.
    """

    name = "bilateral"
    title = "Bilateral filter"
    sigma: float | None = parameter(
        None, "Reach in space; empty means the smallest pixel spacing.", unit="mm", minimum=0.001, maximum=100
    )
    noise_factor: float = parameter(
        3.0, "Reach in value, as a multiple of the noise measured in the image.", minimum=0.1, maximum=100
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        noise = noise_level(image)
        if noise == 0:
            return as_float(sitk.Image(image))
        bilateral = sitk.BilateralImageFilter()
        bilateral.SetDomainSigma(self.sigma or min(image.GetSpacing()))
        bilateral.SetRangeSigma(self.noise_factor * noise)
        bilateral.SetNumberOfRangeGaussianSamples(256)
        return run_filter(bilateral, as_float(image), progress=progress)
