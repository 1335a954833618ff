"""Cropping to the body, to the exposed field of a radiograph and to what an ultrasound picture shows."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.preprocessing import STEPS


def kept(image: sitk.Image, quiet, **settings) -> tuple[int, int, int, int]:
    """Return the first column and row that are kept, and those after the last."""
    result = STEPS["crop-to-body"](margin=0.0, **settings)(image, quiet)
    left, top = image.TransformPhysicalPointToIndex(result.GetOrigin())
    return left, top, left + result.GetWidth(), top + result.GetHeight()


def write(pixels: np.ndarray, top: int, left: int, value: int) -> None:
    """Draw what writing looks like: a row of small separate strokes."""
    for column in range(left, left + 80, 8):
        pixels[top : top + 10, column : column + 3] = value


@pytest.mark.parametrize("shape", [(60, 70), (20, 40, 50)], ids=["2D", "3D"])
def test_cropping_keeps_the_body_where_it_is_in_space(shape, noise, quiet, oblique_image):
    pixels = noise.normal(-1000, 5, shape).astype(np.int16)
    body = tuple(slice(n // 3, n // 3 + n // 4) for n in shape)
    pixels[body] = 40
    pixels[(2,) * len(shape)] = 500
    image = oblique_image(pixels)
    result = STEPS["crop-to-body"](margin=0.0)(image, quiet)
    assert result.GetSize() == tuple(n // 4 for n in reversed(shape))
    assert (sitk.GetArrayFromImage(result) == 40).all()
    corner = [n // 3 for n in reversed(shape)]
    assert result.GetOrigin() == pytest.approx(image.TransformIndexToPhysicalPoint(corner))


def test_cropping_keeps_a_margin_in_millimeters(quiet):
    pixels = np.zeros((40, 40), np.float32)
    pixels[18:22, 18:22] = 100
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((1.0, 2.0))
    assert STEPS["crop-to-body"](margin=4.0)(image, quiet).GetSize() == (12, 8)


@pytest.fixture
def sector(noise) -> np.ndarray:
    """A fan of speckle, dark toward its lower end, in rows 40 to 300 and columns 120 to 380 of black, with writing."""
    y, x = np.mgrid[:400, :500]
    depth = np.hypot(y - 0.0, x - 250)
    fan = (depth < 300) & (np.abs(x - 250) < 0.5 * y) & (y >= 40) & (np.abs(x - 250) <= 130)
    speckle = noise.rayleigh(40, fan.shape) * np.exp(-depth / 250)
    pixels = np.where(fan, speckle + 12, 0).clip(0, 255).astype(np.uint8)
    write(pixels, 5, 5, 255)
    write(pixels, 380, 300, 200)
    pixels[60:200, 470:480] = np.linspace(255, 0, 140)[:, None]
    return pixels


def test_the_whole_sector_of_an_ultrasound_picture_is_kept_without_the_writing(sector, quiet):
    assert kept(sitk.GetImageFromArray(sector), quiet) == pytest.approx((120, 40, 381, 300), abs=4)


def test_frames_of_ultrasound_are_cropped_alike(sector, quiet):
    image = sitk.GetImageFromArray(np.stack([sector] * 6))
    result = STEPS["crop-to-body"](margin=0.0)(image, quiet)
    assert result.GetSize() == pytest.approx((261, 260, 6), abs=8)


def test_ultrasound_that_fills_its_picture_stays_whole(noise, quiet):
    """Bright skin above dark depth: what is bright is not all that was scanned."""
    y, _ = np.mgrid[:300, :260]
    pixels = (noise.rayleigh(1, y.shape) * np.where(y < 120, 90, 25) + 10).clip(0, 255).astype(np.uint8)
    image = sitk.GetImageFromArray(pixels)
    assert kept(image, quiet) == (0, 0, 260, 300)


@pytest.fixture
def limb(noise) -> np.ndarray:
    """A limb, in black that was directly exposed, of 260 columns."""
    x = np.arange(260) + np.zeros((400, 1))
    soft = np.clip(1 - ((x - 130) / 70) ** 2, 0, None)
    bone = np.clip(1 - ((x - 130) / 20) ** 2, 0, None)
    return (200 + 900 * soft + 1500 * bone + noise.normal(0, 15, x.shape)).clip(0).astype(np.uint16)


@pytest.mark.parametrize("blade", [0, 4000], ids=["dark", "bright"])
def test_the_exposed_field_between_collimator_blades_is_kept(limb, noise, quiet, blade):
    pixels = np.full((400, 460), blade, np.uint16) + noise.integers(0, 30, (400, 460)).astype(np.uint16)
    pixels[:, 100:360] = limb
    left, top, right, bottom = kept(sitk.GetImageFromArray(pixels), quiet)
    assert (top, bottom) == (0, 400)
    # From the blade's edge to the skin: the air beside the limb may go.
    assert 96 <= left <= 165
    assert 295 <= right <= 364


def test_blades_that_are_not_parallel_to_the_sides_are_cut_off(limb, quiet):
    field = sitk.GetImageFromArray(limb)
    turn = sitk.Euler2DTransform((130, 200), 0.15)
    image = sitk.Resample(field, (500, 600), turn, sitk.sitkLinear, (-120.0, -100.0), (1.0, 1.0), (1, 0, 0, 1), 3500)
    left, top, right, bottom = kept(image, quiet)
    assert left < 130 < 250 < right
    assert right - left < 350
    assert bottom - top < 470


def test_blades_in_a_letterbox_are_cut_off_with_it(limb, quiet):
    pixels = np.zeros((500, 600), np.uint16)
    pixels[50:450, 50:550] = 4000
    pixels[50:450, 170:430] = limb
    left, top, right, bottom = kept(sitk.GetImageFromArray(pixels), quiet)
    assert (top, bottom) == pytest.approx((50, 450), abs=4)
    assert 166 <= left < right <= 434


def test_both_hands_are_kept_but_not_the_marker(quiet):
    pixels = np.zeros((300, 400), np.uint16)
    pixels[60:240, 30:150] = 1000
    pixels[80:230, 250:360] = 900
    pixels[5:15, 380:386] = 4000
    assert kept(sitk.GetImageFromArray(pixels), quiet) == pytest.approx((30, 60, 360, 240), abs=1)


def test_hounsfield_units_are_cropped_to_what_is_bright_though_the_padding_is_flat(quiet, noise):
    """Air is no flat surround of a body: a table and clothes would be kept."""
    pixels = noise.normal(-1000, 10, (200, 200)).astype(np.int16)
    pixels[50:150, 60:140] = 40
    pixels[170:174, 20:180] = -700
    assert kept(sitk.GetImageFromArray(pixels), quiet) == (60, 50, 140, 150)


def test_a_given_threshold_is_what_counts(quiet, noise):
    pixels = np.zeros((60, 60), np.uint8)
    pixels[10:50, 10:50] = noise.normal(60, 15, (40, 40))
    pixels[20:40, 25:35] = 200
    image = sitk.GetImageFromArray(pixels)
    assert kept(image, quiet, threshold=150.0) == (25, 20, 35, 40)
    assert kept(image, quiet) == (10, 10, 50, 50)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("US1_UNCR.dcm", (0, 108, 640, 338)),
        ("RG3_J2KR.dcm", (360, 0, 1390, 1760)),
        ("MR2_J2KR.dcm", (0, 100, 1024, 924)),
    ],
)
def test_real_pictures_keep_what_was_scanned(real_data, quiet, name, wanted):
    """Read off the pictures: ultrasound with writing, a leg between white blades, a shoulder beside black."""
    pytest.importorskip("pydicom")
    from MedImageAnalysisLib.image import read_image

    image = read_image(real_data / "dicom_misc" / name, color="luminance").pixels
    assert kept(image, quiet) == pytest.approx(wanted, abs=0.02 * max(image.GetSize()))
