"""Enhance contrast by the histogram of the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.histogram import Histogram
from ..imaging.pixels import as_float, image_like, is_constant, slabs, view
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["EqualizeHistogram"]


@STEPS.register
@dataclass(frozen=True)
class EqualizeHistogram(ScalarStep):
    """Spread the values so that all are about equally frequent, within the range of the image.

    ``I' = min + (max - min) (F(I) - F(min)) / (1 - F(min))`` with F the cumulative histogram.

    References
    ----------
    Pizer et al. 1987, doi:10.1016/S0734-189X(87)80186-X.
    """

    name = "equalize-histogram"
    title = "Equalize the histogram"

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return as_float(image)
        values = view(image)
        histogram = Histogram.of(values)
        cumulative = histogram.cumulative
        progress.step(fraction=0.3)
        unit = (cumulative - cumulative[0]) / (1 - cumulative[0])
        lowest, highest = histogram.centers[0], histogram.centers[-1]
        table = (lowest + (highest - lowest) * unit).astype(np.float32)
        equalized = np.empty(values.shape, np.float32)
        for slab in slabs(values.shape):
            equalized[slab] = table[histogram.codes(values[slab])]
            progress.step(fraction=0.3 + 0.7 * slab.stop / values.shape[0])
        return image_like(equalized, image)
