"""Crop to the body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.histogram import Histogram, multi_otsu
from ..imaging.pixels import is_constant, mask_image, view
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["CropToBody"]


@STEPS.register
@dataclass(frozen=True)
class CropToBody(ScalarStep):
    """Crop to the box around the largest connected bright object, plus a margin; the pixel type stays.

    The origin moves to the first voxel kept, so that every voxel stays where it is in space.
    """

    name = "crop-to-body"
    title = "Crop to the body"
    threshold: float | None = parameter(
        None, "Values above it are body, e.g. -300 HU in CT; empty means Otsu's threshold."
    )
    margin: float = parameter(5.0, "Space that is kept around the body.", unit="mm", minimum=0, maximum=1000)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return sitk.Image(image)
        values = view(image)
        threshold = self.threshold
        if threshold is None:
            threshold = multi_otsu(Histogram.of(values), 2)[0]
        body = values > threshold
        if not body.any():
            return sitk.Image(image)
        progress.step(fraction=0.2)
        pieces = run_filter(
            sitk.ConnectedComponentImageFilter(), mask_image(body, image), progress=progress.part(0.2, 0.7)
        )
        labels = view(pieces)
        sizes = np.bincount(labels.reshape(-1))
        sizes[0] = 0
        low, high = _bounds(labels == np.argmax(sizes))
        margins = [math.ceil(self.margin / spacing) for spacing in image.GetSpacing()]
        start = [max(0, first - margin) for first, margin in zip(low, margins, strict=True)]
        stop = [min(n, last + 1 + m) for n, last, m in zip(image.GetSize(), high, margins, strict=True)]
        size = [end - begin for begin, end in zip(start, stop, strict=True)]
        return sitk.RegionOfInterest(image, size, start)


def _bounds(mask: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the first and last occupied index along x, y (, z)."""
    others = (tuple(other for other in range(mask.ndim) if other != axis) for axis in reversed(range(mask.ndim)))
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return [int(found[0]) for found in occupied], [int(found[-1]) for found in occupied]
