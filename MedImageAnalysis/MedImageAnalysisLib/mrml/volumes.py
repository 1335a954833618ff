"""Volume nodes from images and back: exact in pixels, voxel type and geometry.

MRML is RAS, everything else in this package is LPS: the first two coordinates change their sign in this package of
nodes and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..analysis import MedicalImage
from ..errors import GeometryError, UnsupportedImageError
from ..formats.color import LUMINANCE_CORRECTION, luminance
from ..image import from_pixels
from ..imaging.placement import as_volume
from .access import added_node
from .image_info import read_info, unplaced, write_info

if TYPE_CHECKING:
    import slicer
    import vtk

__all__ = ["image_data", "nodeFromVolume", "pixels_of_image_data", "to_ras", "updateVolumeNode", "volumeFromNode"]

# Pixel types that Slicer's files cannot hold, and those that take their values.
_STORABLE = {sitk.sitkInt8: np.int16, sitk.sitkInt64: np.int32, sitk.sitkUInt64: np.uint32}
_UNSUITABLE = ("vtkMRMLLabelMapVolumeNode", "vtkMRMLDiffusionImageVolumeNode")
_DISPLAY_PERCENTILES = (0.5, 99.5)
_DISPLAY_SAMPLES = 1_000_000
# Slicer itself rounds directions to about seven digits in some file formats.
_SHEAR_TOLERANCE = 1e-3


def volumeFromNode(node: slicer.vtkMRMLScalarVolumeNode, *, color: str = "refuse") -> MedicalImage:
    """Return the image of a volume node, in world coordinates; the node is not changed.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode
        A linear parent transform is applied to the geometry, as hardening it would.
    color : {"refuse", "luminance"}
        What to do with color volumes.

    Returns
    -------
    MedicalImage
        One slice is truly 2D, with its place in `info.placement`. Modality, body part and the like come from the DICOM
        database or the subject hierarchy if the volume was loaded from there, or from the node's own attribute.

    Raises
    ------
    UnsupportedImageError
        If there is no node, no image in it, or an image of a kind that is not handled (labels, vectors, NaN).
    GeometryError
        If the parent transform is not linear or shears the axes.
    """
    data = _checked_image_data(node)
    values = _voxels(data)
    corrections: tuple[str, ...] = ()
    if values.ndim == 4:
        if color != "luminance":
            raise UnsupportedImageError(
                f"The volume '{node.GetName()}' has {values.shape[3]} components per voxel (color or vectors) where "
                "gray values are needed. Choose a preset that allows color, or convert it with the Vector to Scalar "
                "Volume module."
            )
        values, corrections = luminance(values), (LUMINANCE_CORRECTION,)
    pixels = sitk.GetImageFromArray(values)
    _set_geometry(pixels, node)
    info, sum_of_range = read_info(node, pixels)
    if sum_of_range is not None:
        pixels = sitk.InvertIntensity(pixels, sum_of_range)
    image = from_pixels(pixels, replace(info, corrections=info.corrections + corrections))
    return unplaced(node, image)


def nodeFromVolume(
    image: MedicalImage, name: str = "", *, scene: slicer.vtkMRMLScene | None = None
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a volume node that shows `image`, a 2D image as the one-slice volume at its place."""
    with added_node("vtkMRMLScalarVolumeNode", name or "Image", scene) as node:
        updateVolumeNode(node, image.pixels, image)
        write_info(node, image)
    return node


def updateVolumeNode(node: slicer.vtkMRMLScalarVolumeNode, pixels: sitk.Image, reference: MedicalImage) -> None:
    """Put pixels, geometry and a display window into a volume node.

    Parameters
    ----------
    pixels : sitk.Image
        Any scalar image in the physical space of `reference`, 2D or 3D. 64-bit integers become 32-bit and int8 becomes
        int16, which Slicer's files can hold; every value is kept.
    reference : MedicalImage
        Knows where a 2D image lies.

    Raises
    ------
    UnsupportedImageError
        If 64-bit integers are too large for 32 bits.
    """
    volume = as_volume(pixels, reference)
    values = _storable(sitk.GetArrayViewFromImage(volume), volume.GetPixelID())
    if not node.GetDisplayNode():
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    # Before there is an image, or Slicer would look through all of it for a window of its own.
    display.SetAutoWindowLevel(False)
    node.SetSpacing(volume.GetSpacing())
    node.SetOrigin(to_ras(volume.GetOrigin()))
    node.SetIJKToRASDirections(_ras_directions(volume))
    node.SetAndObserveImageData(image_data(values))
    display.SetWindowLevelMinMax(*_display_window(values))
    _keep_handedness(node)


