"""Lung volumes and the density of the lungs on CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...parameters import parameter
from ...progress import Progress
from .ct_values import Found, Quantity, doubt_hounsfield, found, volume_ml
from .measure import MEASURES, ClinicalMeasure

__all__ = ["EmphysemaIndex", "LungVolumes"]

_VOLUME = "Volume of the segment, vessels inside the lung and disease included. Depends on how deep the breath was."
_VOLUME_REFERENCE = "Definition: number of voxels times their volume (IBSI YEKZ). doi:10.1148/radiol.2020191145"
_VOLUMES = {
    "right-lung": Quantity("right_lung_volume", "Right lung volume", "mL", _VOLUME, _VOLUME_REFERENCE),
    "left-lung": Quantity("left_lung_volume", "Left lung volume", "mL", _VOLUME, _VOLUME_REFERENCE),
}
_TOTAL = Quantity("lung_volume", "Volume of both lungs", "mL", _VOLUME, _VOLUME_REFERENCE)
_EMPHYSEMA = Quantity(
    "emphysema_index",
    "Emphysema index",
    "%",
    "Share of the voxels of both lungs at or below the limit of emphysema, by default -950 HU. Meant for thin slices "
    "without contrast agent at full inspiration.",
    "Gevenois PA et al. Am J Respir Crit Care Med 1995;152:653. doi:10.1164/ajrccm.152.2.7633722",
)
_DENSITY = Quantity(
    "mean_lung_density",
    "Mean lung density",
    "HU",
    "Mean of all voxels of both lungs, vessels inside included.",
    "Gevenois PA et al. Am J Respir Crit Care Med 1996;154:187. doi:10.1164/ajrccm.154.1.8680679",
)
_PERCENTILE = Quantity(
    "lung_density_15th_percentile",
    "15th percentile of lung density",
    "HU",
    "Intensity below which 15 % of the voxels of both lungs lie.",
    "Parr DG et al. Respir Res 2008;9:21. doi:10.1186/1465-9921-9-21",
)
_CUT = "The field of view cuts the lungs: their volume and density as a whole are not known."


@MEASURES.register
@dataclass(frozen=True)
class LungVolumes(ClinicalMeasure):
    """Volumes of the right lung, the left lung and both."""

    name = "lung-volumes"
    title = "Lung volumes"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the three volumes in mL."""
        progress.step("Measuring the lungs")
        lungs = {key: found(image, segmentation, key) for key in _VOLUMES}
        measured = []
        for key, quantity in _VOLUMES.items():
            reason = _doubt(image, {key: lungs[key]})
            measured.append(quantity.without(reason) if reason else quantity.of(volume_ml(lungs[key])))
        reason = _doubt(image, lungs)
        total = _TOTAL.without(reason) if reason else _TOTAL.of(sum(volume_ml(lung) for lung in lungs.values()))
        return (*measured, total)


@MEASURES.register
@dataclass(frozen=True)
class EmphysemaIndex(ClinicalMeasure):
    """Emphysema index, mean density and 15th percentile of both lungs."""

    name = "emphysema-index"
    title = "Emphysema index"
    limit: float = parameter(
        -950.0, "Voxels at or below this count as emphysema.", unit="HU", minimum=-1000, maximum=-800
    )

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the three measurements."""
        progress.step("Measuring the density of the lungs")
        lungs = {key: found(image, segmentation, key) for key in _VOLUMES}
        reason = doubt_hounsfield(image) or _doubt(image, lungs)
        if reason:
            return tuple(quantity.without(reason) for quantity in (_EMPHYSEMA, _DENSITY, _PERCENTILE))
        values = np.concatenate([lung.values[lung.mask] for lung in lungs.values()])
        progress.step(fraction=0.5)
        return (
            _EMPHYSEMA.of(100 * np.count_nonzero(values <= self.limit) / values.size),
            _DENSITY.of(values.mean(dtype=np.float64)),
            _PERCENTILE.of(np.percentile(values, 15)),
        )


def _doubt(image: MedicalImage, lungs: dict[str, Found | None]) -> str:
    """Return why these lungs cannot be measured, or ""."""
    lacking = [key.replace("-", " ") for key, lung in lungs.items() if lung is None]
    if lacking:
        return f"Not found: {', '.join(lacking)}."
    if image.info.length_unit != "mm":
        return "The voxel spacing is unknown."
    return _CUT if any(lung.cut for lung in lungs.values()) else ""
