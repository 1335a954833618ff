"""What a DICOM header tells beside the pixels: modality, body part, age, pixel spacing. Never who the patient is."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from ..analysis import ImageInfo
from .header import Plane, Vector, damage_as_error, numbers

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["PROJECTIONS", "describe", "pixel_spacing"]

# Modalities whose images are shadows on a detector: they have a spacing, but no place in the patient.
PROJECTIONS = frozenset({"CR", "DX", "DR", "MG", "RF", "XA", "PX", "IO", "RG", "RTIMAGE"})

_AGE_UNITS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_HIGHEST_AGE = 90.0
_AT_DETECTOR = "The spacing is that of the detector: lengths in the patient are shorter by the unknown magnification."
_UNKNOWN_SPACING = "The file does not tell the pixel spacing: lengths are in pixels."
_CENTIMETERS = 3  # Physical Units X Direction, PS3.3 C.8.5.5.1.1


def describe(header: Dataset, plane: Plane) -> tuple[ImageInfo, Vector]:
    """Return what is known of the image, and its spacing along x and y (1, 1 if unknown)."""
    with damage_as_error(plane.path):
        return _describe(header, plane)


def _describe(header: Dataset, plane: Plane) -> tuple[ImageInfo, Vector]:
    modality = str(header.get("Modality") or "").upper()
    spacing, source, warnings = pixel_spacing(header, plane)
    unit = "HU" if _is_hounsfield(modality, plane) else ""
    if header.get("VOILUTSequence"):
        warnings += ("The display curve (VOI LUT) of the file was not applied.",)
    if unit == "HU" and plane.format.photometric == "MONOCHROME1":
        warnings += ("The file asks to be shown inverted (MONOCHROME1); its Hounsfield units were kept as they are.",)
    info = ImageInfo(
        modality=modality,
        body_part=str(header.get("BodyPartExamined") or "").upper(),
        view=str(header.get("ViewPosition") or "").upper(),
        spacing_source=source,
        intensity_unit=unit,
        patient_age_years=_age(header),
        patient_sex=sex if (sex := str(header.get("PatientSex") or "").upper()) in ("F", "M") else "",
        warnings=warnings,
    )
    return info, spacing


def pixel_spacing(header: Dataset, plane: Plane) -> tuple[Vector, str, tuple[str, ...]]:
    """Return spacing along x and y in mm, the attribute it comes from ("" if unknown), and warnings.

    For projections, Imager Pixel Spacing is that of the detector. Pixel Spacing that differs from it is calibrated to
    the patient (PS3.3 10.7.1.1); otherwise it is divided by the Estimated Radiographic Magnification Factor.
    """
    if str(header.get("Modality") or "").upper() in PROJECTIONS:
        return _projection_spacing(header, plane)
    if plane.spacing:
        return plane.spacing, "PixelSpacing", ()
    ultrasound = _ultrasound_spacing(header)
    if ultrasound:
        return ultrasound, "SequenceOfUltrasoundRegions", ()
    return (1.0, 1.0), "", (_UNKNOWN_SPACING,)


def _projection_spacing(header: Dataset, plane: Plane) -> tuple[Vector, str, tuple[str, ...]]:
    imager = _positive(numbers(header, "ImagerPixelSpacing", 2))
    if plane.spacing and plane.spacing != imager:
        return plane.spacing, "PixelSpacing", ()
    if not imager:
        scanned = _positive(numbers(header, "NominalScannedPixelSpacing", 2))
        if scanned:
            return scanned, "NominalScannedPixelSpacing", (_AT_DETECTOR,)
        return (1.0, 1.0), "", (_UNKNOWN_SPACING,)
    magnification = (numbers(header, "EstimatedRadiographicMagnificationFactor", 1) or (0.0,))[0]
    if magnification > 0:
        source = "ImagerPixelSpacing / EstimatedRadiographicMagnificationFactor"
        return tuple(value / magnification for value in imager), source, ()
    return imager, "ImagerPixelSpacing", (_AT_DETECTOR,)


def _ultrasound_spacing(header: Dataset) -> Vector | None:
    """Return the spacing that all calibrated regions share, if there is one."""
    found = set()
    for region in header.get("SequenceOfUltrasoundRegions") or ():
        units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
        if units == (_CENTIMETERS, _CENTIMETERS):
            delta_x, delta_y = numbers(region, "PhysicalDeltaX", 1), numbers(region, "PhysicalDeltaY", 1)
            if delta_x and delta_y:
                found.add((abs(delta_x[0]) * 10, abs(delta_y[0]) * 10))
    spacing = found.pop() if len(found) == 1 else None
    return spacing if spacing and min(spacing) > 0 else None


def _positive(spacing: Vector | None) -> Vector | None:
    """Return DICOM's (row, column) spacing as (x, y), or None unless both are positive."""
    return spacing[::-1] if spacing and min(spacing) > 0 else None


def _is_hounsfield(modality: str, plane: Plane) -> bool:
    return modality == "CT" and plane.rescale_type in ("", "HU") and not plane.localizer


def _age(header: Dataset) -> float | None:
    """Return the age in years, capped at 90 as de-identification asks (45 CFR 164.514)."""
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", str(header.get("PatientAge") or "").strip().upper())
    if stated:
        age = int(stated[1]) * _AGE_UNITS[stated[2]]
    else:
        born, studied = _date(header, "PatientBirthDate"), _date(header, "StudyDate")
        if not born or not studied or studied < born:
            return None
        age = (studied - born).days / 365.25
    return min(round(age, 1) if age < 2 else float(int(age)), _HIGHEST_AGE)


def _date(header: Dataset, keyword: str) -> date | None:
    text = str(header.get(keyword) or "")
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