def to_ras(point: Iterable[float]) -> tuple[float, float, float]:
    """Return an LPS point in RAS, or the reverse."""
    x, y, z = point
    return -x, -y, z


def image_data(values: np.ndarray, into: vtk.vtkImageData | None = None) -> vtk.vtkImageData:
    """Return an image with a copy of `values`, shape (slices, rows, columns), in voxel coordinates."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    data = into or vtk.vtkImageData()
    data.SetDimensions(values.shape[::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(np.ravel(values), deep=True))
    return data


def pixels_of_image_data(data: vtk.vtkImageData) -> np.ndarray:
    """Return a view of the scalars, shape (slices, rows, columns); valid while `data` lives and is unchanged."""
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])


def _checked_image_data(node: slicer.vtkMRMLVolumeNode) -> vtk.vtkImageData:
    if node is None:
        raise UnsupportedImageError("No volume is chosen. Choose or load an image first.")
    if not node.IsA("vtkMRMLVolumeNode") or any(node.IsA(kind) for kind in _UNSUITABLE):
        raise UnsupportedImageError(
            f"'{node.GetName()}' is a {node.GetNodeTagName()} node, not an image. Choose a scalar volume."
        )
    data = node.GetImageData()
    if data is None or data.GetNumberOfPoints() == 0 or data.GetPointData().GetScalars() is None:
        raise UnsupportedImageError(f"The volume '{node.GetName()}' has no image. Load it again.")
    return data


def _voxels(data: vtk.vtkImageData) -> np.ndarray:
    from vtk.util.numpy_support import vtk_to_numpy

    scalars = data.GetPointData().GetScalars()
    shape = data.GetDimensions()[::-1]
    components = scalars.GetNumberOfComponents()
    return vtk_to_numpy(scalars).reshape(shape if components == 1 else (*shape, components))


def _set_geometry(pixels: sitk.Image, node: slicer.vtkMRMLVolumeNode) -> None:
    """Give `pixels` the geometry of the node in world coordinates, in LPS."""
    rows = [[0.0] * 3 for _ in range(3)]
    node.GetIJKToRASDirections(rows)
    spacing, origin, directions = np.array(node.GetSpacing()), np.array(node.GetOrigin()), np.array(rows)
    if node.GetParentTransformNode():
        to_world = _linear_to_world(node)
        axes = to_world[:3, :3] @ directions * spacing
        origin = to_world[:3, :3] @ origin + to_world[:3, 3]
        spacing = np.linalg.norm(axes, axis=0)
        directions = axes / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise GeometryError(
            f"The axes of the volume '{node.GetName()}' are not perpendicular in the scene: its transform or its "
            "acquisition (a tilted gantry) shears it. Harden the transform and resample the volume first."
        )
    pixels.SetSpacing(spacing.tolist())
    pixels.SetOrigin(to_ras(origin.tolist()))
    pixels.SetDirection((np.diag([-1.0, -1.0, 1.0]) @ directions + 0.0).ravel().tolist())


def _linear_to_world(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    import vtk

    transform = node.GetParentTransformNode()
    if not transform.IsTransformToWorldLinear():
        raise GeometryError(
            f"The volume '{node.GetName()}' is under a transform that is not linear. Harden the transform (right-click "
            "the volume in the Data module), then analyze it."
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _ras_directions(volume: sitk.Image) -> list[list[float]]:
    directions = np.reshape(volume.GetDirection(), (3, 3))
    return (np.diag([-1.0, -1.0, 1.0]) @ directions + 0.0).tolist()


def _storable(values: np.ndarray, pixel_id: int) -> np.ndarray:
    target = _STORABLE.get(pixel_id)
    if target is None:
        return values
    limits = np.iinfo(target)
    if values.size and (values.min() < limits.min or values.max() > limits.max):
        raise UnsupportedImageError(
            f"Whole numbers up to {values.max()} do not fit into the 32 bits that Slicer's files hold. "
            "Convert the image to floating point first."
        )
    return values.astype(target)


def _keep_handedness(node: slicer.vtkMRMLVolumeNode) -> None:
    """Have the file of a left-handed volume read back as it is, not flipped to right-handed."""
    if not node.GetStorageNode():
        node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    if hasattr(storage, "SetForceRightHandedIJKCoordinateSystem"):
        storage.SetForceRightHandedIJKCoordinateSystem(False)


def _display_window(values: np.ndarray) -> tuple[float, float]:
    """Return percentiles of a regular sample, wide enough to show a constant image."""
    step = max(values.size // _DISPLAY_SAMPLES, 1)
    low, high = np.percentile(values.ravel()[::step], _DISPLAY_PERCENTILES)
    return float(low), float(high if high > low else low + 1)
