"""Correct slow changes of brightness across the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.filters import single_threaded
from ..imaging.pixels import as_float, image_like, is_constant, slabs, view, with_minimum_size
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["N4BiasField"]

# N4 fits cubic B-splines: it needs a few voxels along each axis.
_N4_MINIMUM = 4


@STEPS.register
@dataclass(frozen=True)
class N4BiasField(ScalarStep):
    """Correct the bias field of MRI (N4): ``v = u + log b``, u sharpened, b a smooth B-spline.

    The field is estimated on a shrunken image inside an Otsu mask, level by level with twice the control points each,
    and reconstructed at full resolution from the logarithm of the field: ``I' = I / exp(log b)``.

    References
    ----------
    Tustison et al. 2010, doi:10.1109/TMI.2010.2046908.
    """

    name = "n4-bias-field"
    title = "N4 bias field correction"
    shrink: int = parameter(
        8, "The field is estimated on an image this much smaller along each axis.", minimum=1, maximum=32
    )
    levels: int = parameter(
        4, "Levels of detail; the finest has control points 2^(levels-1) + 3 per axis.", minimum=1, maximum=6
    )
    iterations: int = parameter(50, "At most this many iterations per level.", minimum=1, maximum=500)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        working = as_float(image)
        if is_constant(image):
            return working
        log_field = self._log_field(working, progress.part(0.0, 0.9))
        values = view(working)
        field = view(log_field)
        corrected = np.empty(values.shape, np.float32)
        for slab in slabs(values.shape):
            corrected[slab] = values[slab] * np.exp(-field[slab])
            progress.step(fraction=0.9 + 0.1 * slab.stop / values.shape[0])
        return image_like(corrected, image)

    def _log_field(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        """Return the logarithm of the bias field on the grid of `image`."""
        padded = with_minimum_size(image, _N4_MINIMUM)
        small = sitk.Shrink(padded, _shrink_factors(padded, self.shrink))
        mask = sitk.OtsuThreshold(small, 0, 1)
        log_field: sitk.Image | None = None
        # One run per level: N4 itself cannot be stopped, and a level starts from what the coarser ones left over.
        for level, part in enumerate(progress.parts(self.levels)):
            n4 = sitk.N4BiasFieldCorrectionImageFilter()
            n4.SetMaximumNumberOfIterations([self.iterations])
            n4.SetNumberOfControlPoints([2**level + 3] * image.GetDimension())
            # N4 adds up in an order that depends on the number of threads.
            with single_threaded():
                small = run_filter(n4, small, mask, progress=part)
            found = n4.GetLogBiasFieldAsImage(image)
            log_field = found if log_field is None else log_field + found
        return log_field


def _shrink_factors(image: sitk.Image, shrink: int) -> list[int]:
    """Return factors that make the spacing about equal, at most `shrink`, and leave enough voxels along each axis."""
    target = shrink * min(image.GetSpacing())
    wanted = (round(target / spacing) for spacing in image.GetSpacing())
    return [max(1, min(factor, length // _N4_MINIMUM)) for factor, length in zip(wanted, image.GetSize(), strict=True)]
