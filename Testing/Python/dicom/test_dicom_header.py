"""What a header tells: spacing and where it comes from, age, and never who the patient is."""

import logging
import sys
import traceback

import numpy as np
import pytest
from dicom_phantom import FAMILY_NAME, PATIENT_ID, image_dataset, object_without_image, rewrite, write, write_series
from pydicom import Dataset
from pydicom.uid import UID

from MedImageAnalysisLib.errors import MedImageError, MissingPackageError, UnreadableImageError, UnsupportedImageError
from MedImageAnalysisLib.image import read_image

PIXELS = np.arange(80, dtype=np.uint16).reshape(8, 10)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "image.dcm"


def radiograph(**attributes) -> Dataset:
    settings = {"Modality": "DX", "position": None, "orientation": None, "spacing": None, "intercept": None}
    return image_dataset(PIXELS, **(settings | attributes))


@pytest.mark.parametrize(
    ("attributes", "spacing", "source"),
    [
        ({"PixelSpacing": [0.2, 0.3]}, (0.3, 0.2), "PixelSpacing"),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, (0.3, 0.2), "ImagerPixelSpacing"),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), "ImagerPixelSpacing"),
        ({"PixelSpacing": [0.18, 0.18], "ImagerPixelSpacing": [0.2, 0.2]}, (0.18, 0.18), "PixelSpacing"),
        (
            {"ImagerPixelSpacing": [0.21, 0.42], "EstimatedRadiographicMagnificationFactor": 1.05},
            (0.4, 0.2),
            "ImagerPixelSpacing / EstimatedRadiographicMagnificationFactor",
        ),
        (
            {
                "PixelSpacing": [0.21, 0.21],
                "ImagerPixelSpacing": [0.21, 0.21],
                "EstimatedRadiographicMagnificationFactor": 1.05,
            },
            (0.2, 0.2),
            "ImagerPixelSpacing / EstimatedRadiographicMagnificationFactor",
        ),
        ({"NominalScannedPixelSpacing": [0.175, 0.175]}, (0.175, 0.175), "NominalScannedPixelSpacing"),
        ({"PixelSpacing": [0.0, 0.0]}, (1, 1), ""),
        ({}, (1, 1), ""),
    ],
)
def test_the_spacing_of_a_radiograph_and_where_it_comes_from(file, attributes, spacing, source):
    image = read_image(write(file, radiograph(**attributes)))
    assert image.pixels.GetSpacing() == pytest.approx(spacing)
    assert image.info.spacing_source == source
    assert image.info.length_unit == ("mm" if source else "px")


def test_a_spacing_at_the_detector_and_an_unknown_one_are_told(file):
    at_detector = read_image(write(file, radiograph(ImagerPixelSpacing=[0.2, 0.2]))).info
    assert "detector" in at_detector.warnings[0]
    assert "pixels" in read_image(write(file, radiograph())).info.warnings[0]


def test_a_radiograph_has_no_place_in_space(file):
    dataset = radiograph(position=(1, 2, 3), orientation=(1, 0, 0, 0, 1, 0), PixelSpacing=[0.2, 0.2])
    assert read_image(write(file, dataset)).info.placement is None


def ultrasound_region(delta: float, units: int = 3) -> Dataset:
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = units
    region.PhysicalDeltaX, region.PhysicalDeltaY = delta, -delta
    return region


@pytest.mark.parametrize(
    ("regions", "spacing", "source"),
    [
        ([ultrasound_region(0.02)], 0.2, "SequenceOfUltrasoundRegions"),
        ([ultrasound_region(0.02), ultrasound_region(7.0, units=4)], 0.2, "SequenceOfUltrasoundRegions"),
        ([ultrasound_region(0.02), ultrasound_region(0.03)], 1, ""),
    ],
)
def test_the_spacing_of_ultrasound_is_that_of_its_calibrated_regions(file, regions, spacing, source):
    dataset = radiograph(Modality="US", SequenceOfUltrasoundRegions=regions)
    image = read_image(write(file, dataset))
    assert image.pixels.GetSpacing() == pytest.approx((spacing, spacing))
    assert image.info.spacing_source == source


