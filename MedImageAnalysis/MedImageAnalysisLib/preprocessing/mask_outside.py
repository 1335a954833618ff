"""Mask what is not anatomy: collimator blades of radiographs and text burned into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import UnsupportedImageError
from ..imaging.histogram import percentiles
from ..imaging.pixels import image_like, is_constant, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["Collimation", "MaskBurnedInText", "MaskCollimation", "find_burned_in_text", "find_collimation"]

_WORK_SIZE = 512
# A blade's edge is a straight line: at least this share of the rows (columns) must show it.
_STRAIGHT = 0.75
_FLAT = 0.7
_BLADE_REACH = 0.4


@dataclass(frozen=True)
class Collimation:
    """How many pixels the collimator covers at each side of a radiograph; 0 = none."""

    left: int
    right: int
    top: int
    bottom: int

    def describe(self) -> str:
        """Say what is covered, for a report."""
        covered = [f"{side} {width} px" for side, width in vars(self).items() if width]
        return f"collimation masked: {', '.join(covered)}" if covered else "no collimation found"


def find_collimation(image: sitk.Image) -> Collimation:
    """Find collimator blades parallel to the sides of a radiograph.

    A blade is a flat band along a side whose inner edge is straight: a jump of the same sign, larger than a tenth
    of the image's range, in at least three quarters of the rows.

    Parameters
    ----------
    image : sitk.Image
        2D.

    Returns
    -------
    Collimation
    """
    factor = -(-max(image.GetSize()) // _WORK_SIZE)
    factors = [min(factor, n) for n in image.GetSize()]
    values = view(sitk.Cast(sitk.BinShrink(image, factors), sitk.sitkFloat32))
    low, high = percentiles(values, (0.5, 99.5))
    left, right = (_blade(part, high - low) * factors[0] for part in (values, values[:, ::-1]))
    top, bottom = (_blade(part, high - low) * factors[1] for part in (values.T, values.T[:, ::-1]))
    return Collimation(left, right, top, bottom)


def _blade(values: np.ndarray, contrast: float) -> int:
    """Return the width of the blade at the left side of `values`, in columns."""
    columns = int(values.shape[1] * _BLADE_REACH)
    if columns < 3 or contrast <= 0:
        return 0
    jumps = values[:, 2 : columns + 2] - values[:, :columns]
    rising = (jumps > contrast / 10).mean(axis=0)
    falling = (jumps < -contrast / 10).mean(axis=0)
    edges = np.flatnonzero(np.maximum(rising, falling) >= _STRAIGHT)
    for edge in edges[::-1]:
        band = values[:, : edge + 1]
        middle = np.median(band)
        # Scatter brightens the last part of a blade toward the field.
        if np.mean(np.abs(band - middle) < contrast / 10) >= _FLAT:
            return int(edge) + 2
    return 0


@STEPS.register
@dataclass(frozen=True)
class MaskCollimation(ScalarStep):
    """Set what collimator blades cover to the smallest value of the exposed field; the pixel type stays.

    Progress reports what was masked; :func:`find_collimation` returns it.
    """

    name = "mask-collimation"
    title = "Mask the collimation"

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if image.GetDimension() != 2:
            raise UnsupportedImageError(f"{self.title} takes radiographs (2D), but this image is 3D.")
        found = find_collimation(image)
        progress.step(f"{self.title}: {found.describe()}", 0.5)
        width, height = image.GetSize()
        exposed = (slice(found.top, height - found.bottom), slice(found.left, width - found.right))
        values = view(image)
        masked = np.full_like(values, values[exposed].min())
        masked[exposed] = values[exposed]
        return image_like(masked, image)


def find_burned_in_text(image: sitk.Image, largest: float = 0.08) -> np.ndarray:
    """Find text, markers and rulers burned into the picture, slice by slice.

    They are connected groups of pixels within 1 % of the largest value, at most `largest` of the shorter side in
    height, and sharply brighter (by 30 % of the range) than the pixels around them.

    Parameters
    ----------
    image : sitk.Image
    largest : float
        Largest height of a character, as a share of the shorter side of a slice.

    Returns
    -------
    numpy.ndarray of bool
        In the shape of the image's array.
    """
    values = view(image)
    lowest, highest = float(values.min()), float(values.max())
    bright = values >= highest - 0.01 * (highest - lowest)
    dark_limit = highest - 0.3 * (highest - lowest)
    if values.ndim == 2:
        return _text_in_slice(values, bright, dark_limit, largest)
    return np.stack([_text_in_slice(*plane, dark_limit, largest) for plane in zip(values, bright, strict=True)])


def _text_in_slice(values: np.ndarray, bright: np.ndarray, dark_limit: float, largest: float) -> np.ndarray:
    from scipy.ndimage import binary_dilation, find_objects, label

    text = np.zeros(values.shape, bool)
    pieces, _ = label(bright, np.ones((3, 3)))
    limit = max(3.0, largest * min(values.shape))
    for number, box in enumerate(find_objects(pieces), start=1):
        height, width = (side.stop - side.start for side in box)
        if height > limit or width > 4 * limit or max(height, width) < 3:
            continue
        # Two pixels farther: resampled text has a soft rim of one.
        outer = tuple(slice(max(0, side.start - 3), side.stop + 3) for side in box)
        piece = pieces[outer] == number
        ring = binary_dilation(piece, iterations=3) & ~binary_dilation(piece, iterations=1)
        if ring.any() and np.median(values[outer][ring]) < dark_limit:
            text[outer] |= binary_dilation(piece, iterations=1)
    return text


@STEPS.register
@dataclass(frozen=True)
class MaskBurnedInText(ScalarStep):
    """Replace text, markers and rulers burned into the picture by the nearest pixel beside them; the pixel type stays.

    Progress reports how much was masked; :func:`find_burned_in_text` returns where.
    """

    name = "mask-burned-in-text"
    title = "Mask burned-in text"
    largest: float = parameter(
        0.08, "Largest height of a character, as a share of the shorter side.", minimum=0.001, maximum=0.5
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        from scipy.ndimage import distance_transform_edt

        if is_constant(image):
            return sitk.Image(image)
        text = find_burned_in_text(image, self.largest)
        share = f"{100 * text.mean():.2g} % of the image" if text.any() else "none found"
        progress.step(f"{self.title}: {share}", 0.5)
        values = view(image)
        cleaned = np.array(values)
        planes = [(values, text, cleaned)] if values.ndim == 2 else zip(values, text, cleaned, strict=True)
        for source, mask, target in planes:
            progress.step(fraction=0.75)
            if mask.any() and not mask.all():
                nearest = distance_transform_edt(mask, return_distances=False, return_indices=True)
                target[mask] = source[tuple(index[mask] for index in nearest)]
        return image_like(cleaned, image)
