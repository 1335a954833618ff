"""Stored values become real ones: rescale, inversion, padding, color, compression; nothing silently."""

from contextlib import suppress

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantom import enhanced_ct, image_dataset, write, write_series
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from MedImageAnalysisLib.dicom import header as dicom_header
from MedImageAnalysisLib.dicom import pixels as dicom_pixels
from MedImageAnalysisLib.errors import MedImageError, MissingPackageError, UnreadableImageError, UnsupportedImageError
from MedImageAnalysisLib.formats import limits
from MedImageAnalysisLib.image import read_image

RADIOGRAPH = {"Modality": "DX", "position": None, "orientation": None, "intercept": None}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "image.dcm"


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(80, dtype=np.uint16).reshape(8, 10) * 50


def values(image) -> np.ndarray:
    return sitk.GetArrayFromImage(image.pixels)


def real_file(name: str) -> str:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom-data with {name} is not installed")
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int32, np.uint32])
def test_all_whole_number_types_keep_their_values(file, kind):
    limits = np.iinfo(kind)
    stored = np.array([[limits.min, limits.max, 5], [1, 2, 3]], kind)
    assert np.array_equal(values(read_image(write(file, image_dataset(stored, **RADIOGRAPH)))), stored)


def test_signed_bytes_keep_their_values(file):
    stored = np.array([[-128, 127, 5], [-1, 2, 3]], np.int8)
    image = read_image(write(file, image_dataset(stored, **RADIOGRAPH)))
    assert np.array_equal(values(image), stored)
    assert image.pixels.GetPixelID() == sitk.sitkInt16


def test_values_beyond_16_bits_after_the_rescale_are_kept(file):
    stored = np.array([[-32768, 32767], [0, 1]], np.int16)
    image = read_image(write(file, image_dataset(stored, intercept=-1024)))
    assert np.array_equal(values(image), stored.astype(int) - 1024)
    assert image.pixels.GetPixelID() == sitk.sitkInt32


def test_ct_stays_in_16_bits_where_its_values_allow(file, ramp):
    image = read_image(write(file, image_dataset(ramp.astype(np.int16), intercept=-1024)))
    assert image.pixels.GetPixelID() == sitk.sitkInt16


def test_a_fractional_slope_gives_float32(file, ramp):
    dataset = image_dataset(ramp, Modality="MR")
    dataset.RescaleSlope, dataset.RescaleIntercept = 3.774114, 0.000061
    image = read_image(write(file, dataset))
    assert image.pixels.GetPixelID() == sitk.sitkFloat32
    assert values(image) == pytest.approx(ramp * 3.774114 + 0.000061, rel=1e-6)


def test_whole_numbers_beyond_32_bits_are_kept(file):
    dataset = image_dataset(np.array([[0, 65535], [1, 2]], np.uint16), Modality="MR")
    dataset.RescaleSlope, dataset.RescaleIntercept = 100000, -7
    assert values(read_image(write(file, dataset))).tolist() == [[-7, 6553499993], [99993, 199993]]


def test_a_slope_of_zero_is_damage(file, ramp):
    dataset = image_dataset(ramp, Modality="MR")
    dataset.RescaleSlope = 0
    with pytest.raises(UnreadableImageError, match="rescale slope of 0"):
        read_image(write(file, dataset))


def test_an_unknown_photometric_interpretation_is_refused_by_name(file, ramp):
    dataset = image_dataset(ramp, Modality="MR")
    dataset.PhotometricInterpretation = "SEPIA"
    with pytest.raises(UnsupportedImageError, match="photometric interpretation that DICOM does not know"):
        read_image(write(file, dataset))


@pytest.mark.parametrize(("bits", "highest"), [(12, 4095), (16, 65535)])
def test_monochrome1_is_inverted_once_in_its_stored_range(file, ramp, bits, highest):
    dataset = image_dataset(
        ramp, **RADIOGRAPH, PhotometricInterpretation="MONOCHROME1", BitsStored=bits, HighBit=bits - 1
    )
    image = read_image(write(file, dataset))
    assert np.array_equal(values(image), highest - ramp.astype(int))
    assert sum("MONOCHROME1" in correction for correction in image.info.corrections) == 1


