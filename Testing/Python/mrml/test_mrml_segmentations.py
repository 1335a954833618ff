"""Segmentations become nodes and come back: labels, overlaps, names, colors and codes."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage, Segment, Segmentation
from MedImageAnalysisLib.errors import GeometryError, UnsupportedImageError
from MedImageAnalysisLib.mrml import nodeFromSegmentation, nodeFromVolume, segmentationFromNode


@pytest.fixture(params=["an_analysis", "a_volume_analysis"])
def analysis(request):
    """An analysis, of a radiograph and of an oblique volume."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def node(scene, analysis):
    """Its segmentation node."""
    volume = nodeFromVolume(analysis.image, scene=scene)
    return nodeFromSegmentation(analysis.segmentation, analysis.image, volumeNode=volume, scene=scene)


def test_layers_and_segments_come_back(node, analysis):
    back = segmentationFromNode(node, analysis.image)
    assert back.segments == analysis.segmentation.segments
    for found, expected in zip(back.layers, analysis.segmentation.layers, strict=True):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
        assert found.GetOrigin() == expected.GetOrigin()
        assert found.GetSpacing() == expected.GetSpacing()
        assert found.GetDirection() == expected.GetDirection()


def test_overlapping_segments_keep_their_own_voxels(node, analysis):
    back = segmentationFromNode(node, analysis.image)
    for segment in analysis.segmentation.segments:
        expected = sitk.GetArrayFromImage(analysis.segmentation.mask(segment))
        assert expected.any()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back.mask(back.find(segment.name))), expected)


def test_segments_of_one_layer_share_a_labelmap(node, analysis):
    assert node.GetSegmentation().GetNumberOfLayers("Binary labelmap") == len(analysis.segmentation.layers)


def test_a_segment_carries_slicers_terminology_entry(node):
    import vtk

    entry = vtk.reference("")
    node.GetSegmentation().GetSegment("left-lung").GetTag("TerminologyEntry", entry)
    assert str(entry) == (
        "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
        "~SCT^39607008^Lung~SCT^7771000^Left~Anatomic codes - DICOM master list~^^~^^"
    )


def test_the_volume_gives_the_reference_geometry(node):
    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    assert volume.IsA("vtkMRMLScalarVolumeNode")
    assert node.GetSegmentation().GetConversionParameter("Reference image geometry")


def test_a_segment_without_voxels_is_kept(scene, oblique_volume):
    labels = sitk.Image(oblique_volume.pixels.GetSize(), sitk.sitkUInt8)
    labels.CopyInformation(oblique_volume.pixels)
    nothing = Segmentation((labels,), (Segment("Nothing", 1, (1.0, 0.0, 0.0)),))
    back = segmentationFromNode(nodeFromSegmentation(nothing, oblique_volume, scene=scene), oblique_volume)
    assert back.segments == nothing.segments
    assert not sitk.GetArrayViewFromImage(back.labelmap).any()


def test_a_key_that_no_terminology_knows_is_kept(scene, oblique_volume, a_volume_analysis):
    *others, lesion = a_volume_analysis.segmentation.segments
    segments = (*others, replace(lesion, key="own-lesion"))
    node = nodeFromSegmentation(replace(a_volume_analysis.segmentation, segments=segments), oblique_volume, scene=scene)
    assert segmentationFromNode(node, oblique_volume).segments == segments


def test_two_segments_of_one_name_stay_two(scene, oblique_volume, a_volume_analysis):
    twins = tuple(replace(segment, name="Twin", key="") for segment in a_volume_analysis.segmentation.segments)
    node = nodeFromSegmentation(replace(a_volume_analysis.segmentation, segments=twins), oblique_volume, scene=scene)
    back = segmentationFromNode(node, oblique_volume)
    assert [(s.name, s.label, s.layer) for s in back.segments] == [("Twin", s.label, s.layer) for s in twins]


