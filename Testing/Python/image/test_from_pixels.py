"""Any image in memory is checked before it goes into the pipeline, and hashed by what it shows."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, SlicePlacement
from MedImageAnalysisLib.errors import GeometryError, UnsupportedImageError
from MedImageAnalysisLib.image import content_hash, from_pixels


@pytest.fixture
def volume() -> sitk.Image:
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetSpacing((0.5, 0.7, 2.0))
    image.SetOrigin((1, 2, 3))
    return image


@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt32, sitk.sitkFloat32, sitk.sitkFloat64])
def test_scalar_2d_and_3d_images_pass_unchanged(volume, kind):
    image = sitk.Cast(volume, kind)
    info = ImageInfo(modality="CT")
    for pixels in (image, image[:, :, 1]):
        checked = from_pixels(pixels, info)
        assert checked.pixels is pixels
        assert checked.info is info


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (sitk.Image((3, 4), sitk.sitkVectorUInt8, 3), "3 components"),
        (sitk.Image((3, 4), sitk.sitkVectorUInt8, 1), "1 components"),
        (sitk.Image((3, 4), sitk.sitkComplexFloat32), "complex"),
        (sitk.Image((3, 4), sitk.sitkLabelUInt8), "label map"),
        (sitk.Image((3, 4, 5, 2), sitk.sitkUInt8), "4 dimensions"),
        (sitk.Image((0, 4), sitk.sitkUInt8), "no pixels"),
    ],
)
def test_what_the_pipeline_cannot_take_is_refused_by_name(pixels, message):
    with pytest.raises(UnsupportedImageError, match=message):
        from_pixels(pixels)


def test_a_single_time_point_is_a_volume(volume):
    checked = from_pixels(sitk.JoinSeries([volume])).pixels
    assert checked.GetSize() == volume.GetSize()
    assert checked.GetOrigin() == volume.GetOrigin()
    assert np.array_equal(sitk.GetArrayViewFromImage(checked), sitk.GetArrayViewFromImage(volume))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [sitk.sitkFloat32, sitk.sitkFloat64])
def test_values_that_are_not_finite_are_refused_and_counted(volume, value, kind):
    image = sitk.Cast(volume, kind)
    image[1, 1, 1] = value
    image[2, 1, 1] = value
    with pytest.raises(UnsupportedImageError, match="2 of 60 pixels are not finite"):
        from_pixels(image)


@pytest.mark.parametrize("direction", [(1, 0.2, 0, 0, 1, 0, 0, 0, 1), (2, 0, 0, 0, 1, 0, 0, 0, 1)])
def test_axes_that_are_not_perpendicular_are_refused(volume, direction):
    volume.SetDirection(direction)
    with pytest.raises(GeometryError, match="sheared"):
        from_pixels(volume)


def test_an_origin_that_is_not_finite_is_refused(volume):
    volume.SetOrigin((np.nan, 0, 0))
    with pytest.raises(GeometryError, match="origin"):
        from_pixels(volume)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_one_slice_is_2d_and_can_be_put_back(volume, axis):
    rotation = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.5, 0.9)
    volume.SetDirection(rotation.GetMatrix())
    keep = [slice(None)] * 3
    keep[axis] = slice(1, 2)
    thin = volume[tuple(keep)]
    checked = from_pixels(thin)
    assert checked.pixels.GetDimension() == 2
    assert checked.pixels.GetOrigin() == (0, 0)
    place = checked.info.placement
    back = sitk.JoinSeries(checked.pixels)
    back.SetOrigin(place.origin)
    back.SetSpacing(place.spacing)
    back.SetDirection(place.direction)
    for index in ((0, 0), (1, 2), (2, 1)):
        point = back.TransformIndexToPhysicalPoint((*index, 0))
        assert thin[thin.TransformPhysicalPointToIndex(point)] == checked.pixels[index]


def test_a_place_that_is_known_already_is_kept(volume):
    place = SlicePlacement((9, 9, 9), (1, 1, 1), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert from_pixels(volume[:, :, 0:1], ImageInfo(placement=place)).info.placement is place


def test_equal_images_hash_alike(volume):
    assert content_hash(volume) == content_hash(sitk.Image(volume))
    assert len(content_hash(volume)) == 64


def test_a_negative_zero_hashes_like_zero(volume):
    other = sitk.Image(volume)
    volume.SetOrigin((0.0, 0.0, 0.0))
    other.SetOrigin((-0.0, 0.0, -0.0))
    assert content_hash(volume) == content_hash(other)


@pytest.mark.parametrize("change", ["pixel", "type", "size", "spacing", "origin", "direction"])
def test_anything_that_differs_changes_the_hash(change):
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    other = sitk.Image(image)
    if change == "pixel":
        other[2, 2, 2] += 1
    elif change == "type":
        other = sitk.Cast(other, sitk.sitkUInt16)
    elif change == "size":
        other = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 5, 4))
    elif change == "spacing":
        other.SetSpacing((1, 1, 1.0000001))
    elif change == "origin":
        other.SetOrigin((0, 1e-9, 0))
    else:
        other.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert content_hash(image) != content_hash(other)


def test_the_hash_is_the_same_on_every_machine():
    image = sitk.GetImageFromArray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert content_hash(image) == "e88c88936690ee8b52abbed430672f514eb84c0a1da33040abbcf288618c39b5"