def test_signed_monochrome1_is_inverted_about_its_middle(file):
    stored = np.array([[-32768, 32767], [0, -1]], np.int16)
    dataset = image_dataset(stored, **RADIOGRAPH, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(values(read_image(write(file, dataset))), [[32767, -32768], [-1, 0]])


def test_hounsfield_units_are_never_inverted(file):
    stored = np.array([[-1000, 0], [40, 1000]], np.int16)
    image = read_image(write(file, image_dataset(stored, PhotometricInterpretation="MONOCHROME1")))
    assert np.array_equal(values(image), stored)
    assert image.info.corrections == ()
    assert "MONOCHROME1" in image.info.warnings[0]


def test_padding_of_ct_becomes_air(file):
    stored = np.array([[-2000, 1024], [1064, 3000]], np.int16)
    image = read_image(write(file, image_dataset(stored, intercept=-1024, PixelPaddingValue=-2000)))
    assert np.array_equal(values(image), [[-1000, 0], [40, 1976]])
    assert image.info.corrections == ("set padding to air (-1000 HU)",)


def test_padding_of_a_radiograph_becomes_its_lowest_value_after_inversion(file):
    stored = np.array([[4095, 4095], [100, 3000]], np.uint16)
    photometric = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    image = read_image(write(file, image_dataset(stored, **RADIOGRAPH, **photometric, PixelPaddingValue=0)))
    assert np.array_equal(values(image), [[0, 0], [3995, 1095]])
    dataset = image_dataset(stored, **RADIOGRAPH, **photometric, PixelPaddingValue=90, PixelPaddingRangeLimit=110)
    assert np.array_equal(values(read_image(write(file, dataset))), [[0, 0], [0, 1095]])


def test_an_image_of_nothing_but_padding_is_left_alone(file):
    stored = np.full((4, 4), -2000, np.int16)
    assert np.array_equal(values(read_image(write(file, image_dataset(stored, PixelPaddingValue=-2000)))), stored)


def test_color_is_refused_unless_allowed(file):
    colors = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)
    dataset = image_dataset(colors, **RADIOGRAPH, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    dataset.PlanarConfiguration = 0
    write(file, dataset)
    with pytest.raises(UnsupportedImageError, match=r"in color \(RGB\)"):
        read_image(file)
    image = read_image(file, color="luminance")
    assert np.array_equal(values(image), np.rint(colors @ [0.299, 0.587, 0.114]))
    assert "luminance" in image.info.corrections[0]


def test_palette_color_is_color(file):
    path = real_file("OBXXXX1A_rle.dcm")
    with pytest.raises(UnsupportedImageError, match="PALETTE COLOR"):
        read_image(path)
    assert read_image(path, color="luminance").pixels.GetSize() == (800, 600)


def test_a_modality_lut_is_applied_and_recorded():
    image = read_image(real_file("mlut_18.dcm"))
    assert image.info.corrections == ("applied the Modality LUT",)
    assert image.pixels.GetPixelID() == sitk.sitkUInt16


def test_a_display_curve_is_not_applied_and_told():
    assert "VOI LUT" in " ".join(read_image(real_file("vlut_04.dcm")).info.warnings)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_images_read_like_uncompressed_ones(file, tmp_path, syntax):
    pytest.importorskip("openjpeg" if syntax == JPEG2000Lossless else "pydicom")
    dataset = image_dataset(np.random.default_rng(2).integers(0, 4096, (64, 96), np.uint16), **RADIOGRAPH)
    plain = read_image(write(tmp_path / "plain.dcm", dataset))
    dataset.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(values(read_image(write(file, dataset))), values(plain))


@pytest.mark.parametrize(
    ("compressed", "uncompressed"),
    [
        ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
        ("MR2_J2KR.dcm", "MR2_UNCR.dcm"),
        ("693_J2KR.dcm", "693_UNCR.dcm"),
        ("OBXXXX1A_rle.dcm", "OBXXXX1A.dcm"),
        ("US1_J2KR.dcm", "US1_UNCR.dcm"),
    ],
)
def test_real_compressed_files_read_like_uncompressed_ones(compressed, uncompressed, monkeypatch):
    expected = values(read_image(real_file(uncompressed), color="luminance"))
    assert np.array_equal(values(read_image(real_file(compressed), color="luminance")), expected)
    # And in a Slicer without pylibjpeg, by the GDCM inside SimpleITK.
    monkeypatch.setattr(dicom_pixels, "_has_decoder", lambda syntax: not syntax.is_compressed)
    assert np.array_equal(values(read_image(real_file(compressed), color="luminance")), expected)


def test_monochrome1_is_inverted_once_without_pylibjpeg(file, ramp, monkeypatch):
    dataset = image_dataset(ramp, **RADIOGRAPH, PhotometricInterpretation="MONOCHROME1")
    dataset.compress(RLELossless, generate_instance_uid=False)
    monkeypatch.setattr(dicom_pixels, "_has_decoder", lambda syntax: False)
    assert np.array_equal(values(read_image(write(file, dataset))), 65535 - ramp.astype(int))


def test_frames_of_a_compressed_multi_frame_file_are_decoded_without_pylibjpeg(file, tmp_path, monkeypatch):
    dataset = enhanced_ct()
    expected = values(read_image(write(tmp_path / "plain.dcm", dataset)))
    dataset.compress(RLELossless, generate_instance_uid=False)
    write(file, dataset)
    monkeypatch.setattr(dicom_pixels, "_has_decoder", lambda syntax: False)
    assert np.array_equal(values(read_image(file)), expected)


def test_a_compression_that_nothing_decodes_names_the_missing_package(file, ramp, monkeypatch):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"  # HTJ2K
    write(file, dataset)
    monkeypatch.setattr(dicom_pixels, "_has_decoder", lambda syntax: False)
    with pytest.raises(MissingPackageError, match="pylibjpeg"):
        read_image(file)


def test_deflated_files_are_read(tmp_path, file, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    expected = values(read_image(write(tmp_path / "plain.dcm", dataset)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert np.array_equal(values(read_image(write(file, dataset))), expected)


def test_a_deflated_file_that_is_cut_off_or_scrambled_is_refused(file, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = write(file, dataset).read_bytes()
    for damaged in (content[:-40], content[:500] + bytes(30) + content[530:]):
        file.write_bytes(damaged)
        with pytest.raises(UnreadableImageError):
            read_image(file)


def test_a_deflated_file_is_not_inflated_beyond_what_can_be_held(file, ramp, monkeypatch):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.add_new(0x00091010, "OB", bytes(8 << 20))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    write(file, dataset)
    assert file.stat().st_size < 1 << 20
    inflated = []

    def limited(path, size):
        inflated.append(size)
        if size > 4 << 20:
            raise UnsupportedImageError("too large")

    monkeypatch.setattr(dicom_header, "check_size", limited)
    with pytest.raises(UnsupportedImageError, match="too large"):
        read_image(file)
    assert max(inflated) <= 5 << 20


def test_an_empty_modality_lut_is_none(file, tmp_path, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    expected = values(read_image(write(tmp_path / "plain.dcm", dataset)))
    dataset.ModalityLUTSequence = [Dataset()]
    assert np.array_equal(values(read_image(write(file, dataset))), expected)


def test_damaged_compressed_pixels_are_refused(file, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.PixelData = dataset.PixelData[:40]
    with pytest.raises(UnreadableImageError, match=r"image.dcm' is a damaged or truncated DICOM file"):
        read_image(write(file, dataset))


def test_a_header_that_promises_more_than_the_file_has_is_refused(file, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.Rows = 60000
    with pytest.raises(UnreadableImageError, match="is truncated: it has"):
        read_image(write(file, dataset))


@pytest.mark.parametrize("seed", range(8))
def test_scrambled_files_are_read_or_refused_but_never_crash(file, ramp, seed):
    plain, rle = image_dataset(ramp, PatientAge="050Y", PixelPaddingValue=7), image_dataset(ramp)
    rle.compress(RLELossless, generate_instance_uid=False)
    random = np.random.default_rng(seed)
    for dataset in (plain, rle, enhanced_ct()):
        content = write(file, dataset).read_bytes()
        for _ in range(12):
            scrambled = np.frombuffer(content, np.uint8).copy()
            places = random.integers(132, len(content), 3)
            scrambled[places] = random.integers(0, 256, 3)
            file.write_bytes(scrambled.tobytes())
            with suppress(MedImageError):
                assert read_image(file, color="luminance").pixels.GetNumberOfPixels() > 0


def test_an_absurd_size_is_refused_before_memory_is_taken(file, ramp):
    dataset = image_dataset(ramp, **RADIOGRAPH)
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = 999999
    with pytest.raises(UnsupportedImageError, match="GB of memory"):
        read_image(write(file, dataset))


def test_a_series_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    write_series(tmp_path / "series", size=(64, 64), count=20)
    monkeypatch.setattr(limits, "_memory_limit", lambda: 100_000)
    with pytest.raises(UnsupportedImageError, match="GB of memory"):
        read_image(tmp_path / "series")


def test_volumes_are_filled_without_a_second_copy(tmp_path):
    """The peak of a child process that reads 42 MB stays below twice that above its start."""
    import subprocess
    import sys

    write_series(tmp_path / "series", count=80, size=(512, 512))
    code = (
        "import sys, resource\n"
        "from MedImageAnalysisLib.image import read_image\n"
        "import pydicom.pixels\n"
        "import MedImageAnalysisLib.dicom.series\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "start = peak()\n"
        "image = read_image(sys.argv[1])\n"
        "print(peak() - start)\n"
    )
    pytest.importorskip("resource")
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "series")], capture_output=True, text=True, check=True
    )
    assert float(child.stdout) < 2 * 80 * 512 * 512 * 2 / 1024**2
