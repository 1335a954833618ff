"""Enhance contrast by the histogram: equalization of the whole image and by neighborhoods (CLAHE)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.histogram import Histogram
from ..imaging.pixels import as_float, axis_lengths, image_like, is_constant, slabs, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["Clahe", "EqualizeHistogram"]


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


@STEPS.register
@dataclass(frozen=True)
class Clahe(ScalarStep):
    """Equalize the histogram of each neighborhood, with limited gain (CLAHE), within the range of the image.

    The image is cut into tiles; each tile's histogram is clipped at `clip_limit` of its pixels and equalized; a pixel's
    new value is interpolated between the maps of the tiles around it.

    References
    ----------
    Zuiderveld 1994, Graphics Gems IV, doi:10.1016/B978-0-12-336156-1.50061-6.
    """

    name = "clahe"
    title = "Local contrast (CLAHE)"
    tile_size: float | None = parameter(
        None, "Size of a neighborhood; empty means one eighth of the image.", unit="mm", minimum=0.01, maximum=1000
    )
    clip_limit: float = parameter(
        0.01, "Largest share of a tile's pixels in one gray level; more is stronger.", minimum=0.0001, maximum=1
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        from skimage.exposure import equalize_adapthist

        if is_constant(image):
            return as_float(image)
        values = view(image)
        lowest, highest = float(values.min()), float(values.max())
        unit = values.astype(np.float32)
        unit -= np.float32(lowest)
        unit *= np.float32(1 / (highest - lowest))
        np.clip(unit, 0, 1, out=unit)
        progress.step(fraction=0.1)
        enhanced = equalize_adapthist(unit, self._tile(image), self.clip_limit).astype(np.float32, copy=False)
        progress.step(fraction=0.9)
        enhanced *= np.float32(highest - lowest)
        enhanced += np.float32(lowest)
        return image_like(enhanced, image)

    def _tile(self, image: sitk.Image) -> tuple[int, ...]:
        """Return the size of a tile in voxels, in the axis order of arrays."""
        shape = reversed(image.GetSize())
        if self.tile_size is None:
            return tuple(max(1, length // 8) for length in shape)
        wanted = (round(self.tile_size / spacing) for spacing in axis_lengths(image))
        return tuple(min(max(1, tile), length) for tile, length in zip(wanted, shape, strict=True))
