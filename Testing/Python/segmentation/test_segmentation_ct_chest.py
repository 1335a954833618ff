"""Chest CT: lungs, airways, vessels, bones and body on a drawn chest, in any orientation of the file."""

import numpy as np
import pytest
import SimpleITK as sitk
from ct_phantoms import DIRECTIONS, LUNG, SOFT, Torso, chest, dice
from scipy import ndimage

from MedImageAnalysisLib.errors import Cancelled, UnsupportedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.ct.lungs import ChestAnatomy, lung_outline
from MedImageAnalysisLib.segmentation.ct.volume import CoarseVolume

TURNED = tuple(np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]]).ravel())
LUNGS = ("right-lung", "left-lung")


def segmented(image, progress=None):
    return METHODS["chest-ct"]()(image, None, progress or Progress())


def mask(segmentation, key) -> np.ndarray:
    """A segment in the axes of the file; empty if it was not found."""
    segment = segmentation.find(key)
    if segment is None:
        return np.zeros(segmentation.layers[0].GetSize()[::-1], bool)
    return sitk.GetArrayFromImage(segmentation.mask(segment)).astype(bool)


@pytest.fixture(scope="module")
def torso() -> Torso:
    return chest()


@pytest.fixture(scope="module")
def found(torso):
    return segmented(torso.image())


@pytest.mark.parametrize("key", LUNGS)
def test_each_lung_is_found_on_its_side(torso, found, key):
    assert dice(mask(found, key), torso.truth[key]) >= 0.97


@pytest.mark.parametrize(("air", "soft"), [(-960, -100), (LUNG, SOFT), (-700, 60)], ids=["emphysema", "usual", "dense"])
def test_the_outline_lies_half_way_between_lung_and_tissue_whatever_their_densities(air, soft):
    # A ball whose border is blurred by the scanner, in voxels that are not shrunk: its volume must be the ball's.
    s, p, left = np.ogrid[:40, :60, :60]
    ball = (s - 20) ** 2 + (p - 30) ** 2 + (left - 30) ** 2 <= 15**2
    blurred = ndimage.gaussian_filter(np.where(ball, air, soft).astype(np.float32), 1.2)
    image = Torso(blurred, {}, (2, 2, 2)).image(noise=0)
    volume = CoarseVolume.of(image, Progress())
    body, none = np.ones(ball.shape, bool), np.zeros(ball.shape, bool)
    anatomy = ChestAnatomy(volume, body, None, none, volume.hu < -400, none)
    found = np.zeros(ball.shape, bool)
    for box, part in lung_outline(anatomy, anatomy.right):
        found[box] |= part
    assert found.sum() == pytest.approx(ball.sum(), rel=0.05)


def test_trachea_and_main_bronchi_are_apart_from_the_lungs(torso, found):
    assert dice(mask(found, "airways"), torso.truth["airways"]) >= 0.8
    lungs = mask(found, "right-lung") | mask(found, "left-lung")
    assert not (lungs & torso.truth["airways"]).any()


def test_gas_in_the_stomach_is_no_lung(torso, found):
    lungs = mask(found, "right-lung") | mask(found, "left-lung")
    assert not (lungs & torso.truth["gas"]).any()


def test_vessels_inside_belong_to_the_lungs_and_are_found(torso, found):
    vessel = torso.truth["vessel"]
    assert (mask(found, "right-lung") | mask(found, "left-lung"))[vessel].all()
    assert mask(found, "lung-vessels")[vessel].mean() > 0.5


