"""Volumes inside the skull on CT of the head: brain, fluid, ventricles and hyperdense areas."""

from __future__ import annotations

from dataclasses import dataclass

from ...analysis import Measurement, MedicalImage, Segmentation
from ...progress import Progress
from .ct_values import Found, Quantity, found, volume_ml
from .measure import MEASURES, ClinicalMeasure

__all__ = ["HeadCtVolumes"]

_PARENCHYMA = Quantity(
    "brain_parenchymal_fraction",
    "Brain parenchymal fraction",
    "1",
    "Volume of the brain divided by that of brain, ventricles and other fluid inside the skull.",
    "Rudick RA et al. Neurology 1999;53:1698. doi:10.1212/WNL.53.8.1698",
)
_BRAIN = Quantity(
    "brain_volume",
    "Brain volume",
    "mL",
    "Volume of the brain without ventricles and other fluid; hyperdense areas included.",
    "Definition: number of voxels times their volume (IBSI YEKZ). doi:10.1148/radiol.2020191145",
)
_VENTRICLES = Quantity(
    "ventricle_volume",
    "Volume of the ventricles",
    "mL",
    "Volume of the fluid deep inside the brain; old infarcts beside the ventricles may be counted.",
    "Definition: number of voxels times their volume (IBSI YEKZ). doi:10.1148/radiol.2020191145",
)
_HYPERDENSE = Quantity(
    "hyperdense_volume",
    "Volume of hyperdense areas",
    "mL",
    "Volume of what is as dense as acute blood inside the skull and away from bone. A candidate, not a finding: "
    "calcification, sinuses and beam hardening look alike.",
    "Definition: number of voxels times their volume (IBSI YEKZ). doi:10.1148/radiol.2020191145",
)


@MEASURES.register
@dataclass(frozen=True)
class HeadCtVolumes(ClinicalMeasure):
    """Brain parenchymal fraction and the volumes of brain, ventricles and hyperdense areas."""

    name = "head-ct-volumes"
    title = "Volumes inside the skull"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the four measurements; those of the whole brain only if it is whole in the field of view."""
        progress.step("Measuring the brain")
        parts = {
            key: found(image, segmentation, key)
            for key in ("brain", "brain-ventricles", "cerebrospinal-fluid", "hyperdense")
        }
        brain = parts["brain"]
        lacking = "Not found: brain." if brain is None else ""
        if not lacking and image.info.length_unit != "mm":
            lacking = "The voxel spacing is unknown."
        cut = lacking or ("The field of view cuts the brain: its volume is not known." if brain.cut else "")
        volumes = {key: _volume(part) for key, part in parts.items()}
        tissue = volumes["brain"] + volumes["hyperdense"]
        fluid = volumes["brain-ventricles"] + volumes["cerebrospinal-fluid"]
        return (
            _PARENCHYMA.without(cut) if cut else _PARENCHYMA.of(tissue / (tissue + fluid)),
            _BRAIN.without(cut) if cut else _BRAIN.of(tissue),
            _VENTRICLES.without(cut) if cut else _VENTRICLES.of(volumes["brain-ventricles"]),
            _HYPERDENSE.without(lacking) if lacking else _HYPERDENSE.of(volumes["hyperdense"]),
        )


def _volume(part: Found | None) -> float:
    return 0.0 if part is None else volume_ml(part)
