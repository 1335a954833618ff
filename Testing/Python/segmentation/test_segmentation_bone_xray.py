"""Bone radiographs, on drawn limbs of known content and on a real one."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from MedImageAnalysisLib.errors import MedImageError, UnsuitablePresetError, UnsupportedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS

ROWS, COLUMNS = 400, 320


def limb_drawing(screw: bool = False, blades: bool = True) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A round limb 140 pixels wide with two bones, air beside it, blades left and right, and a lead letter."""
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    limb = np.abs(x - 160) < 70
    thickness = 2 * np.sqrt(np.clip(70**2 - (x - 160) ** 2, 0, None))
    bone = (np.abs(x - 145) < 18) | (np.abs(x - 195) < 8)
    metal = (np.abs(x - 145) < 5) & (np.abs(y - 200) < 60) & screw
    film = 60 + 3.0 * thickness + 180 * bone + 900 * metal
    letter = (np.abs(x - 262) < 6) & (np.abs(y - 320) < 8)
    film[letter] = 700
    blade = ((x < 40) | (x > 285)) & blades
    film[blade] = 1000
    film += np.random.default_rng(0).normal(0, 8, film.shape)
    return film.astype(np.float32), {"soft-tissue": limb & ~bone, "bone": bone, "metal": metal, "Collimation": blade}


def hand_drawing() -> tuple[np.ndarray, np.ndarray]:
    """Four fingers, a palm and a thicker wrist with hollow bones, as a film; and where there is bone."""
    y, x = np.mgrid[:480, :400].astype(np.float32)
    flesh, bone = np.zeros(y.shape), np.zeros(y.shape)

    def rod(start, end, start_radius, end_radius):
        """Thickness along the rays of a rod that lies in the plane."""
        start, way = np.array(start), np.subtract(end, start)
        share = np.clip(((y - start[0]) * way[0] + (x - start[1]) * way[1]) / (way @ way), 0, 1)
        radius = start_radius + (end_radius - start_radius) * share
        distance = np.hypot(y - start[0] - share * way[0], x - start[1] - share * way[1])
        return 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None))

    def shaft(start, end, radius):
        bone[...] += rod(start, end, radius, radius) - 0.75 * rod(start, end, 0.6 * radius, 0.6 * radius)

    fingers = (
        ((250, 130), (150, 110), (60, 75), 150),
        ((240, 165), (125, 160), (25, 150), 172),
        ((240, 205), (130, 215), (30, 235), 196),
        ((250, 240), (150, 262), (70, 305), 218),
    )
    for knuckle, middle, tip, wrist in fingers:
        np.maximum(flesh, np.minimum(rod(knuckle, tip, 22, 13), 40), out=flesh)
        half = np.add(middle, tip) / 2
        shaft(knuckle, np.add(middle, (14, 0)), 8)
        shaft(np.subtract(middle, (4, 0)), np.add(half, (4, 0)), 6.5)
        shaft(np.subtract(half, (10, 0)), np.add(tip, (10, 0)), 5)
        shaft(np.add(knuckle, (22, 0)), (325, wrist), 8)
    np.maximum(flesh, np.minimum(rod((280, 185), (330, 190), 80, 60), 50), out=flesh)
    np.maximum(flesh, np.minimum(rod((330, 190), (480, 190), 58, 62), 90), out=flesh)
    shaft((375, 160), (480, 158), 14)
    shaft((372, 212), (480, 214), 19)
    film = 40 + 2.2 * np.where(flesh > 0, ndimage.gaussian_filter(flesh, 5.0), 0) + 5 * bone
    film += np.random.default_rng(0).normal(0, 6, film.shape)
    return film.astype(np.float32), bone > 2


