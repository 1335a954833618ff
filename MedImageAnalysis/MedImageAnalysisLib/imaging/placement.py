"""Where a true 2D image lies in patient space, and the one-slice volume that stands there in its stead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ..analysis import MedicalImage

__all__ = ["as_volume", "patient_point"]


def as_volume(pixels: sitk.Image, reference: MedicalImage) -> sitk.Image:
    """Return a 2D image as the one-slice volume at its place in patient space; a volume is returned as it is.

    Parameters
    ----------
    pixels : sitk.Image
        An image in the physical space of `reference`: its own pixels, or labels or results on any grid there.
    reference : MedicalImage
        Knows the place. Without one, e.g. for a radiograph, the image's axes become patient left and posterior, the
        convention by which Slicer shows radiographs upright in the axial view.

    Returns
    -------
    sitk.Image
        3D, of the same pixel type.
    """
    if pixels.GetDimension() == 3:
        return pixels
    volume = sitk.JoinSeries(pixels)
    place = reference.info.placement
    if place and _same_axes(pixels, reference.pixels):
        origin, direction = place.origin, place.direction
    else:
        origin = patient_point(pixels.GetOrigin(), reference)
        axes, normal = _plane_axes(reference)
        own = axes @ np.reshape(pixels.GetDirection(), (2, 2))
        direction = tuple(np.column_stack([own, normal]).ravel().tolist())
    volume.SetSpacing((*pixels.GetSpacing(), place.spacing[2] if place else 1.0))
    volume.SetOrigin(origin)
    volume.SetDirection(direction)
    return volume


def patient_point(point: Sequence[float], reference: MedicalImage) -> tuple[float, float, float]:
    """Return the patient coordinates (LPS, mm) of a point in the physical space of `reference`, 2D or 3D."""
    if len(point) == 3:
        return tuple(float(value) for value in point)
    place = reference.info.placement
    if place is None:
        return float(point[0]), float(point[1]), 0.0
    axes, _ = _plane_axes(reference)
    x, y, z = np.asarray(place.origin) + axes @ np.subtract(point, reference.pixels.GetOrigin())
    return float(x), float(y), float(z)


def _plane_axes(reference: MedicalImage) -> tuple[np.ndarray, np.ndarray]:
    """Return the (3, 2) patient directions of the 2D physical axes, and the plane's normal."""
    place = reference.info.placement
    if place is None:
        return np.eye(3)[:, :2], np.eye(3)[:, 2]
    direction = np.reshape(place.direction, (3, 3))
    return direction[:, :2] @ np.linalg.inv(np.reshape(reference.pixels.GetDirection(), (2, 2))), direction[:, 2]


def _same_axes(first: sitk.Image, second: sitk.Image) -> bool:
    return first.GetOrigin() == second.GetOrigin() and first.GetDirection() == second.GetDirection()
