"""What is known of a volume node's image beside its voxels: from its own attribute, or from Slicer's DICOM database."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from ..analysis import ImageInfo, MedicalImage, SlicePlacement
from ..errors import MissingPackageError
from .access import import_slicer

if TYPE_CHECKING:
    import slicer

    from ..dicom.header import Plane

__all__ = ["node_geometry", "read_info", "unplaced", "write_info"]

# JSON; travels with the node through copies and scene files. Holds no patient identity.
_ATTRIBUTE = "MedImageAnalysis.ImageInfo"
_TEXTS = ("modality", "body_part", "view", "spacing_source", "intensity_unit", "patient_sex")
_DAMAGED = "The description stored with the volume is damaged and was not used."
_UNKNOWN_SPACING = "The volume does not tell its pixel spacing: lengths are in pixels."
_OTHER_SPACING = "The spacing of the volume in the scene is not that of its DICOM header ({source}): check lengths."
_UNCHECKED_INVERSION = "The file is MONOCHROME1; whether Slicer inverted it on loading was not checked: {reason}"
_INVERTED = "inverted MONOCHROME1 to MONOCHROME2 (lowest + highest storable value - value)"
_INVERTED_ON_LOADING = f"{_INVERTED}, by Slicer on loading"


def read_info(node: slicer.vtkMRMLVolumeNode, pixels: sitk.Image) -> tuple[ImageInfo, float | None]:
    """Return what is known of the node's image, and how to make dense structures bright.

    Parameters
    ----------
    node : vtkMRMLVolumeNode
    pixels : sitk.Image
        Its voxels as a 3D image.

    Returns
    -------
    ImageInfo
        Tells among the corrections that the image is, or is to be, inverted.
    float or None
        Each value is to be taken from this one; None if the image is as it should be.
    """
    stored = _stored(node)
    if stored is not None:
        return _info_of(stored), None
    file = _dicom_file(node)
    if file is not None:
        return _from_dicom(file, pixels)
    return _from_scene(node, pixels), None


def write_info(node: slicer.vtkMRMLVolumeNode, image: MedicalImage) -> None:
    """Store what is known of an image with its node, and how a 2D image lies in its plane."""
    values = {
        key: value for key, value in asdict(image.info).items() if value not in ("", None, ()) and key != "placement"
    }
    if image.pixels.GetDimension() == 2:
        values["plane"] = {
            "origin": image.pixels.GetOrigin(),
            "direction": image.pixels.GetDirection(),
            "placement": asdict(image.info.placement) if image.info.placement else None,
            "node_geometry": node_geometry(node).tolist(),
        }
    node.SetAttribute(_ATTRIBUTE, json.dumps(values))


def unplaced(node: slicer.vtkMRMLVolumeNode, image: MedicalImage) -> MedicalImage:
    """Give a 2D image the plane coordinates that it had when its node was made, unless the node was moved since."""
    plane = (_stored(node) or {}).get("plane")
    if image.pixels.GetDimension() != 2 or plane is None or node.GetParentTransformNode():
        return image
    pixels = sitk.Image(image.pixels)
    try:
        moved = not np.allclose(plane["node_geometry"], node_geometry(node), rtol=1e-9, atol=1e-9)
        pixels.SetOrigin([float(value) for value in plane["origin"]])
        pixels.SetDirection([float(value) for value in plane["direction"]])
        place = plane["placement"]
        placement = SlicePlacement(**{key: tuple(map(float, value)) for key, value in place.items()}) if place else None
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        # The attribute came with a scene from anybody.
        return MedicalImage(image.pixels, replace(image.info, warnings=(*image.info.warnings, _DAMAGED)))
    return image if moved else MedicalImage(pixels, replace(image.info, placement=placement))


def node_geometry(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the spacing, origin and directions of a volume node as 15 numbers."""
    rows = [[0.0] * 3 for _ in range(3)]
    node.GetIJKToRASDirections(rows)
    return np.concatenate([node.GetSpacing(), node.GetOrigin(), np.ravel(rows)])


