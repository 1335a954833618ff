"""Reading the plain formats: pixels and geometry survive, and every wrong input has its own clear error."""

import gzip
import os
import re
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MedImageAnalysisLib.errors import (
    Cancelled,
    GeometryError,
    InvalidSettingError,
    MedImageError,
    UnreadableImageError,
    UnsupportedImageError,
)
from MedImageAnalysisLib.formats import limits, plain_files
from MedImageAnalysisLib.image import from_pixels, read_image
from MedImageAnalysisLib.progress import Progress

LOSSLESS_VOLUMES = [".nrrd", ".mha", ".mhd", ".nhdr"]
NIFTI = [".nii", ".nii.gz"]


@pytest.fixture
def volume() -> sitk.Image:
    values = np.random.default_rng(0).integers(-1000, 3000, (7, 20, 30), np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-100.5, 20.25, 3.125))
    return image


@pytest.fixture
def picture() -> sitk.Image:
    return sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 256, (150, 200), np.uint8))


def save(image: sitk.Image, file, **options) -> str:
    sitk.WriteImage(image, str(file), **options)
    return file


def pixels(image) -> np.ndarray:
    return sitk.GetArrayFromImage(image.pixels)


@st.composite
def volumes(draw) -> sitk.Image:
    """Small volumes of any common type, anisotropic, oblique, and as often left-handed as right-handed."""
    kind = draw(st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32]))
    shape = draw(st.tuples(*[st.integers(2, 5)] * 3))
    elements = {"allow_nan": False, "allow_infinity": False} if kind is np.float32 else None
    image = sitk.GetImageFromArray(draw(arrays(kind, shape, elements=elements)))
    image.SetSpacing(draw(st.tuples(*[st.floats(0.01, 20)] * 3)))
    image.SetOrigin(draw(st.tuples(*[st.floats(-2000, 2000)] * 3)))
    angles = draw(st.tuples(*[st.floats(-np.pi, np.pi)] * 3))
    rotation = sitk.Euler3DTransform((0, 0, 0), *angles)
    mirror = np.diag([draw(st.sampled_from([-1.0, 1.0])), 1.0, 1.0])
    image.SetDirection((np.reshape(rotation.GetMatrix(), (3, 3)) @ mirror).ravel().tolist())
    return image


@pytest.mark.parametrize("suffix", LOSSLESS_VOLUMES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=volumes())
def test_nrrd_and_metaimage_keep_pixels_and_geometry(tmp_path, suffix, image):
    read = read_image(save(image, tmp_path / f"image{suffix}"))
    assert np.array_equal(pixels(read), sitk.GetArrayViewFromImage(image))
    assert read.pixels.GetPixelID() == image.GetPixelID()
    assert read.pixels.GetSpacing() == pytest.approx(image.GetSpacing(), rel=1e-9)
    assert read.pixels.GetOrigin() == pytest.approx(image.GetOrigin(), rel=1e-9, abs=1e-9)
    assert read.pixels.GetDirection() == pytest.approx(image.GetDirection(), abs=1e-9)
    assert read.info.spacing_source == "file header"


@pytest.mark.parametrize("suffix", NIFTI)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=volumes())
def test_nifti_keeps_pixels_and_geometry_to_its_float32(tmp_path, suffix, image):
    """NIfTI stores geometry in float32: 7 digits of the spacing and the direction, 0.2 um of an origin below 2 m."""
    read = read_image(save(image, tmp_path / f"image{suffix}"))
    assert np.array_equal(pixels(read), sitk.GetArrayViewFromImage(image))
    assert read.pixels.GetSpacing() == pytest.approx(image.GetSpacing(), rel=1e-5)
    assert read.pixels.GetOrigin() == pytest.approx(image.GetOrigin(), abs=2e-3)
    assert read.pixels.GetDirection() == pytest.approx(image.GetDirection(), abs=1e-4)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_pictures_keep_their_pixels_and_have_no_spacing(tmp_path, picture, suffix):
    picture.SetSpacing((0.2, 0.2))
    image = read_image(save(picture, tmp_path / f"picture{suffix}"))
    assert np.array_equal(pixels(image), sitk.GetArrayViewFromImage(picture))
    assert image.pixels.GetSpacing() == (1, 1)
    assert image.info.spacing_source == ""
    assert image.info.length_unit == "px"
    assert "lengths are in pixels" in image.info.warnings[0]