def test_bones_and_body_are_found_without_the_table(torso, found):
    assert dice(mask(found, "bone"), torso.truth["bone"]) >= 0.9
    assert not mask(found, "body")[:, 246 // 4 + 1 :, 10:20].any()


@pytest.mark.parametrize("direction", [*list(DIRECTIONS.values())[1:], TURNED], ids=[*list(DIRECTIONS)[1:], "oblique"])
def test_the_orientation_of_the_file_does_not_matter(torso, found, direction):
    if direction is TURNED:
        image = torso.image()
        image.SetDirection(direction)
        stored = DIRECTIONS["axial"]
    else:
        image, stored = torso.image(direction), direction
    turned = segmented(image)
    for key in LUNGS:
        expected = sitk.GetArrayFromImage(torso.stored(mask(found, key).astype(np.uint8), stored)) > 0
        assert dice(mask(turned, key), expected) >= 0.999


def test_lungs_that_touch_are_told_apart():
    torso = chest(touching=True)
    found = segmented(torso.image())
    for key in LUNGS:
        assert dice(mask(found, key), torso.truth[key]) >= 0.97


def with_disease(torso: Torso, center, radius) -> tuple[sitk.Image, np.ndarray]:
    """The chest with a ball of soft tissue (mm) and where it lies inside a lung."""
    axes = np.ogrid[tuple(slice(0, n) for n in torso.hu.shape)]
    squares = [(axis * step - c) ** 2 for axis, step, c in zip(axes, torso.spacing, center, strict=True)]
    ball = (sum(squares) <= radius**2) & (torso.truth["right-lung"] | torso.truth["left-lung"])
    return Torso(np.where(ball, SOFT, torso.hu), torso.truth, torso.spacing).image(), ball


@pytest.mark.parametrize("center", [(170, 125, 115), (170, 125, 60), (170, 190, 115)], ids=["inside", "side", "back"])
def test_masses_count_as_lung(torso, center):
    image, ball = with_disease(torso, center, 10)
    assert mask(segmented(image), "right-lung")[ball].mean() >= 0.7


def test_emphysema_is_not_taken_for_bowel_gas(torso):
    hu = np.where(torso.hu == LUNG, -955, torso.hu)
    found = segmented(Torso(hu, torso.truth, torso.spacing).image(noise=25))
    assert dice(mask(found, "right-lung"), torso.truth["right-lung"]) >= 0.95


def test_one_lung_in_the_field_of_view_keeps_its_side(torso):
    image = torso.image()
    half = image[: int(215 / 4), :, :]
    found = segmented(half)
    assert found.find("left-lung") is None
    assert dice(mask(found, "right-lung"), torso.truth["right-lung"][:, :, : int(215 / 4)]) >= 0.97


def test_lungs_that_the_field_of_view_cuts_open_are_found(torso):
    crop = torso.image()[25:72, 12:60, 15:40]
    found = segmented(crop)
    for key in LUNGS:
        assert dice(mask(found, key), torso.truth[key][15:40, 12:60, 25:72]) >= 0.95


def test_without_lungs_there_are_no_lung_segments(torso):
    found = segmented(torso.image()[:, :, :6])
    assert [segment.key for segment in found.segments] == ["bone", "body"]


def test_air_alone_gives_nothing():
    assert segmented(sitk.GetImageFromArray(np.full((8, 20, 20), -1000, np.int16))).segments == ()


def test_a_single_picture_is_refused():
    with pytest.raises(UnsupportedImageError, match="3D"):
        segmented(sitk.Image(20, 20, sitk.sitkInt16))


def test_progress_advances_and_cancel_is_heard(torso):
    fractions = []
    segmented(torso.image(), Progress(report=lambda message, fraction: fractions.append(fraction)))
    assert fractions == sorted(fractions)
    assert len(fractions) > 30
    with pytest.raises(Cancelled):
        segmented(torso.image(), Progress(cancelled=lambda: True))


def test_the_same_image_gives_the_same_segments_with_any_number_of_threads(torso, found):
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        again = segmented(torso.image())
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    for first, second in zip(found.layers, again.layers, strict=True):
        assert (sitk.GetArrayViewFromImage(first) == sitk.GetArrayViewFromImage(second)).all()


def test_lung_bases_of_a_patient_agree_with_the_reference(real_data):
    image = sitk.ReadImage(str(real_data / "ct_torso" / "example_ct_sm.nii.gz"))
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(real_data / "ct_torso" / "example_seg.nii.gz")))
    found = segmented(image)
    lungs = mask(found, "right-lung") | mask(found, "left-lung")
    assert dice(lungs, np.isin(truth, [10, 11, 12, 13, 14])) >= 0.95
    assert dice(mask(found, "right-lung"), np.isin(truth, [12, 13, 14])) >= 0.95