def _stored(node: slicer.vtkMRMLVolumeNode) -> dict[str, Any] | None:
    text = node.GetAttribute(_ATTRIBUTE)
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    return values if isinstance(values, dict) else {"warnings": [_DAMAGED]}


def _info_of(values: dict[str, Any]) -> ImageInfo:
    age = values.get("patient_age_years")
    return ImageInfo(
        **{key: str(values.get(key, "")) for key in _TEXTS},
        patient_age_years=float(age) if isinstance(age, (int, float)) else None,
        corrections=tuple(map(str, values.get("corrections", ()))),
        warnings=tuple(map(str, values.get("warnings", ()))),
    )


def _dicom_file(node: slicer.vtkMRMLVolumeNode) -> Path | None:
    """Return the file of the volume's first instance, if Slicer loaded it from its DICOM database."""
    instances = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(import_slicer(), "dicomDatabase", None)
    if not instances or database is None or not database.isOpen:
        return None
    file = database.fileForInstance(instances[0])
    return Path(file) if file and Path(file).is_file() else None


def _from_dicom(file: Path, pixels: sitk.Image) -> tuple[ImageInfo, float | None]:
    from ..dicom.description import describe
    from ..dicom.header import planes, read_header

    header = read_header(file)
    plane = planes(header, file)[0]
    info, spacing = describe(header, plane)
    if info.spacing_source and not np.allclose(pixels.GetSpacing()[:2], spacing, rtol=1e-4):
        warning = _OTHER_SPACING.format(source=info.spacing_source)
        info = replace(info, spacing_source="volume node", warnings=(*info.warnings, warning))
    if plane.format.photometric != "MONOCHROME1" or info.intensity_unit == "HU":
        return info, None
    try:
        sum_of_range = _inversion(plane, pixels)
    except MissingPackageError as missing:
        warning = _UNCHECKED_INVERSION.format(reason=missing)
        return replace(info, warnings=(*info.warnings, warning)), None
    correction = _INVERTED if sum_of_range is not None else _INVERTED_ON_LOADING
    return replace(info, corrections=(*info.corrections, correction)), sum_of_range


def _inversion(plane: Plane, pixels: sitk.Image) -> float | None:
    """Return lowest + highest storable value, unless the reader that Slicer used has inverted the image already.

    ITK's GDCM reader does so and its DCMTK reader does not, and the scene does not tell which one it was: the mean of
    the volume is compared with that of the stored values.
    """
    from ..dicom.pixels import is_exact, real_range, real_values, stored_values

    values = real_values(next(stored_values([plane])), plane, is_exact(plane), False, None)
    sum_of_range = sum(real_range(plane))
    stored_mean, loaded_mean = float(values.mean()), float(sitk.GetArrayViewFromImage(pixels).mean())
    is_stored = abs(loaded_mean - stored_mean) < abs(loaded_mean - (sum_of_range - stored_mean))
    return sum_of_range if is_stored else None


def _from_scene(node: slicer.vtkMRMLVolumeNode, pixels: sitk.Image) -> ImageInfo:
    modality = _hierarchy_modality(node)
    # A one-slice volume with spacing 1 comes from a picture file, which knows no lengths.
    unknown = 1 in pixels.GetSize() and set(pixels.GetSpacing()) == {1.0}
    return ImageInfo(
        modality=modality,
        spacing_source="" if unknown else "volume node",
        intensity_unit="HU" if modality == "CT" else "",
        warnings=(_UNKNOWN_SPACING,) if unknown else (),
    )


def _hierarchy_modality(node: slicer.vtkMRMLVolumeNode) -> str:
    hierarchy = import_slicer().vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    return (hierarchy.GetItemAttribute(item, "DICOM.Modality") or "").upper() if item else ""
