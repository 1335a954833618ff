"""Crop to the body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.histogram import Histogram, multi_otsu
from ..imaging.masks import bounding_box, component_sizes
from ..imaging.picture_field import Box, border_values, find_field
from ..imaging.pixels import is_constant, mask_image, view
from ..parameters import parameter
from ..progress import Progress, run_filter
from .mask_outside import Collimation, find_collimation
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["CropToBody"]

_DARK_BORDER = 0.95


@STEPS.register
@dataclass(frozen=True)
class CropToBody(ScalarStep):
    """Crop to the box around the body or the field that was exposed or scanned; the pixel type stays.

    - With a threshold, and on images with negative values (Hounsfield units and other signed scales): the box around
      the largest connected bright object. Without a threshold this is what exceeds Otsu's.
    - Other images are taken as pictures: the flat surround is cut off, whether it is bright or dark, with what is
      written in it (:func:`.picture_field.find_field`), or else the collimator blades of a radiograph. A picture
      without either is cropped to its bright object if that lies in darkness, else it stays whole: what reaches the
      border on all sides has no box.

    The margin is added to the box. The origin moves to the first voxel kept, so that every voxel stays where it is in
    space.
    """

    name = "crop-to-body"
    title = "Crop to the body"
    threshold: float | None = parameter(
        None,
        "Values above it are body, e.g. -300 HU in CT; empty means Otsu's threshold on signed scales such as "
        "Hounsfield units, and the field of the picture elsewhere.",
    )
    margin: float = parameter(5.0, "Space that is kept around the body.", unit="mm", minimum=0, maximum=1000)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return sitk.Image(image)
        box = self._box(image, progress)
        if box is None:
            return sitk.Image(image)
        margins = [math.ceil(self.margin / spacing) for spacing in image.GetSpacing()]
        start = [max(0, first - margin) for first, margin in zip(box[0], margins, strict=True)]
        stop = [min(n, last + 1 + m) for n, last, m in zip(image.GetSize(), box[1], margins, strict=True)]
        size = [end - begin for begin, end in zip(start, stop, strict=True)]
        return sitk.RegionOfInterest(image, size, start)

    def _box(self, image: sitk.Image, progress: Progress) -> Box | None:
        """Return the box to keep; None: all."""
        if self.threshold is not None:
            return _bright_object(image, self.threshold, progress)
        values = view(image)
        if values.min() >= 0:
            field = find_field(image) or _between_blades(image)
            if field is not None:
                return field
        otsu = multi_otsu(Histogram.of(values), 2)[0]
        if values.min() >= 0 and not _in_darkness(values, otsu):
            return None
        return _bright_object(image, otsu, progress)


def _between_blades(image: sitk.Image) -> Box | None:
    """Return what the collimator blades of a radiograph leave; None if there are none."""
    if image.GetDimension() != 2:
        return None
    blades = find_collimation(image)
    if blades == Collimation(0, 0, 0, 0):
        return None
    return [blades.left, blades.top], [image.GetWidth() - 1 - blades.right, image.GetHeight() - 1 - blades.bottom]


def _in_darkness(values: np.ndarray, threshold: float) -> bool:
    """Tell whether the sides of the picture are dark: only then a bright object is the body, and not a part of it."""
    return float((border_values(values) <= threshold).mean()) >= _DARK_BORDER


def _bright_object(image: sitk.Image, threshold: float, progress: Progress) -> Box | None:
    """Return the box around the largest connected object above a threshold, or None if nothing is."""
    body = view(image) > threshold
    if not body.any():
        return None
    progress.step(fraction=0.2)
    pieces = run_filter(sitk.ConnectedComponentImageFilter(), mask_image(body, image), progress=progress.part(0.2, 0.7))
    labels = view(pieces)
    return _bounds(labels == component_sizes(labels).argmax())


def _bounds(mask: np.ndarray) -> Box:
    """Return the first and last occupied index along x, y (, z)."""
    box = bounding_box(mask)[::-1]
    return [part.start for part in box], [part.stop - 1 for part in box]