def test_jpeg_is_read(tmp_path):
    ramp = sitk.GetImageFromArray(np.add.outer(np.arange(100), np.arange(120)).astype(np.uint8))
    image = read_image(save(ramp, tmp_path / "picture.jpeg"))
    assert np.abs(pixels(image).astype(int) - sitk.GetArrayFromImage(ramp)).max() <= 4


def test_16_bit_png_keeps_its_depth(tmp_path):
    deep = sitk.GetImageFromArray(np.arange(6000, dtype=np.uint16).reshape(60, 100) * 10)
    image = read_image(save(deep, tmp_path / "deep.png"))
    assert image.pixels.GetPixelID() == sitk.sitkUInt16
    assert np.array_equal(pixels(image), sitk.GetArrayViewFromImage(deep))


def tiff_of(values: np.ndarray, photometric: int, order: str) -> bytes:
    """A TIFF of one strip, written by hand: SimpleITK cannot write white-is-zero."""
    bits = 8 * values.dtype.itemsize
    tags = [(256, values.shape[1]), (257, values.shape[0]), (258, bits), (259, 1), (262, photometric), (273, 8),
            (277, 1), (278, values.shape[0]), (279, values.nbytes)]  # fmt: skip
    entries = b"".join(struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    mark = b"II" if order == "<" else b"MM"
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    strip = values.astype(values.dtype.newbyteorder(order)).tobytes()
    return mark + struct.pack(order + "HI", 42, 8 + len(strip)) + strip + directory


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("white_is_zero", [True, False])
def test_a_tiff_in_which_zero_is_white_is_inverted_once(tmp_path, order, kind, white_is_zero):
    values = np.arange(60, dtype=kind).reshape(6, 10) * 4
    (tmp_path / "film.tif").write_bytes(tiff_of(values, 0 if white_is_zero else 1, order))
    image = read_image(tmp_path / "film.tif")
    assert np.array_equal(pixels(image), np.iinfo(kind).max - values if white_is_zero else values)
    assert any("white-is-zero" in correction for correction in image.info.corrections) == white_is_zero


def test_a_file_is_known_by_its_content_where_its_name_lies(tmp_path, picture):
    save(picture, tmp_path / "picture.png")
    (tmp_path / "picture.png").rename(tmp_path / "picture.dcm")
    assert read_image(tmp_path / "picture.dcm").pixels.GetSize() == (200, 150)


@pytest.mark.parametrize("kind", [sitk.sitkVectorUInt8, sitk.sitkVectorUInt16])
def test_color_is_refused_unless_allowed(tmp_path, kind):
    colors = sitk.Cast(sitk.GetImageFromArray(np.random.default_rng(3).integers(0, 256, (9, 8, 3)), True), kind)
    file = save(colors, tmp_path / "color.png")
    with pytest.raises(UnsupportedImageError, match=r"3 components per pixel \(color\)"):
        read_image(file)
    image = read_image(file, color="luminance")
    assert np.array_equal(pixels(image), np.rint(sitk.GetArrayFromImage(colors) @ [0.299, 0.587, 0.114]))
    assert image.info.corrections == (
        "converted color to gray by luminance (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601)",
    )


def test_vectors_are_not_taken_for_colors(tmp_path):
    vectors = sitk.GetImageFromArray(np.zeros((4, 5, 6, 6), np.float32), isVector=True)
    with pytest.raises(UnsupportedImageError, match="vectors, not colors"):
        read_image(save(vectors, tmp_path / "tensors.nrrd"), color="luminance")


def test_an_unknown_way_of_handling_color_is_refused(tmp_path, picture):
    with pytest.raises(InvalidSettingError, match="refuse, luminance"):
        read_image(save(picture, tmp_path / "picture.png"), color="average")


def test_one_slice_of_a_volume_is_2d_and_keeps_its_place(tmp_path, volume):
    image = read_image(save(volume[:, :, 3:4], tmp_path / "slice.nrrd"))
    assert image.pixels.GetSize() == (30, 20)
    assert image.pixels.GetSpacing() == pytest.approx((0.7, 0.9))
    assert image.info.placement.spacing == pytest.approx((0.7, 0.9, 2.5))
    assert image.info.placement.origin == pytest.approx((-100.5, 20.25, 3.125 + 3 * 2.5))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_4d_is_refused(tmp_path, volume, suffix):
    with pytest.raises(UnsupportedImageError, match=r"4 dimensions \(30 x 20 x 7 x 2\)"):
        read_image(save(sitk.JoinSeries([volume, volume]), tmp_path / f"cine{suffix}"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, volume, suffix, value):
    values = sitk.Cast(volume, sitk.sitkFloat32)
    values[3, 4, 5] = value
    with pytest.raises(UnsupportedImageError, match="1 of 4200 pixels"):
        read_image(save(values, tmp_path / f"holes{suffix}"))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.6, 0.999])
