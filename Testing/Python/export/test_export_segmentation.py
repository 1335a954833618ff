"""Segmentations as .seg.nrrd files: labels and their meaning, for Slicer and for any NRRD reader."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Code, ImageInfo, MedicalImage, Segment, Segmentation, SlicePlacement
from MedImageAnalysisLib.errors import ExportError
from MedImageAnalysisLib.export.segmentation import segment_ids, write_segmentation
from MedImageAnalysisLib.export.terminology import parse_terminology_entry, terminology_entry
from MedImageAnalysisLib.terminology import segment

AWKWARD = "Lésion \"1\", a\tb ~ ^ | 日本 'x'"


@pytest.fixture
def image():
    """An oblique volume."""
    pixels = sitk.Image(6, 5, 4, sitk.sitkInt16)
    pixels.SetSpacing((0.7, 0.8, 2.5))
    pixels.SetOrigin((-120.1, 33.3, 1000.7))
    pixels.SetDirection(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.1).GetMatrix())
    return MedicalImage(pixels)


@pytest.fixture
def overlapping(image):
    """Two layers of different types; the third segment lies over the first."""
    first, second = np.zeros((4, 5, 6), np.uint8), np.zeros((4, 5, 6), np.uint16)
    first[1, 1:3, 1:4], first[2:, 3:, 4:] = 1, 2
    second[1, 2:4, 2:5] = 300
    layers = tuple(map(sitk.GetImageFromArray, (first, second)))
    for layer in layers:
        layer.CopyInformation(image.pixels)
    lesion = Segment(AWKWARD, 300, (1 / 3, 0.0, 1.0), type=Code("SCT", "52988006", "Lesion"), layer=1)
    return Segmentation(layers, (segment("left-lung", 1), segment("heart", 2), lesion))


@pytest.fixture
def single_layer(overlapping):
    """Only the first layer."""
    return Segmentation(overlapping.layers[:1], overlapping.segments[:2])


def test_labels_and_geometry_are_those_of_any_nrrd_file(tmp_path, single_layer):
    read = sitk.ReadImage(write_segmentation(tmp_path / "s.seg.nrrd", single_layer))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), sitk.GetArrayFromImage(single_layer.labelmap))
    np.testing.assert_allclose(read.GetOrigin(), single_layer.labelmap.GetOrigin(), rtol=1e-15)
    np.testing.assert_allclose(read.GetDirection(), single_layer.labelmap.GetDirection(), atol=1e-15)


def test_the_header_tells_names_colors_and_codes(tmp_path, single_layer):
    read = sitk.ReadImage(write_segmentation(tmp_path / "s.seg.nrrd", single_layer))
    assert read.GetMetaData("Segment0_Name") == "Left lung"
    assert read.GetMetaData("Segment0_LabelValue") == "1"
    assert tuple(map(float, read.GetMetaData("Segment0_Color").split())) == single_layer.segments[0].color
    assert "SCT^39607008^Lung~SCT^7771000^Left" in read.GetMetaData("Segment0_Tags")
    assert read.GetMetaData("Segmentation_MasterRepresentation") == "Binary labelmap"


def test_slicer_reads_every_layer_name_color_and_code(tmp_path, image, overlapping):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from MedImageAnalysisLib.mrml import EmbeddedSlicer, segmentationFromNode

    path = write_segmentation(tmp_path / "s.seg.nrrd", overlapping)
    with EmbeddedSlicer() as embedded:
        node = embedded.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = embedded.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        assert storage.ReadData(node)
        found = segmentationFromNode(node, image)
    assert found.segments == overlapping.segments
    for layer, expected in zip(found.layers, overlapping.layers, strict=True):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(layer), sitk.GetArrayFromImage(expected))


def test_a_2d_segmentation_lies_where_its_image_lies(tmp_path):
    direction = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    place = SlicePlacement((5.0, 6.0, 7.0), (0.5, 0.6, 3.0), direction)
    pixels = sitk.Image(4, 3, sitk.sitkUInt8)
    pixels.SetSpacing((0.5, 0.6))
    labels = pixels + 1
    path = write_segmentation(
        tmp_path / "s.seg.nrrd",
        Segmentation((labels,), (segment("heart", 1),)),
        MedicalImage(pixels, ImageInfo(placement=place)),
    )
    read = sitk.ReadImage(path)
    assert read.GetSize() == (4, 3, 1)
    np.testing.assert_allclose(read.GetOrigin(), place.origin)
    np.testing.assert_allclose(read.GetSpacing(), place.spacing)
    np.testing.assert_allclose(read.GetDirection(), direction)


def test_identifiers_are_stable_and_unique(overlapping):
    twice = replace(overlapping, segments=overlapping.segments * 2)
    assert segment_ids(twice) == (
        "left-lung",
        "heart",
        "segment-1-300",
        "left-lung-2",
        "heart-2",
        "segment-1-300-2",
    )


def test_a_failed_write_leaves_the_old_file(tmp_path, single_layer, monkeypatch):
    path = write_segmentation(tmp_path / "s.seg.nrrd", single_layer)
    before = path.read_bytes()

    def fail(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(sitk, "WriteImage", fail)
    with pytest.raises(ExportError, match="disk full"):
        write_segmentation(path, single_layer)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_and_a_segmentation_without_labels_are_refused(tmp_path, single_layer):
    with pytest.raises(ExportError, match=r"\.seg\.nrrd"):
        write_segmentation(tmp_path / "s.nrrd", single_layer)
    with pytest.raises(ExportError, match="no labelmap"):
        write_segmentation(tmp_path / "s.seg.nrrd", Segmentation((), ()))


def test_a_terminology_entry_reads_back():
    lung = segment("left-lung", 1)
    assert parse_terminology_entry(terminology_entry(lung)) == (lung.category, lung.type, lung.modifier)


def test_separators_in_a_meaning_cannot_break_an_entry():
    strange = replace(segment("heart", 1), type=Code("99LOCAL", "1~2", "a^b|c~d"), modifier=None)
    entry = terminology_entry(strange)
    assert len(entry.split("~")) == 7
    assert "|" not in entry
    assert parse_terminology_entry(entry)[1:] == (Code("99LOCAL", "1 2", "a b c d"), None)


@pytest.mark.parametrize("entry", ["", "~", "free text", "a~b~c~d", "~^^~^^~^^"])
def test_what_is_not_an_entry_means_nothing(entry):
    assert parse_terminology_entry(entry) == (None, None, None)