def test_somebody_elses_segments_are_recognized_by_code_then_by_name(scene, oblique_volume, a_volume_analysis):
    node = nodeFromSegmentation(a_volume_analysis.segmentation, oblique_volume, scene=scene)
    lung, heart = (node.GetSegmentation().GetNthSegment(index) for index in (0, 1))
    for segment in (lung, heart):
        segment.RemoveTag("MedImageAnalysis.Key")
    lung.SetName("Segment_1")
    heart.RemoveTag("TerminologyEntry")
    heart.SetName("HEART")
    assert [s.key for s in segmentationFromNode(node, oblique_volume).segments] == ["left-lung", "heart", ""]


def test_names_of_totalsegmentator_are_recognized(scene, oblique_volume, a_volume_analysis):
    node = nodeFromSegmentation(a_volume_analysis.segmentation, oblique_volume, scene=scene)
    for index, name in enumerate(("clavicula_right", "trachea")):
        segment = node.GetSegmentation().GetNthSegment(index)
        segment.RemoveTag("MedImageAnalysis.Key")
        segment.RemoveTag("TerminologyEntry")
        segment.SetName(name)
    found = segmentationFromNode(node, oblique_volume).segments
    assert [s.key for s in found[:2]] == ["right-clavicle", "trachea"]


def test_a_segmentation_on_another_grid_is_brought_onto_the_volumes(scene, oblique_volume, a_volume_analysis):
    node = nodeFromSegmentation(a_volume_analysis.segmentation, oblique_volume, scene=scene)
    part = MedicalImage(oblique_volume.pixels[2:5, 1:4, 1:3], oblique_volume.info)
    back = segmentationFromNode(node, part)
    expected = sitk.GetArrayFromImage(a_volume_analysis.segmentation.layers[0][2:5, 1:4, 1:3])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back.layers[0]), expected)


def test_a_segmentation_of_another_place_is_refused(scene, oblique_volume, a_volume_analysis):
    node = nodeFromSegmentation(a_volume_analysis.segmentation, oblique_volume, scene=scene)
    far = sitk.Image(oblique_volume.pixels)
    far.SetOrigin((1e4, 0, 0))
    with pytest.raises(GeometryError, match="No segment"):
        segmentationFromNode(node, MedicalImage(far, oblique_volume.info))


def test_a_transform_moves_the_segments(scene, oblique_volume, a_volume_analysis):
    import vtk

    node = nodeFromSegmentation(a_volume_analysis.segmentation, oblique_volume, scene=scene)
    step = np.subtract(
        oblique_volume.pixels.TransformIndexToPhysicalPoint((1, 0, 0)), oblique_volume.pixels.GetOrigin()
    )
    matrix = vtk.vtkMatrix4x4()
    for axis, value in enumerate(step * (-1, -1, 1)):
        matrix.SetElement(axis, 3, value)
    move = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(move.GetID())
    found = sitk.GetArrayFromImage(segmentationFromNode(node, oblique_volume).layers[0])
    before = sitk.GetArrayFromImage(a_volume_analysis.segmentation.layers[0])
    np.testing.assert_array_equal(found[..., 1:], before[..., :-1])


def test_surfaces_are_turned_into_labelmaps_without_changing_the_node(scene, oblique_volume):
    import slicer
    import vtk

    size = oblique_volume.pixels.GetSize()
    center = oblique_volume.pixels.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size])
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(-center[0], -center[1], center[2])
    sphere.SetRadius(1.5)
    sphere.Update()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    node.GetSegmentation().SetSourceRepresentationName(surface)
    segment = slicer.vtkSegment()
    segment.SetName("Ball")
    segment.AddRepresentation(surface, sphere.GetOutput())
    node.GetSegmentation().AddSegment(segment)
    back = segmentationFromNode(node, oblique_volume)
    assert sitk.GetArrayFromImage(back.mask(back.segments[0])).any()
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_no_segmentation_and_an_empty_one_are_refused_in_words(scene, oblique_volume):
    with pytest.raises(UnsupportedImageError, match="No segmentation"):
        segmentationFromNode(None, oblique_volume)
    with pytest.raises(UnsupportedImageError, match="no segments"):
        segmentationFromNode(scene.AddNewNodeByClass("vtkMRMLSegmentationNode"), oblique_volume)