def test_truncated_volumes_are_refused(tmp_path, volume, suffix, compressed, share):
    file = save(volume, tmp_path / f"cut{suffix}", useCompression=compressed)
    content = file.read_bytes()
    file.write_bytes(content[: max(1, int(len(content) * share))])
    with pytest.raises(UnreadableImageError, match=f"cut{suffix}"):
        read_image(file)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_truncated_pictures_are_refused(tmp_path, picture, suffix, share):
    file = save(picture, tmp_path / f"cut{suffix}")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableImageError, match=f"cut{suffix}"):
        read_image(file)


def test_truncated_detached_pixels_are_refused(tmp_path, volume):
    file = save(volume, tmp_path / "cut.mhd")
    raw = tmp_path / "cut.raw"
    raw.write_bytes(raw.read_bytes()[:-100])
    with pytest.raises(UnreadableImageError, match=r"cut.mhd"):
        read_image(file)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".tif"])
def test_scrambled_files_are_read_or_refused_but_never_crash(tmp_path, volume, picture, suffix):
    content = save(picture if suffix in (".png", ".tif") else volume, tmp_path / f"image{suffix}").read_bytes()
    random = np.random.default_rng(5)
    for _ in range(40):
        scrambled = np.frombuffer(content, np.uint8).copy()
        scrambled[random.integers(0, min(400, len(content)), 3)] = random.integers(0, 256, 3)
        (tmp_path / f"image{suffix}").write_bytes(scrambled.tobytes())
        with suppress(MedImageError):
            assert read_image(tmp_path / f"image{suffix}", color="luminance").pixels.GetNumberOfPixels() > 0


@pytest.mark.parametrize("suffix", [".png", ".nii.gz"])
def test_scrambled_bytes_are_found_by_the_checksum(tmp_path, volume, picture, suffix):
    file = save(picture if suffix == ".png" else volume, tmp_path / f"scrambled{suffix}")
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    file.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="scrambled"):
        read_image(file)


def test_a_compressed_nifti_is_not_confused_with_the_file_beside_it(tmp_path, volume):
    """nifti_clib takes the pixels of scan.nii for those of scan.nii.gz."""
    save(volume, tmp_path / "scan.nii.gz")
    save(volume + 7, tmp_path / "scan.nii")
    assert np.array_equal(pixels(read_image(tmp_path / "scan.nii.gz")), sitk.GetArrayViewFromImage(volume))


def test_nifti_2_is_refused_by_name(tmp_path):
    (tmp_path / "two.nii").write_bytes(struct.pack("<i8s", 540, b"n+2\0\r\n\x1a\n") + bytes(600))
    with pytest.raises(UnsupportedImageError, match="NIfTI-2"):
        read_image(tmp_path / "two.nii")


def test_big_endian_nifti_is_read_and_checked(tmp_path):
    header = bytearray(352)
    struct.pack_into(">i", header, 0, 348)
    struct.pack_into(">8h", header, 40, 3, 5, 4, 3, 1, 1, 1, 1)
    struct.pack_into(">hh", header, 70, 16, 32)
    struct.pack_into(">9f", header, 76, *[2.0] * 8, 352)
    header[344:348] = b"n+1\0"
    values = np.arange(60, dtype=">f4")
    (tmp_path / "big.nii").write_bytes(bytes(header) + values.tobytes())
    assert np.array_equal(pixels(read_image(tmp_path / "big.nii")).ravel(), np.arange(60))
    values[7] = np.nan
    (tmp_path / "big.nii").write_bytes(bytes(header) + values.tobytes())
    with pytest.raises(UnsupportedImageError, match="1 of 60 pixels"):
        read_image(tmp_path / "big.nii")


