"""Trabecular attenuation of the first lumbar vertebra: opportunistic screening for osteoporosis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...progress import Progress
from .ct_values import Found, Quantity, doubt_hounsfield, found
from .measure import MEASURES, ClinicalMeasure

__all__ = ["VertebralAttenuation"]

_ATTENUATION = Quantity(
    "vertebral_trabecular_attenuation",
    "Trabecular attenuation of L1",
    "HU",
    "Mean of a region in the middle of the body of the first lumbar vertebra, away from its cortex and endplates. "
    "Contrast agent raises it by about 10 HU; meant for 120 kV.",
    "Pickhardt PJ et al. Ann Intern Med 2013;158:588. doi:10.7326/0003-4819-158-8-201304160-00003",
)
# The region keeps to the middle third of the height and to what is deeper than this share of the deepest point.
_HEIGHT_SHARE = 1 / 3
_DEPTH_SHARE = 0.55
_LEAST_DEPTH_MM = 8.0
_LEAST_HEIGHT_MM = 15.0
_LEAST_ML = 0.5


@MEASURES.register
@dataclass(frozen=True)
class VertebralAttenuation(ClinicalMeasure):
    """Mean intensity of the trabecular bone of the vertebral body L1."""

    name = "vertebral-attenuation"
    title = "Trabecular attenuation of L1"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the mean in HU."""
        progress.step("Measuring the vertebra L1")
        vertebra = found(image, segmentation, "l1-vertebra")
        reason = doubt_hounsfield(image)
        if not reason and image.info.length_unit != "mm":
            reason = "The voxel spacing is unknown."
        if not reason and vertebra is None:
            reason = (
                "Not found: L1 vertebra. It must be whole in the field of view, together with the lowest ribs; or give "
                "a segmentation that has it."
            )
        if reason:
            return (_ATTENUATION.without(reason),)
        upward = np.abs(np.asarray(image.pixels.GetDirection()).reshape(3, 3)[2])
        region, values = _region(vertebra, 2 - int(upward.argmax()))
        if region.sum() * np.prod(vertebra.spacing) / 1000 < _LEAST_ML:
            return (_ATTENUATION.without("The body of the vertebra L1 is too small to keep away from its cortex."),)
        return (_ATTENUATION.of(values[region].mean(dtype=np.float64)),)


def _region(vertebra: Found, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the trabecular region of the vertebral body and the intensities, with `axis` in front."""
    from scipy.ndimage import distance_transform_edt

    mask, values = np.moveaxis(vertebra.mask, axis, 0), np.moveaxis(vertebra.values, axis, 0)
    in_plane = tuple(length for other, length in enumerate(vertebra.spacing) if other != axis)
    region = np.zeros(mask.shape, bool)
    depths = [distance_transform_edt(np.pad(level, 1), sampling=in_plane)[1:-1, 1:-1] for level in mask]
    # Processes reach above and below the body: its height is where the bone is thick.
    thick = np.flatnonzero([depth.max() >= _LEAST_DEPTH_MM for depth in depths])
    if thick.size == 0 or (np.ptp(thick) + 1) * vertebra.spacing[axis] < _LEAST_HEIGHT_MM:
        return region, values
    margin = int((np.ptp(thick) + 1) * (1 - _HEIGHT_SHARE) / 2)
    for level in thick[(thick >= thick[0] + margin) & (thick <= thick[-1] - margin)]:
        region[level] = depths[level] >= _DEPTH_SHARE * depths[level].max()
    return region, values
