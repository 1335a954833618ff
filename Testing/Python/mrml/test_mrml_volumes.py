"""Images become volume nodes and come back as they were."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, SlicePlacement
from MedImageAnalysisLib.errors import GeometryError, UnsupportedImageError
from MedImageAnalysisLib.image import content_hash, read_image
from MedImageAnalysisLib.mrml import nodeFromVolume, volumeFromNode

# MRML takes coordinates and entries of a direction below 1e-15 for zero.
coordinates = st.floats(-1e4, 1e4).map(lambda value: value if abs(value) > 1e-9 else 0.0)
spacings = st.floats(1e-3, 50, width=64)
angles = st.integers(-3_141_592, 3_141_592).map(lambda microradians: microradians * 1e-6)


@st.composite
def directions(draw):
    """Any orthonormal frame: a rotation, axes in any order, any of them mirrored."""
    rotation = np.reshape(sitk.Euler3DTransform((0, 0, 0), *(draw(angles) for _ in range(3))).GetMatrix(), (3, 3))
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)]
    return (rotation[:, order] * signs).ravel().tolist()


def volume_of(direction, spacing, origin, pixel_type=np.int16):
    values = np.arange(24).reshape(2, 3, 4).astype(pixel_type)
    pixels = sitk.GetImageFromArray(values)
    pixels.SetDirection(direction)
    pixels.SetSpacing(spacing)
    pixels.SetOrigin(origin)
    return MedicalImage(pixels, ImageInfo(modality="MR", spacing_source="PixelSpacing"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(direction=directions(), spacing=st.tuples(*[spacings] * 3), origin=st.tuples(*[coordinates] * 3))
def test_any_geometry_comes_back_bit_for_bit(scene, direction, spacing, origin):
    image = volume_of(direction, spacing, origin)
    back = volumeFromNode(nodeFromVolume(image, scene=scene))
    assert content_hash(back.pixels) == content_hash(image.pixels)
    scene.Clear(False)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(direction=directions(), spacing=st.tuples(*[spacings] * 3), origin=st.tuples(*[coordinates] * 3))
def test_a_voxel_lies_where_it_lay_with_left_and_posterior_mirrored(scene, direction, spacing, origin):
    import vtk

    image = volume_of(direction, spacing, origin)
    matrix = vtk.vtkMatrix4x4()
    nodeFromVolume(image, scene=scene).GetIJKToRASMatrix(matrix)
    x, y, z = image.pixels.TransformIndexToPhysicalPoint((3, 2, 1))
    np.testing.assert_allclose(matrix.MultiplyPoint((3, 2, 1, 1))[:3], (-x, -y, z), rtol=1e-12, atol=1e-9)
    scene.Clear(False)


@pytest.mark.parametrize("pixel_type", ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_voxel_types_are_kept(scene, pixel_type):
    image = volume_of((1, 0, 0, 0, 1, 0, 0, 0, 1), (1, 1, 1), (0, 0, 0), pixel_type)
    back = volumeFromNode(nodeFromVolume(image, scene=scene))
    assert content_hash(back.pixels) == content_hash(image.pixels)


@pytest.mark.parametrize(("pixel_type", "wider"), [("int8", "int16"), ("int64", "int32"), ("uint64", "uint32")])
def test_types_that_slicer_cannot_save_keep_their_values_in_another(scene, pixel_type, wider):
    image = volume_of((1, 0, 0, 0, 1, 0, 0, 0, 1), (1, 1, 1), (0, 0, 0), pixel_type)
    values = sitk.GetArrayFromImage(volumeFromNode(nodeFromVolume(image, scene=scene)).pixels)
    assert values.dtype == wider
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(image.pixels))


def test_whole_numbers_too_large_for_slicer_are_refused(scene):
    image = MedicalImage(sitk.GetImageFromArray(np.array([[[2**40, 0]]])))
    with pytest.raises(UnsupportedImageError, match="floating point"):
        nodeFromVolume(image, scene=scene)
    for kind in ("vtkMRMLVolumeNode", "vtkMRMLDisplayNode", "vtkMRMLStorageNode"):
        assert [node for node in slicer_nodes(scene) if node.IsA(kind)] == []


def test_a_radiograph_stays_two_dimensional_without_a_place(scene, radiograph):
    back = volumeFromNode(nodeFromVolume(radiograph, scene=scene))
    assert content_hash(back.pixels) == content_hash(radiograph.pixels)
    assert back.info == radiograph.info


def test_a_radiograph_is_upright_in_the_axial_view(scene, radiograph):
    node = nodeFromVolume(radiograph, scene=scene)
    rows = [[0.0] * 3 for _ in range(3)]
    node.GetIJKToRASDirections(rows)
    assert rows == [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(direction=directions(), spacing=st.tuples(*[spacings] * 3), origin=st.tuples(*[coordinates] * 3))
def test_a_single_slice_keeps_its_place_in_the_patient(scene, radiograph, direction, spacing, origin):
    pixels = sitk.Image(radiograph.pixels)
    pixels.SetSpacing(spacing[:2])
    image = MedicalImage(pixels, ImageInfo("CT", placement=SlicePlacement(origin, spacing, tuple(direction))))
    node = nodeFromVolume(image, scene=scene)
    back = volumeFromNode(node)
    assert back.info.placement == image.info.placement
    assert content_hash(back.pixels) == content_hash(pixels)
    node.SetAttribute("MedImageAnalysis.ImageInfo", None)
    place = volumeFromNode(node).info.placement
    np.testing.assert_allclose(place.direction, direction, atol=1e-12)
    np.testing.assert_allclose(place.origin, origin, atol=1e-9)
    np.testing.assert_allclose(place.spacing, spacing)
    scene.Clear(False)


def test_a_slice_that_was_moved_has_its_new_place(scene, radiograph):
    node = nodeFromVolume(radiograph, scene=scene)
    node.SetOrigin(-10.0, -20.0, 30.0)
    assert volumeFromNode(node).info.placement.origin == (10.0, 20.0, 30.0)


def test_a_rigid_transform_is_applied(scene, oblique_volume):
    node = nodeFromVolume(oblique_volume, scene=scene)
    move = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move.SetMatrixTransformToParent(_matrix(((0, -1, 0, 5), (1, 0, 0, 6), (0, 0, 1, 7))))
    node.SetAndObserveTransformNodeID(move.GetID())
    x, y, z = oblique_volume.pixels.GetOrigin()
    # RAS (-x, -y, z) turned a quarter about the axis from feet to head, then moved.
    np.testing.assert_allclose(volumeFromNode(node).pixels.GetOrigin(), (-(y + 5), -(-x + 6), z + 7))
    np.testing.assert_allclose(volumeFromNode(node).pixels.GetSpacing(), oblique_volume.pixels.GetSpacing())
    assert node.GetOrigin() == (-x, -y, z)


def test_a_shearing_transform_is_refused(scene, oblique_volume):
    node = nodeFromVolume(oblique_volume, scene=scene)
    shear = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shear.SetMatrixTransformToParent(_matrix(((1, 0.2, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0))))
    node.SetAndObserveTransformNodeID(shear.GetID())
    with pytest.raises(GeometryError, match="shear"):
        volumeFromNode(node)


def test_a_warping_transform_is_refused(scene, oblique_volume):
    import vtk

    node = nodeFromVolume(oblique_volume, scene=scene)
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    for landmarks, shift in ((spline.SetSourceLandmarks, 0), (spline.SetTargetLandmarks, 3)):
        points = vtk.vtkPoints()
        for corner in ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9), (9, 9, 9 + shift)):
            points.InsertNextPoint(corner)
        landmarks(points)
    warp.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match="not linear"):
        volumeFromNode(node)


def test_color_is_refused_unless_luminance_is_asked_for(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    _set_voxels(node, np.tile(np.array([255, 0, 0], np.uint8), (1, 4, 5, 1)))
    with pytest.raises(UnsupportedImageError, match="3 components"):
        volumeFromNode(node)
    gray = volumeFromNode(node, color="luminance")
    assert set(sitk.GetArrayFromImage(gray.pixels).ravel()) == {76}
    assert "luminance" in gray.info.corrections[0]


def test_nothing_a_labelmap_and_an_empty_node_are_refused_in_words(scene):
    with pytest.raises(UnsupportedImageError, match="No volume"):
        volumeFromNode(None)
    with pytest.raises(UnsupportedImageError, match="Choose a scalar volume"):
        volumeFromNode(scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode"))
    with pytest.raises(UnsupportedImageError, match="has no image"):
        volumeFromNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_a_picture_without_spacing_is_measured_in_pixels(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    _set_voxels(node, np.zeros((1, 4, 5), np.uint8))
    info = volumeFromNode(node).info
    assert info.length_unit == "px"
    assert "pixel spacing" in info.warnings[0]


def test_modality_comes_from_the_subject_hierarchy(scene, oblique_volume):
    import slicer

    node = nodeFromVolume(oblique_volume, scene=scene)
    node.SetAttribute("MedImageAnalysis.ImageInfo", None)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(node), "DICOM.Modality", "CT")
    info = volumeFromNode(node).info
    assert (info.modality, info.intensity_unit, info.length_unit) == ("CT", "HU", "mm")


@pytest.fixture
def radiograph_file():
    """A radiograph whose high values are dark (MONOCHROME1)."""
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    pytest.importorskip("data_store", reason="pydicom-data is not installed")
    from pydicom.data import get_testdata_file

    return get_testdata_file("RG1_UNCR.dcm", download=False)


@pytest.fixture
def dicom_database(scene, radiograph_file, monkeypatch):
    """Slicer's DICOM database with that file in it."""
    import slicer

    database = SimpleNamespace(isOpen=True, fileForInstance={"1.2.3": radiograph_file}.get)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)