@pytest.mark.parametrize(("units", "source"), [(2, "file header"), (0, "")])
def test_a_nifti_with_nothing_but_defaults_has_no_spacing(tmp_path, units, source):
    file = save(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.uint8)), tmp_path / "bare.nii")
    content = bytearray(file.read_bytes())
    content[123] = units
    content[252:256] = bytes(4)
    file.write_bytes(content)
    assert read_image(file).info.spacing_source == source


@pytest.mark.parametrize(
    ("name", "header"),
    [
        (
            "bare.mha",
            b"ObjectType = Image\nNDims = 2\nDimSize = 3 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
        ),
        ("bare.nrrd", b"NRRD0004\ntype: uchar\ndimension: 2\nsizes: 3 2\nencoding: raw\n\n"),
    ],
)
def test_a_header_without_spacing_gives_pixels(tmp_path, name, header):
    (tmp_path / name).write_bytes(header + bytes(range(6)))
    image = read_image(tmp_path / name)
    assert np.array_equal(pixels(image), [[0, 1, 2], [3, 4, 5]])
    assert image.info.length_unit == "px"


@pytest.mark.parametrize("name", ["text.png", "text.nii", "text.nrrd", "text.mha", "text.dcm", "text", "text.tif"])
def test_text_is_not_an_image_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_text("Dear colleague, please find attached ...\n" * 40)
    with pytest.raises(UnreadableImageError, match=name):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["empty.png", "empty.dcm", "empty.nii.gz"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UnreadableImageError, match=r"is empty \(0 bytes\)"):
        read_image(tmp_path / name)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    (tmp_path / "dangling.nii").symlink_to(tmp_path / "gone.nii")
    for name in ("nothing.nii", "dangling.nii"):
        with pytest.raises(UnreadableImageError, match="does not exist"):
            read_image(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="named pipes are a POSIX thing")
def test_a_pipe_or_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImageError, match="neither a file nor a folder"):
        read_image(tmp_path / "pipe.png")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, picture, monkeypatch):
    save(picture, tmp_path / "locked.png")

    def locked(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(plain_files, "plain_format", locked)
    with pytest.raises(UnreadableImageError, match="Permission denied"):
        read_image(tmp_path / "locked.png")


def test_names_with_blanks_and_letters_of_all_scripts_and_links_are_read(tmp_path, volume):
    folder = tmp_path / "Größe 5 – 画像"
    folder.mkdir()
    for name in ("Schädel 1.nii.gz", "Schädel 1.nrrd", "Schädel 1.mhd"):
        save(volume, folder / name)
        (tmp_path / f"link {name}").symlink_to(folder / name)
        assert np.array_equal(pixels(read_image(folder / name)), sitk.GetArrayViewFromImage(volume))
    assert read_image(tmp_path / "link Schädel 1.nii.gz").pixels.GetSize() == (30, 20, 7)


def png_of(width: int, height: int, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def nifti_of(*size: int) -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(size), *size, *[1] * (7 - len(size)))
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    return bytes(header)


ABSURD = {
    "absurd.png": png_of(50000, 50000, bytes(1000)),
    "absurd.nii": nifti_of(30000, 30000, 3000),
    "absurd.nii.gz": gzip.compress(nifti_of(30000, 30000, 3000)),
    "absurd.nrrd": b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 90000 90000 90000\nencoding: gzip\n\nxyz",
    "absurd.mha": b"ObjectType = Image\nNDims = 3\nDimSize = 9000 9000 9000\nElementType = MET_SHORT\n"
    b"ElementDataFile = LOCAL\nxyz",
}


@pytest.mark.parametrize("name", ABSURD)
def test_a_header_that_promises_absurd_sizes_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(ABSURD[name])
    with pytest.raises(UnreadableImageError, match="header promises"):
        read_image(tmp_path / name)


def test_a_bomb_that_would_fill_the_memory_is_refused_before_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_memory_limit", lambda: 1_000_000)
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(nifti_of(200, 200, 100) + bytes(8_000_000)))
    with pytest.raises(UnsupportedImageError, match="GB of memory"):
        read_image(tmp_path / "bomb.nii.gz")


