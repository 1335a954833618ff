"""The Agatston score of calcifications of the heart on CT without contrast agent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...imaging.pixels import view
from ...imaging.slices import as_thick_slices, slices_averaged
from ...parameters import parameter
from ...progress import Progress
from .ct_values import Found, Quantity, doubt_hounsfield, found
from .measure import MEASURES, ClinicalMeasure

__all__ = ["AgatstonScore"]

_SCORE = Quantity(
    "agatston_score",
    "Agatston score",
    "1",
    "Sum over slices and lesions of area (mm2) times a factor by the lesion's highest intensity in that slice (1 from "
    "130 HU, 2 from 200, 3 from 300, 4 from 400 HU); lesions from 1 mm2. Defined for slices every 3 mm; for others the "
    "sum is multiplied by distance / 3 mm, and slices closer than 1.5 mm are first averaged with their neighbors to "
    "about 3 mm, since their noise would count. Calcifications of valves and of the aorta inside the region count too.",
    "Agatston AS et al. J Am Coll Cardiol 1990;15:827. doi:10.1016/0735-1097(90)90282-T; distance of slices: "
    "McCollough CH et al. Radiology 2007;243:527. doi:10.1148/radiol.2432050808",
)
_VOLUME = Quantity(
    "calcium_volume",
    "Volume of calcifications",
    "mm3",
    "Volume of the lesions that enter the Agatston score.",
    "Callister TQ et al. Radiology 1998;208:807. doi:10.1148/radiology.208.3.9722864",
)
_COUNT = Quantity(
    "calcified_lesions",
    "Number of calcified lesions",
    "1",
    "Connected calcifications, those that meet in neighboring slices counted once.",
    "Agatston AS et al. J Am Coll Cardiol 1990;15:827. doi:10.1016/0735-1097(90)90282-T",
)
_QUANTITIES = (_SCORE, _VOLUME, _COUNT)
_STANDARD_DISTANCE_MM = 3.0
_FACTOR_LIMITS_HU = (200, 300, 400)
# Blood without contrast agent is near 40 HU; a heart whose middle is above this holds contrast agent.
_CONTRAST_HU = 90


@MEASURES.register
@dataclass(frozen=True)
class AgatstonScore(ClinicalMeasure):
    """Agatston score, volume and number of the calcifications in the region of the heart."""

    name = "agatston-score"
    title = "Agatston score"
    limit: float = parameter(130.0, "Calcium is at least this dense.", unit="HU", minimum=80, maximum=500)
    least_area: float = parameter(
        1.0, "Lesions smaller than this in a slice are noise.", unit="mm2", minimum=0.0, maximum=10
    )

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return score, volume and number; zero if the heart holds no calcification."""
        progress.step("Measuring calcifications")
        reason = _doubt(image, segmentation)
        if reason:
            return tuple(quantity.without(reason) for quantity in _QUANTITIES)
        plaques = found(image, segmentation, "vascular-calcification")
        if plaques is None:
            return tuple(quantity.of(0.0) for quantity in _QUANTITIES)
        progress.step(fraction=0.5)
        axis = _slice_axis(image)
        return self._scored(plaques, _thick(image, plaques, axis), axis)

    def _scored(self, plaques: Found, values: np.ndarray, axis: int) -> tuple[Measurement, ...]:
        from scipy import ndimage

        mask = np.moveaxis(plaques.mask, axis, 0)
        values = np.moveaxis(values, axis, 0)
        mask = mask & (values >= self.limit)
        distance = plaques.spacing[axis]
        area = math.prod(plaques.spacing) / distance
        in_slice = np.zeros((3, 3, 3), bool)
        in_slice[1] = True
        labels, count = ndimage.label(mask, in_slice)
        areas = np.bincount(labels.reshape(-1), minlength=count + 1) * area
        peaks = np.asarray(ndimage.maximum(values, labels, np.arange(count + 1)))
        factors = 1 + sum((peaks >= limit).astype(int) for limit in _FACTOR_LIMITS_HU)
        # Areas are sums of rounded products: a lesion of exactly the least area counts.
        counted = areas >= self.least_area * (1 - 1e-6)
        counted[0] = False
        score = float((areas * factors)[counted].sum()) * distance / _STANDARD_DISTANCE_MM
        _, lesions = ndimage.label(counted[labels], np.ones((3, 3, 3), bool))
        return _SCORE.of(score), _VOLUME.of(areas[counted].sum() * distance), _COUNT.of(lesions)


def _doubt(image: MedicalImage, segmentation: Segmentation) -> str:
    """Return why the score cannot be measured, or ""."""
    if reason := doubt_hounsfield(image):
        return reason
    if image.info.length_unit != "mm":
        return "The voxel spacing is unknown."
    if image.pixels.GetDimension() != 3:
        return "The score is defined on volumes."
    heart = found(image, segmentation, "heart")
    if heart is None:
        return "Not found: heart."
    if np.median(heart.values[heart.mask]) > _CONTRAST_HU:
        return "The heart holds contrast agent, which cannot be told from calcium."
    return ""


def _thick(image: MedicalImage, plaques: Found, axis: int) -> np.ndarray:
    """Return the intensities in the box of the plaques, thin slices averaged with their neighbors in the image."""
    count = slices_averaged(plaques.spacing[axis])
    box = [slice(first, first + size) for first, size in zip(plaques.start, plaques.mask.shape, strict=True)]
    first, size = plaques.start[axis], plaques.mask.shape[axis]
    before = min(first, count)
    box[axis] = slice(first - before, first + size + count)
    thick = as_thick_slices(view(image.pixels)[tuple(box)], axis, count)
    return np.take(thick, range(before, before + size), axis=axis)


def _slice_axis(image: MedicalImage) -> int:
    """Return the array axis along which axial slices follow each other."""
    upward = np.abs(np.asarray(image.pixels.GetDirection()).reshape(3, 3)[2])
    return 2 - int(upward.argmax())
