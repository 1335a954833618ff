"""Denoise by diffusion that stops at edges. Time steps are in units of the squared smallest spacing, so that they are
stable whatever the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..imaging.pixels import as_float, is_constant
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["AnisotropicDiffusion", "CurvatureFlow"]


@STEPS.register
@dataclass(frozen=True)
class CurvatureFlow(ScalarStep):
    """Move each level line with its curvature, ``dI/dt = kappa |grad I|``: small bumps vanish, long edges stay.

    References
    ----------
    Sethian 1999, Level Set Methods, ISBN 978-0521645577; Malladi, Sethian 1996, doi:10.1006/gmip.1996.0011.
    """

    name = "curvature-flow"
    title = "Curvature flow"
    iterations: int = parameter(5, "How many steps of smoothing; more is smoother.", minimum=1, maximum=200)
    time_step: float = parameter(
        0.0625,
        "Size of one step, in squared smallest spacings; above 0.125 it may be unstable.",
        minimum=0.001,
        maximum=0.25,
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        flow = sitk.CurvatureFlowImageFilter()
        flow.SetNumberOfIterations(self.iterations)
        flow.SetTimeStep(self.time_step * min(image.GetSpacing()) ** 2)
        # ITK computes this one in float64.
        return as_float(run_filter(flow, as_float(image), progress=progress))


@STEPS.register
@dataclass(frozen=True)
class AnisotropicDiffusion(ScalarStep):
    """Diffuse with a conductance that falls at edges, ``dI/dt = div(exp(-(|grad I| / K)^2 / 2) grad I)``.

    K is `conductance` times the root mean square gradient of the image.

    References
    ----------
    Perona, Malik 1990, doi:10.1109/34.56205; curvature form: Whitaker, Xue 2001, Proc. IEEE ICIP.
    """

    name = "anisotropic-diffusion"
    title = "Anisotropic diffusion"
    iterations: int = parameter(5, "How many steps of diffusion; more is smoother.", minimum=1, maximum=200)
    conductance: float = parameter(1.0, "Edges weaker than this are smoothed away.", minimum=0.01, maximum=100)
    time_step: float = parameter(
        0.0625, "Size of one step, in squared smallest spacings.", minimum=0.001, maximum=0.0625
    )
    equation: str = parameter(
        "gradient", "Which diffusion: the gradient form is faster.", choices=("gradient", "curvature")
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            # The conductance is relative to the mean gradient, which is zero here.
            return sitk.Cast(image, sitk.sitkFloat32)
        if self.equation == "gradient":
            diffusion = sitk.GradientAnisotropicDiffusionImageFilter()
        else:
            diffusion = sitk.CurvatureAnisotropicDiffusionImageFilter()
        diffusion.SetNumberOfIterations(self.iterations)
        diffusion.SetConductanceParameter(self.conductance)
        diffusion.SetTimeStep(self.time_step * min(image.GetSpacing()) ** 2)
        return run_filter(diffusion, as_float(image), progress=progress)