def test_no_more_is_unpacked_than_the_header_promises(tmp_path):
    content = nifti_of(10, 10, 10) + np.arange(1000, dtype="<i2").tobytes() + bytes(100_000_000)
    (tmp_path / "tail.nii.gz").write_bytes(gzip.compress(content, 1))
    assert np.array_equal(pixels(read_image(tmp_path / "tail.nii.gz")).ravel(), np.arange(1000))


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("zero.nrrd", b"NRRD0004\ntype: uchar\ndimension: 2\nsizes: 0 4\nencoding: raw\n\n"),
        (
            "zero.mha",
            b"ObjectType = Image\nNDims = 2\nDimSize = 0 4\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
        ),
        ("zero.nii", nifti_of(4, 0, 3)),
        ("zero.png", png_of(0, 4, b"")),
    ],
)
def test_zero_sized_images_are_refused(tmp_path, name, header):
    (tmp_path / name).write_bytes(header)
    with pytest.raises((UnreadableImageError, UnsupportedImageError)):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("evil.mhd", "ObjectType = Image\nNDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = {}\n"),
        ("evil.mha", "ObjectType = Image\nNDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = {}\n"),
        ("evil.mhd", "NDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = LIST\n{}\n"),
        ("evil.nhdr", "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 4 4\nencoding: raw\ndata file: {}\n"),
        ("evil.nrrd", "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 4 4\nencoding: raw\ndatafile: {}\n"),
    ],
)
@pytest.mark.parametrize("target", ["{outside}", "../secret.raw"])
def test_a_header_cannot_make_us_read_other_files(tmp_path, name, header, target):
    secret = tmp_path / "secret.raw"
    secret.write_bytes(b"a secret of more than 16 bytes")
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "inbox" / name
    file.write_text(header.format(target.format(outside=secret)))
    with pytest.raises(UnreadableImageError, match=re.escape(name)):
        read_image(file)


def test_a_sheared_nifti_is_refused(tmp_path, volume):
    file = save(volume, tmp_path / "sheared.nii")
    content = bytearray(file.read_bytes())
    struct.pack_into("<hh", content, 252, 0, 1)
    struct.pack_into("<12f", content, 280, 1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    file.write_bytes(content)
    with pytest.raises((GeometryError, UnreadableImageError)):
        read_image(file)


def test_cancel_stops_the_reading(tmp_path, picture):
    with pytest.raises(Cancelled):
        read_image(save(picture, tmp_path / "picture.png"), progress=Progress(cancelled=lambda: True))


def test_real_volumes_are_read(real_data):
    image = read_image(real_data / "mr_brain" / "brain1_image.nrrd")
    assert image.pixels.GetSpacing() == pytest.approx((0.78125, 0.78125, 6.5))
    image = read_image(real_data / "ct_torso" / "example_ct.nii.gz")
    assert image.pixels.GetSize() == (122, 101, 112)


@pytest.mark.parametrize(
    ("name", "before", "link"),
    [
        (
            "padded.nrrd",
            "NRRD0004\ntype: uchar\ndimension: 1\nsizes: 100\nencoding: raw\n",
            "data file: /etc/passwd\n\n",
        ),
        ("padded.mhd", "ObjectType = Image\nNDims = 1\nDimSize = 100\n", "ElementDataFile = /etc/passwd\n"),
    ],
)
def test_a_link_to_another_file_cannot_hide_behind_a_long_header(tmp_path, name, before, link):
    comments = "# nothing to see here\n" * 5000
    (tmp_path / name).write_text(before + comments + link)
    with pytest.raises(UnreadableImageError, match="header of more than"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("spacing", [1e-30, 1e30])
def test_a_spacing_beyond_all_bodies_is_refused(spacing):
    image = sitk.Image([4, 4], sitk.sitkUInt8)
    image.SetSpacing([spacing, 1.0])
    with pytest.raises(GeometryError, match="not one of a medical image"):
        from_pixels(image)
