"""A 2D image and everything in its plane lie where the slice lies in the patient."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, SlicePlacement
from MedImageAnalysisLib.imaging.placement import as_volume, patient_point


@pytest.fixture
def oblique():
    """An oblique 3D direction."""
    return sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.1).GetMatrix()


@pytest.fixture
def turned_slice(oblique):
    """A slice whose 2D coordinates are themselves turned and shifted."""
    pixels = sitk.Image(8, 6, sitk.sitkUInt8)
    pixels.SetSpacing((0.5, 0.7))
    pixels.SetOrigin((3.0, -2.0))
    pixels.SetDirection((0.8, -0.6, 0.6, 0.8))
    return MedicalImage(pixels, ImageInfo(placement=SlicePlacement((10.0, 20.0, 30.0), (0.5, 0.7, 4.0), oblique)))


def test_the_slice_itself_has_exactly_its_place(turned_slice):
    volume = as_volume(turned_slice.pixels, turned_slice)
    place = turned_slice.info.placement
    assert volume.GetSize() == (8, 6, 1)
    assert (volume.GetOrigin(), volume.GetSpacing(), volume.GetDirection()) == (
        place.origin,
        place.spacing,
        tuple(place.direction),
    )


def test_a_part_of_the_slice_lies_where_it_lay(turned_slice):
    whole = as_volume(turned_slice.pixels, turned_slice)
    part = as_volume(turned_slice.pixels[2:7, 1:4], turned_slice)
    np.testing.assert_allclose(
        part.TransformIndexToPhysicalPoint((4, 2, 0)), whole.TransformIndexToPhysicalPoint((6, 3, 0)), atol=1e-12
    )


def test_another_grid_in_the_plane_lies_in_the_plane(turned_slice):
    grid = sitk.Image(20, 20, sitk.sitkFloat32)
    grid.SetSpacing((0.25, 0.25))
    grid.SetOrigin((1.0, 1.0))
    volume = as_volume(grid, turned_slice)
    for index in ((0, 0), (19, 0), (0, 19)):
        expected = patient_point(grid.TransformIndexToPhysicalPoint(index), turned_slice)
        np.testing.assert_allclose(volume.TransformIndexToPhysicalPoint((*index, 0)), expected, atol=1e-12)
    directions = np.reshape(volume.GetDirection(), (3, 3))
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)


def test_a_point_on_a_pixel_is_the_pixels_place(turned_slice):
    volume = as_volume(turned_slice.pixels, turned_slice)
    point = turned_slice.pixels.TransformIndexToPhysicalPoint((5, 3))
    np.testing.assert_allclose(
        patient_point(point, turned_slice), volume.TransformIndexToPhysicalPoint((5, 3, 0)), atol=1e-12
    )


def test_without_a_place_the_plane_is_that_of_left_and_posterior():
    image = MedicalImage(sitk.Image(4, 3, sitk.sitkUInt8))
    volume = as_volume(image.pixels, image)
    assert volume.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert patient_point((2.5, 1.5), image) == (2.5, 1.5, 0.0)


def test_volumes_and_their_points_stay_as_they_are():
    image = MedicalImage(sitk.Image(4, 3, 2, sitk.sitkUInt8))
    assert as_volume(image.pixels, image) is image.pixels
    assert patient_point((1, 2, 3), image) == (1.0, 2.0, 3.0)
