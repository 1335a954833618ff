"""DICOM segmentations are placed by their geometry, with their codes and colors."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantom import OBLIQUE, write_series
from pydicom import dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from MedImageAnalysisLib.errors import UnreadableImageError, UnsupportedImageError
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.segmentation_file import read_segmentation

highdicom = pytest.importorskip("highdicom")


@pytest.fixture
def series(tmp_path):
    required = {
        "StudyDate": "20260101", "StudyTime": "120000", "AccessionNumber": "1", "StudyID": "1", "SeriesNumber": 1,
        "PatientBirthDate": "19700101", "PatientSex": "O", "ReferringPhysicianName": "", "SliceThickness": 3.0,
        "Manufacturer": "phantom", "PositionReferenceIndicator": "", "PatientPosition": "HFS",
    }  # fmt: skip
    return write_series(tmp_path / "series", orientation=OBLIQUE, **required)


def written(series, array, file, kind="BINARY"):
    """Write `array` (slice, row, column) or (slice, row, column, segment) as SEG, with two segments."""
    algorithm = highdicom.AlgorithmIdentificationSequence("test", codes.cid7162.ArtificialIntelligence, "1")
    meanings = [("Heart muscle", codes.SCT.Heart), ("Lesion", codes.SCT.Lesion)]
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.cid7150.AnatomicalStructure,
            segmented_property_type=meaning,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
            display_color=highdicom.color.CIELabColor.from_rgb(221, 130, 101),
        )
        for number, (label, meaning) in enumerate(meanings, 1)
    ]
    highdicom.seg.Segmentation(
        source_images=[dcmread(path) for path in series],
        pixel_array=array,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    ).save_as(file)
    return file


@pytest.fixture
def labels():
    array = np.zeros((6, 10, 12), np.uint8)
    array[1:3, 2:5, 3:9] = 1
    array[2:5, 6:9, 1:4] = 2
    return array


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_lie_where_they_were_drawn(series, labels, tmp_path, kind):
    image = read_image(series[0].parent)
    read = read_segmentation(written(series, labels, tmp_path / "seg.dcm", kind), image)
    assert np.array_equal(sitk.GetArrayViewFromImage(read.labelmap), labels)
    assert [(s.name, s.label, s.key) for s in read.segments] == [("Heart muscle", 1, "heart"), ("Lesion", 2, "")]
    assert read.segments[1].type.value == codes.SCT.Lesion.value
    assert read.segments[0].color == pytest.approx((221 / 255, 130 / 255, 101 / 255), abs=0.02)


def test_overlapping_segments_get_layers(series, labels, tmp_path):
    array = np.stack([labels == 1, labels >= 1], axis=-1).astype(np.uint8)
    read = read_segmentation(written(series, array, tmp_path / "seg.dcm"), read_image(series[0].parent))
    assert len(read.layers) == 2
    for index, segment in enumerate(read.segments):
        assert np.array_equal(sitk.GetArrayFromImage(read.mask(segment)), array[..., index])


def test_fractional_segmentations_are_refused(series, labels, tmp_path):
    array = np.stack([labels == 1, labels == 2], axis=-1) * 0.5
    with pytest.raises(UnsupportedImageError, match="fractional"):
        read_segmentation(written(series, array, tmp_path / "seg.dcm", "FRACTIONAL"), read_image(series[0].parent))


def test_an_image_given_as_a_segmentation_is_refused(series):
    with pytest.raises(UnsupportedImageError, match="not a segmentation"):
        read_segmentation(series[0], read_image(series[0].parent))


@pytest.mark.parametrize("size", [200, 3000])
def test_a_truncated_segmentation_is_refused(series, labels, tmp_path, size):
    file = written(series, labels, tmp_path / "seg.dcm")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(UnreadableImageError, match=r"seg.dcm"):
        read_segmentation(file, read_image(series[0].parent))


def test_text_is_not_a_segmentation(series, tmp_path):
    (tmp_path / "seg.dcm").write_text("nothing of the kind " * 20)
    with pytest.raises(UnreadableImageError, match=r"seg.dcm"):
        read_segmentation(tmp_path / "seg.dcm", read_image(series[0].parent))


def test_a_real_segmentation_equals_its_labelmap(real_data):
    folder = real_data / "ct_abdomen_seg"
    image = read_image(folder)
    from_dicom = read_segmentation(folder / "liver.dcm", image)
    from_nrrd = read_segmentation(folder / "liver_seg.nrrd", image)
    assert from_dicom.segments[0].name == "Liver"
    values = sitk.GetArrayFromImage(from_dicom.labelmap)
    assert np.array_equal(values, sitk.GetArrayFromImage(from_nrrd.labelmap))
    assert values.sum() == 107098
