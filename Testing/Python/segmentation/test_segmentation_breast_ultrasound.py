"""Lesions on breast ultrasound, on speckle with and without a dark ellipse and, for accuracy, on real pictures."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from MedImageAnalysisLib.analysis import Segmentation
from MedImageAnalysisLib.errors import Cancelled, InvalidModelError, UnsuitablePresetError, UnsupportedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.breast_ultrasound.classifier import around_lesion, on_picture, read_classifier

SHAPE = (300, 360)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]
LESION = ((X - 190) / 55) ** 2 + ((Y - 120) / 38) ** 2 <= 1


def segmented(image: sitk.Image, engine: str = "classical", **settings) -> Segmentation:
    return METHODS["breast-ultrasound"](engine=engine, **settings)(image, None, Progress())


def found_in(segmentation: Segmentation) -> np.ndarray:
    return sitk.GetArrayFromImage(segmentation.labelmap) > 0


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def speckled(echo: np.ndarray) -> sitk.Image:
    """Fully developed speckle (Rayleigh) of a given mean echo, log-compressed, layered and fading with depth."""
    rng = np.random.default_rng(3)
    parts = [ndimage.gaussian_filter(rng.standard_normal(SHAPE), (1.0, 2.0)) for _ in range(2)]
    layers = 1 + 0.6 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), (3, 25)) / 0.05
    amplitude = np.hypot(*parts) * echo * np.clip(layers, 0.3, 3) * np.exp(-Y / 300)
    decibels = 20 * np.log10(amplitude / amplitude.max() + 1e-6)
    image = sitk.GetImageFromArray(np.clip(255 * (1 + decibels / 50), 0, 255).astype(np.uint8))
    image.SetSpacing((0.11, 0.11))
    image.SetOrigin((4.0, -7.0))
    return image


@pytest.fixture(scope="module")
def phantom() -> sitk.Image:
    """A hypoechoic ellipse with enhancement behind it."""
    echo = np.where(LESION, 0.06, 1.0)
    behind = (np.abs(X - 190) < 45) & (Y > 120) & ~LESION
    return speckled(np.where(behind, 1.8, echo))


@pytest.fixture(scope="module")
def found(phantom) -> Segmentation:
    return segmented(phantom)


def test_dark_ellipse_in_speckle_is_outlined(found):
    assert dice(found_in(found), LESION) > 0.85


def test_lesion_is_a_mass_on_the_grid_of_the_image(found, phantom):
    (lesion,) = found.segments
    assert (lesion.key, lesion.type.value) == ("breast-lesion", "4147007")
    assert found.labelmap.GetSize() == phantom.GetSize()
    assert found.labelmap.GetSpacing() == phantom.GetSpacing()
    assert found.labelmap.GetOrigin() == phantom.GetOrigin()


def test_outline_has_no_holes(found):
    mask = found_in(found)
    assert (ndimage.binary_fill_holes(mask) == mask).all()


def test_speckle_without_lesion_gives_an_empty_segment():
    empty = segmented(speckled(np.ones(SHAPE)))
    assert [each.key for each in empty.segments] == ["breast-lesion"]
    assert not found_in(empty).any()


def test_same_input_gives_the_same_outline(found, phantom):
    assert (found_in(segmented(phantom)) == found_in(found)).all()


def test_other_gray_scale_gives_the_same_lesion(found, phantom):
    louder = sitk.Cast(phantom, sitk.sitkFloat32) * 37.0 - 1000.0
    assert dice(found_in(segmented(louder)), found_in(found)) > 0.98


def test_mirrored_picture_gives_the_mirrored_lesion(found, phantom):
    mirrored = sitk.GetImageFromArray(np.ascontiguousarray(sitk.GetArrayFromImage(phantom)[:, ::-1]))
    assert dice(found_in(segmented(mirrored))[:, ::-1], found_in(found)) > 0.95


def test_larger_picture_gives_the_same_lesion(found, phantom):
    larger = sitk.Expand(phantom, [2, 2], sitk.sitkLinear)
    assert dice(found_in(segmented(larger))[::2, ::2], found_in(found)) > 0.9


@pytest.mark.parametrize("engine", ["classical", "network"])
def test_frame_around_the_picture_changes_little(phantom, engine):
    if engine == "network":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    framed = sitk.Cast(phantom, sitk.sitkFloat32) + 20
    framed = sitk.ConstantPad(framed, [70, 40], [90, 60], 0.0)
    framed[20:50, 100:104] = 275.0  # Writing beside the picture.
    in_frame = found_in(segmented(framed, engine))
    assert in_frame.shape == (SHAPE[0] + 100, SHAPE[1] + 160)
    assert (
        dice(in_frame[40:-60, 70:-90], found_in(segmented(phantom, engine)))
        > {"classical": 0.9, "network": 0.98}[engine]
    )
    assert in_frame.sum() == in_frame[40:-60, 70:-90].sum()


def test_more_certainty_shows_less(phantom, found):
    doubtful = segmented(speckled(np.ones(SHAPE)), certainty=0.0)
    assert found_in(doubtful).any()
    assert not (found_in(segmented(phantom, certainty=0.95)) & ~found_in(found)).any()


def test_input_stays_as_it_was(phantom):
    before = sitk.GetArrayFromImage(phantom)
    segmented(phantom)
    assert (sitk.GetArrayFromImage(phantom) == before).all()


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (sitk.Image(80, 80, 8, sitk.sitkUInt8), UnsupportedImageError, "3D"),
        (sitk.Image(40, 300, sitk.sitkUInt8), UnsupportedImageError, "40 x 300"),
        (sitk.Image(200, 200, sitk.sitkUInt8), UnsuitablePresetError, "blank"),
    ],
)
def test_what_is_no_ultrasound_picture_is_refused(image, error, words):
    with pytest.raises(error, match=words):
        segmented(image)


def test_cancel_is_heard_between_candidates(phantom):
    said = []
    progress = Progress(lambda message, fraction: said.append(fraction), lambda: len(said) > 3)
    with pytest.raises(Cancelled):
        METHODS["breast-ultrasound"](engine="classical")(phantom, None, progress)
    assert len(said) == 4
    assert said == sorted(said)


def test_damaged_weights_are_told(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez(path, nothing=np.zeros(3))
    with pytest.raises(InvalidModelError, match="breast ultrasound"):
        read_classifier(path)


def test_frame_holds_the_lesion_and_maps_back_onto_it():
    frame = around_lesion(LESION)
    assert frame.half_width > 55
    assert (frame.x, frame.y) == pytest.approx((190, 120), abs=1)
    rows, columns = np.mgrid[:96, :96] + 0.5
    x = frame.x - frame.half_width + columns * 2 * frame.half_width / 96
    y = frame.y - frame.half_height + rows * 2 * frame.half_height / 96
    level = (((x - 190) / 55) ** 2 + ((y - 120) / 38) ** 2 <= 1).astype(np.float32)
    assert dice(on_picture(level, frame, SHAPE) > 0.5, LESION) > 0.97


def test_real_lesions_of_groups_not_seen_in_training_are_outlined(real_data):
    folder = real_data / "breast_ultrasound_busi"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    lesions = [row for row in rows if row["label"] != "normal"][::16]
    fits, clean = [], []
    for row in lesions:
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / row["mask"]))) > 0
        fits.append(dice(found_in(segmented(sitk.ReadImage(str(folder / row["image"])))), truth))
    for row in [row for row in rows if row["label"] == "normal"][::9]:
        clean.append(not found_in(segmented(sitk.ReadImage(str(folder / row["image"])))).any())
    assert np.mean(fits) >= 0.55
    assert np.median(fits) >= 0.7
    assert any(clean)
