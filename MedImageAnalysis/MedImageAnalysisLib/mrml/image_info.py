"""What is known of a volume node's image beside its voxels: from its own attribute, or from Slicer's DICOM database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from ..analysis import ImageInfo, MedicalImage, SlicePlacement
from .runtime import import_slicer

if TYPE_CHECKING:
    import slicer

__all__ = ["Inversion", "read_info", "unplaced", "write_info"]

# JSON; travels with the node through copies and scene files. Holds no patient identity.
_ATTRIBUTE = "MedImageAnalysis.ImageInfo"
_TEXTS = ("modality", "body_part", "view", "spacing_source", "intensity_unit", "patient_sex")
_UNKNOWN_SPACING = "The volume does not tell its pixel spacing: lengths are in pixels."
_OTHER_SPACING = "The spacing of the volume in the scene is not that of its DICOM header ({source}): check lengths."
_INVERTED_GRAY = "vtkMRMLColorTableNodeInvertedGrey"


@dataclass(frozen=True)
class Inversion:
    """How MONOCHROME1 becomes MONOCHROME2: each value is taken from `sum_of_range`."""

    sum_of_range: float
    correction: str


def read_info(node: slicer.vtkMRMLVolumeNode, pixels: sitk.Image) -> tuple[ImageInfo, Inversion | None]:
    """Return what is known of the node's image, and how to invert it if high values mean dark.

    Parameters
    ----------
    node : vtkMRMLVolumeNode
    pixels : sitk.Image
        Its voxels as a 3D image, whose spacing is judged.
    """
    stored = _stored(node)
    if stored is not None:
        return _info_of(stored), None
    file = _dicom_file(node)
    if file is not None:
        return _from_dicom(file, pixels)
    return _from_scene(node, pixels)


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
            "node_geometry": _geometry_text(node),
        }
    node.SetAttribute(_ATTRIBUTE, json.dumps(values))


def unplaced(node: slicer.vtkMRMLVolumeNode, image: MedicalImage) -> MedicalImage:
    """Give a 2D image the plane coordinates that it had when its node was made, unless the node was moved since."""
    plane = (_stored(node) or {}).get("plane")
    if image.pixels.GetDimension() != 2 or not isinstance(plane, dict) or node.GetParentTransformNode():
        return image
    if plane.get("node_geometry") != _geometry_text(node):
        return image
    pixels = sitk.Image(image.pixels)
    pixels.SetOrigin([float(value) for value in plane["origin"]])
    pixels.SetDirection([float(value) for value in plane["direction"]])
    place = plane["placement"]
    placement = SlicePlacement(**{key: tuple(map(float, value)) for key, value in place.items()}) if place else None
    return MedicalImage(pixels, replace(image.info, placement=placement))


def _geometry_text(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return the node's geometry with as many digits as survive a file."""
    rows = [[0.0] * 3 for _ in range(3)]
    node.GetIJKToRASDirections(rows)
    values = np.concatenate([node.GetSpacing(), node.GetOrigin(), np.ravel(rows)])
    return " ".join(f"{value + 0.0:.9g}" for value in np.round(values, 9))


def _stored(node: slicer.vtkMRMLVolumeNode) -> dict[str, Any] | None:
    text = node.GetAttribute(_ATTRIBUTE)
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    return values if isinstance(values, dict) else {"warnings": ["The stored description of the volume is damaged."]}


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


def _from_dicom(file: Path, pixels: sitk.Image) -> tuple[ImageInfo, Inversion | None]:
    from ..dicom.description import describe
    from ..dicom.header import planes, read_header
    from ..dicom.pixels import real_range

    header = read_header(file)
    plane = planes(header, file)[0]
    info, spacing = describe(header, plane)
    if info.spacing_source and not np.allclose(pixels.GetSpacing()[:2], spacing, rtol=1e-4):
        warning = _OTHER_SPACING.format(source=info.spacing_source)
        info = replace(info, spacing_source="volume node", warnings=(*info.warnings, warning))
    inverted = plane.format.photometric == "MONOCHROME1" and info.intensity_unit != "HU"
    return info, _inversion(sum(real_range(plane))) if inverted else None


def _from_scene(node: slicer.vtkMRMLVolumeNode, pixels: sitk.Image) -> tuple[ImageInfo, Inversion | None]:
    modality = _hierarchy_modality(node)
    # A one-slice volume with spacing 1 comes from a picture file, which knows no lengths.
    unknown = 1 in pixels.GetSize() and set(pixels.GetSpacing()) == {1.0}
    info = ImageInfo(
        modality=modality,
        spacing_source="" if unknown else "volume node",
        intensity_unit="HU" if modality == "CT" else "",
        warnings=(_UNKNOWN_SPACING,) if unknown else (),
    )
    display = node.GetDisplayNode()
    if display is None or display.GetColorNodeID() != _INVERTED_GRAY:
        return info, None
    values = sitk.GetArrayViewFromImage(pixels)
    return info, _inversion(float(values.min()) + float(values.max()))


def _inversion(sum_of_range: float) -> Inversion:
    return Inversion(sum_of_range, "inverted MONOCHROME1 to MONOCHROME2 (lowest + highest value - value)")


def _hierarchy_modality(node: slicer.vtkMRMLVolumeNode) -> str:
    hierarchy = import_slicer().vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    return (hierarchy.GetItemAttribute(item, "DICOM.Modality") or "").upper() if item else ""