@pytest.mark.parametrize(
    ("attributes", "age"),
    [
        ({"PatientAge": "064Y"}, 64),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "026W"}, 0.5),
        ({"PatientAge": "090Y"}, 90),
        ({"PatientAge": "103Y"}, 90),
        ({"PatientBirthDate": "19700615", "StudyDate": "20200614"}, 49),
        ({"PatientBirthDate": "19000101", "StudyDate": "20200614"}, 90),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200614"}, None),
        ({"PatientBirthDate": "nonsense", "StudyDate": "20200614"}, None),
        ({"PatientAge": "old"}, None),
        ({}, None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_age_is_coarse_and_capped(file, attributes, age):
    assert read_image(write(file, radiograph(**attributes))).info.patient_age_years == age


def test_modality_body_part_view_and_sex_are_taken_over(file):
    attributes = {"BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientSex": "F"}
    info = read_image(write(file, radiograph(**attributes))).info
    assert (info.modality, info.body_part, info.view, info.patient_sex) == ("DX", "CHEST", "PA", "F")
    assert read_image(write(file, radiograph(PatientSex="O"))).info.patient_sex == ""


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "radiotherapy object"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated document"),
        ("1.2.840.10008.1.3.10", "DICOMDIR"),
    ],
)
def test_dicom_that_is_no_image_is_refused_by_name(file, kind, name):
    with pytest.raises(UnsupportedImageError, match=name):
        read_image(write(file, object_without_image(UID(kind))))


def test_a_mosaic_is_refused_by_name(file):
    with pytest.raises(UnsupportedImageError, match="mosaic"):
        read_image(write(file, radiograph(Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])))


def test_an_impossible_number_of_bits_is_damage(file):
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_image(write(file, radiograph(BitsStored=6000)))


def test_an_image_object_without_pixels_is_refused(file):
    with pytest.raises(UnreadableImageError, match="holds no image"):
        read_image(write(file, object_without_image(UID("1.2.840.10008.5.1.4.1.1.2"))))


def test_a_file_without_preamble_is_read(file):
    content = write(file, radiograph()).read_bytes()
    file.write_bytes(content[132:])
    assert read_image(file).pixels.GetSize() == (10, 8)


@pytest.mark.parametrize("content", [b"just text\n" * 100, b"", b"\0" * 5000, b"DICM"])
def test_what_is_not_dicom_but_named_so_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"image.dcm"):
        read_image(file)


@pytest.mark.parametrize("size", [140, 200, 400, 600])
def test_a_file_cut_off_in_its_header_is_refused(file, size):
    content = write(file, radiograph()).read_bytes()
    file.write_bytes(content[:size])
    with pytest.raises(UnreadableImageError, match=r"image.dcm"):
        read_image(file)


def test_no_identity_in_info_errors_logs_or_warnings(tmp_path, caplog, capfd, recwarn):
    caplog.set_level(logging.DEBUG)
    files = write_series(tmp_path / "good")
    told = repr(read_image(tmp_path / "good").info)
    rewrite(files[2], Rows=9000)
    for path in (tmp_path / "good", files[2]):
        with pytest.raises(MedImageError) as caught:
            read_image(path)
        told += str(caught.value) + repr(caught.value.__cause__)
    told += caplog.text + "".join(capfd.readouterr()) + "".join(str(item.message) for item in recwarn)
    for secret in (FAMILY_NAME, PATIENT_ID):
        assert secret not in told


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_values_against_the_standard_are_not_quoted_in_logs(file, caplog):
    write(file, radiograph(PatientAge="secret age", PatientSex="secret sex"))
    caplog.clear()
    assert read_image(file).info.patient_age_years is None
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({}, "HU"),
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, ""),
        ({"Modality": "MR"}, ""),
    ],
)
def test_only_ct_that_says_nothing_else_is_in_hounsfield_units(file, attributes, unit):
    assert read_image(write(file, image_dataset(PIXELS, **attributes))).info.intensity_unit == unit


def test_a_damaged_header_is_not_quoted_in_the_traceback(file):
    content = write(file, radiograph()).read_bytes()
    # The length of Rows, stretched over the patient's name that follows in this file.
    at = content.index(b"\x28\x00\x10\x00US") + 6
    file.write_bytes(content[:at] + b"\x21\x00" + FAMILY_NAME.encode() + content[at + 2 :])
    with pytest.raises(UnreadableImageError) as caught:
        read_image(file)
    assert FAMILY_NAME not in "".join(traceback.format_exception(caught.value))


def test_a_malformed_number_is_a_damaged_file(file):
    dataset = radiograph()
    dataset.add_new("ImagerPixelSpacing", "LO", "wide\\high")
    with pytest.raises(UnreadableImageError, match="damaged DICOM file: its ImagerPixelSpacing is malformed"):
        read_image(write(file, dataset))


def test_an_attribute_with_too_many_numbers_is_named(file):
    dataset = radiograph()
    dataset.PixelSpacing = [0.2, 0, 0.2]
    with pytest.raises(UnreadableImageError, match="PixelSpacing is malformed"):
        read_image(write(file, dataset))


def test_dicom_without_pydicom_names_the_missing_package(file, tmp_path, monkeypatch):
    write(file, radiograph())
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for path in (file, tmp_path):
        with pytest.raises(MissingPackageError, match="pydicom"):
            read_image(path)
