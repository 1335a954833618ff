"""Volumes of the brain and its tissues, and the brain parenchymal fraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...imaging.pixels import view
from ...progress import Progress
from .measure import MEASURES, ClinicalMeasure

__all__ = ["BrainVolumes", "TumorCandidateSize"]

_RUDICK = "Rudick RA et al. Neurology 1999;53:1698-1704. doi:10.1212/WNL.53.8.1698"
_RANO = "Wen PY et al. (RANO 2.0) J Clin Oncol 2023;41:5187-5199. doi:10.1200/JCO.23.01059"
_TISSUES = (
    ("cerebrospinal-fluid", "cerebrospinal_fluid_volume", "Cerebrospinal fluid volume"),
    ("gray-matter", "gray_matter_volume", "Gray matter volume"),
    ("white-matter", "white_matter_volume", "White matter volume"),
)
# From the brain of a newborn to the largest intracranial volumes of adults, in mL.
_PLAUSIBLE_ML = (200.0, 2400.0)
_MM3_PER_ML = 1000.0


@MEASURES.register
@dataclass(frozen=True)
class BrainVolumes(ClinicalMeasure):
    """Brain parenchymal fraction and the volumes of fluid, gray and white matter.

    The fraction is (gray + white matter) / (gray + white matter + cerebrospinal fluid within the brain's outline). It
    is a ratio of volumes and needs no known spacing.

    References
    ----------
    Rudick et al. 1999, doi:10.1212/WNL.53.8.1698.
    """

    name = "brain-volumes"
    title = "Brain volumes and parenchymal fraction"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the parenchymal fraction and the volumes of brain, fluid, gray and white matter."""
        progress.step("Measuring the volumes of the brain")
        voxels = {key: _voxels(segmentation, key) for key, _, _ in _TISSUES}
        fluid, gray, white = voxels.values()
        scale, unit = _unit(image)
        known = image.info.length_unit == "mm"
        whole = fluid + gray + white
        lacking = [key.replace("-", " ") for key, count in voxels.items() if not count > 0]
        reason = f"Not found: {', '.join(lacking)}." if lacking else ""
        if not reason and known and not _PLAUSIBLE_ML[0] <= whole * scale <= _PLAUSIBLE_ML[1]:
            reason = f"A brain of {whole * scale:.0f} mL does not occur: check the segmentation."
        fraction = float("nan") if reason else (gray + white) / whole
        return (
            Measurement(
                "brain_parenchymal_fraction", "Brain parenchymal fraction", fraction, "1",
                "Gray and white matter, divided by all that lies within the outline of the brain.",
                _RUDICK, reason=reason,
            ),
            _volume("brain_volume", "Brain volume with fluid", whole * scale, unit, reason),
            *(_volume(name, title, voxels[key] * scale, unit, reason) for key, name, title in _TISSUES),
        )  # fmt: skip


@MEASURES.register
@dataclass(frozen=True)
class TumorCandidateSize(ClinicalMeasure):
    """Volume (in a slice: area) of the tumor candidate, and the diameter of the ball (disk) of the same size."""

    name = "tumor-candidate-size"
    title = "Size of the tumor candidate"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the volume or area and the equivalent diameter; NaN if there is no candidate."""
        progress.step("Measuring the tumor candidate")
        count = _voxels(segmentation, "tumor-candidate")
        reason = "" if count > 0 else "No candidate was found; that does not rule out a tumor."
        size = count * float(np.prod(image.pixels.GetSpacing())) if count > 0 else float("nan")
        length = image.info.length_unit
        if image.pixels.GetDimension() == 2:
            kind, value, unit = "area", size, f"{length}2"
            diameter = 2 * (size / np.pi) ** 0.5
        else:
            kind, unit = "volume", _unit(image)[1]
            value = size / _MM3_PER_ML if unit == "mL" else size
            diameter = (6 * size / np.pi) ** (1 / 3)
        return (
            Measurement(
                f"tumor_candidate_{kind}", f"Tumor candidate {kind}", value, unit,
                "Number of pixels of the candidate times their size.", _RANO, reason=reason,
            ),
            Measurement(
                "tumor_candidate_equivalent_diameter", "Tumor candidate equivalent diameter", float(diameter), length,
                "Diameter of the ball, in a slice of the disk, of the same size.", _RANO, reason=reason,
            ),
        )  # fmt: skip


def _voxels(segmentation: Segmentation, key: str) -> float:
    """Return how many voxels a structure has; NaN if it is not there."""
    found = segmentation.find(key)
    return float("nan") if found is None else float(np.count_nonzero(view(segmentation.mask(found))))


def _unit(image: MedicalImage) -> tuple[float, str]:
    """Return the volume of a voxel and its unit."""
    if image.info.length_unit == "mm":
        return float(np.prod(image.pixels.GetSpacing())) / _MM3_PER_ML, "mL"
    return 1.0, "px3"


def _volume(name: str, title: str, value: float, unit: str, reason: str) -> Measurement:
    description = "Number of voxels times their volume."
    return Measurement(name, title, float("nan") if reason else value, unit, description, _RUDICK, reason=reason)