def segmented(pixels: np.ndarray, **settings) -> dict[str, np.ndarray]:
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.3, 0.3))
    found = METHODS["bone-xray"](**settings)(image, None, Progress())
    labels = sitk.GetArrayFromImage(found.labelmap)
    return {segment.key or segment.name: labels == segment.label for segment in found.segments}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def limb() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What is found in the drawing, and what was drawn."""
    pixels, truth = limb_drawing()
    return segmented(pixels), truth


@pytest.mark.parametrize(("key", "least"), [("bone", 0.93), ("soft-tissue", 0.95), ("Collimation", 0.90)])
def test_structure_is_found(limb, key, least):
    found, truth = limb
    assert dice(found[key], truth[key]) >= least


def test_nothing_is_called_metal_where_there_is_none(limb):
    found, _ = limb
    assert "metal" not in found


def test_lead_letter_is_not_part_of_the_limb(limb):
    found, _ = limb
    assert not found["bone"][320, 262]
    assert not found["soft-tissue"][320, 262]


def test_screw_is_metal():
    pixels, truth = limb_drawing(screw=True, blades=False)
    assert dice(segmented(pixels)["metal"], truth["metal"]) >= 0.8


def test_picture_without_blades_has_no_collimation():
    assert "Collimation" not in segmented(limb_drawing(blades=False)[0])


def test_slender_bones_of_a_hand_are_found_beside_the_thick_ones_of_the_wrist():
    pixels, bone = hand_drawing()
    found = segmented(pixels)["bone"]
    assert dice(found, bone) >= 0.88
    for name, part in (("fingers", np.s_[:230]), ("metacarpals", np.s_[270:320]), ("wrist", np.s_[370:])):
        assert dice(found[part], bone[part]) >= 0.8, name


def test_marrow_of_a_hollow_bone_belongs_to_it():
    found = segmented(hand_drawing()[0])["bone"]
    assert found[440, 214]
    assert found[440, 159]


@pytest.mark.parametrize("angle", [15, -30])
def test_surroundings_of_a_turned_film_are_not_part_of_the_field(angle):
    pixels, truth = limb_drawing(blades=False)
    turned = ndimage.rotate(pixels, angle, order=1, cval=-200.0)
    bone = ndimage.rotate(truth["bone"].astype(np.float32), angle, order=1) > 0.5
    inside = ndimage.rotate(np.ones(pixels.shape, np.float32), angle, order=1) > 0.5
    found = segmented(turned)
    assert found["Collimation"][~inside].mean() > 0.99
    assert found["Collimation"][inside].mean() < 0.15
    assert dice(found["bone"] & ~found["Collimation"], bone & ~found["Collimation"]) >= 0.88


def test_shadow_of_a_slanting_blade_is_not_part_of_the_field():
    pixels, _ = hand_drawing()
    y, x = np.mgrid[:480, :400]
    shadow = x > 395 - 0.15 * y
    found = segmented(np.where(shadow, 700.0, pixels).astype(np.float32))
    assert dice(found["Collimation"], shadow) >= 0.9
    assert not found["bone"][shadow].any()


@pytest.mark.parametrize("noise", [3, 8, 20])
@pytest.mark.parametrize("muscle", [0, 60, 150])
def test_limb_without_bone_has_none(noise, muscle):
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    inside = np.abs(x - 160) < 70
    belly = muscle * np.exp(-(((x - 150) / 25) ** 2) - ((y - 200) / 60) ** 2)
    film = 60 + 3 * 2 * np.sqrt(np.clip(70**2 - (x - 160) ** 2, 0, None)) + belly * inside
    found = segmented((film + np.random.default_rng(0).normal(0, noise, film.shape)).astype(np.float32))
    assert "bone" not in found
    assert dice(found["soft-tissue"], inside) >= 0.95


def test_limb_in_evenly_black_air_is_no_film_in_padding():
    pixels, truth = limb_drawing(blades=False)
    found = segmented(np.where(truth["soft-tissue"] | truth["bone"], pixels, 0).astype(np.float32))
    assert dice(found["bone"], truth["bone"]) >= 0.93
    assert "Collimation" not in found


def test_higher_sensitivity_finds_no_less_bone():
    pixels, _ = limb_drawing()
    assert segmented(pixels, sensitivity=2.0)["bone"].sum() >= segmented(pixels, sensitivity=0.5)["bone"].sum()


def test_result_lies_on_the_grid_of_a_large_image():
    pixels, truth = limb_drawing()
    large = np.kron(pixels, np.ones((4, 4), np.float32))[:1599, :1279]
    found = segmented(large)
    assert found["bone"].shape == large.shape
    assert dice(found["bone"], np.kron(truth["bone"], np.ones((4, 4), bool))[:1599, :1279]) >= 0.92


def test_blank_image_is_refused():
    with pytest.raises(UnsuitablePresetError, match="blank"):
        segmented(np.full((200, 200), 7.0, np.float32))


def test_noise_is_refused_or_left_without_bone():
    noise = np.random.default_rng(1).normal(100, 20, (300, 300)).astype(np.float32)
    try:
        found = segmented(noise)
    except MedImageError:
        return
    assert "bone" not in found


def test_volume_is_refused():
    with pytest.raises(UnsupportedImageError, match="3D"):
        METHODS["bone-xray"]()(sitk.Image(80, 80, 3, sitk.sitkInt16), None, Progress())


def test_tiny_image_is_refused():
    with pytest.raises(UnsupportedImageError, match="20 x 20"):
        segmented(np.zeros((20, 20), np.float32))


def test_real_ankle_has_the_bones_of_the_leg(real_data):
    """CR EXTREMITY: a lower leg, 1760 pixels square. Points read off the picture by eye."""
    pydicom = pytest.importorskip("pydicom")
    pixels = pydicom.dcmread(real_data / "dicom_misc" / "RG3_J2KR.dcm").pixel_array.astype(np.float32)
    found = segmented(pixels.max() - pixels)
    tibia, fibula, talus, calf, air, blade = ((300, 860), (700, 980), (1600, 830), (300, 700), (900, 550), (900, 200))
    for point in (tibia, fibula, talus):
        assert found["bone"][point]
    assert found["soft-tissue"][calf]
    assert found["Collimation"][blade]
    assert not any(mask[air] for mask in found.values())