@pytest.mark.parametrize("reader_inverts", [True, False])
def test_a_monochrome1_volume_is_inverted_once_whatever_reader_slicer_used(
    scene, dicom_database, radiograph_file, reader_inverts
):
    expected = read_image(radiograph_file)
    loaded = expected.pixels if reader_inverts else 32767 - expected.pixels
    node = nodeFromVolume(MedicalImage(loaded), scene=scene)
    node.SetAttribute("MedImageAnalysis.ImageInfo", None)
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    found = volumeFromNode(node)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found.pixels), sitk.GetArrayFromImage(expected.pixels))
    assert found.info.modality == expected.info.modality == "CR"
    assert found.info.length_unit == expected.info.length_unit
    assert [text.startswith("inverted MONOCHROME1") for text in found.info.corrections] == [True]


def test_inverted_display_does_not_change_the_data(scene, oblique_volume):
    """PET is shown so, and people like to."""
    node = nodeFromVolume(oblique_volume, scene=scene)
    node.SetAttribute("MedImageAnalysis.ImageInfo", None)
    node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")
    assert content_hash(volumeFromNode(node).pixels) == content_hash(oblique_volume.pixels)


@pytest.mark.parametrize(
    "text",
    [
        "{not json",
        "[1]",
        '{"plane": {}}',
        '{"plane": 3}',
        '{"plane": {"node_geometry": [1], "origin": "a", "direction": [], "placement": 1}}',
    ],
)
def test_a_damaged_description_is_said_and_not_trusted(scene, radiograph, text):
    node = nodeFromVolume(radiograph, scene=scene)
    node.SetAttribute("MedImageAnalysis.ImageInfo", text)
    image = volumeFromNode(node)
    assert "damaged" in image.info.warnings[-1]
    assert image.pixels.GetSize() == radiograph.pixels.GetSize()


def test_the_window_shows_most_of_the_image(scene, oblique_volume):
    display = nodeFromVolume(oblique_volume, scene=scene).GetDisplayNode()
    values = sitk.GetArrayFromImage(oblique_volume.pixels)
    assert not display.GetAutoWindowLevel()
    assert values.min() <= display.GetWindowLevelMin() < display.GetWindowLevelMax() <= values.max()


def test_the_node_does_not_depend_on_the_image_that_made_it(scene, oblique_volume):
    expected = sitk.GetArrayFromImage(oblique_volume.pixels)
    node = nodeFromVolume(MedicalImage(sitk.Image(oblique_volume.pixels)), scene=scene)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volumeFromNode(node).pixels), expected)


def _matrix(rows):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            matrix.SetElement(i, j, value)
    return matrix


def _set_voxels(node, values):
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    data = vtk.vtkImageData()
    data.SetDimensions(values.shape[2::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(values.reshape(-1, *values.shape[3:]), deep=True))
    node.SetAndObserveImageData(data)


def slicer_nodes(scene):
    """Return all nodes of a scene."""
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
