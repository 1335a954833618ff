"""Chest radiographs by the classical method, on a drawn chest and, for accuracy, on real ones with masks."""

from contextlib import suppress

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage, Segmentation
from MedImageAnalysisLib.errors import Cancelled, InvalidModelError, UnsuitablePresetError, UnsupportedImageError
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.data import read_pixels
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.chest_xray.cascade import load_cascade, read_cascade
from MedImageAnalysisLib.segmentation.chest_xray.plausibility import plausible, without_notches
from MedImageAnalysisLib.segmentation.pixel_classifier.stage import normalized

KEYS = ("right-lung", "left-lung", "heart")


def segmented(image: sitk.Image, **settings) -> Segmentation:
    return METHODS["chest-xray"](engine="classical", **settings)(image, None, Progress())


def masks_of(segmentation: Segmentation) -> dict[str, np.ndarray]:
    labels = sitk.GetArrayFromImage(segmentation.labelmap)
    return {segment.key: labels == segment.label for segment in segmentation.segments}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max((a | b).sum(), 1)


def ratio(image: sitk.Image, segmentation: Segmentation) -> float:
    return MEASURES["cardiothoracic-ratio"]()(MedicalImage(image), segmentation, Progress())[0].value


@pytest.fixture(scope="module")
def drawing() -> sitk.Image:
    """The drawn chest: heart 140 mm and thorax 294 mm wide."""
    return chest_radiograph().pixels


@pytest.fixture(scope="module")
def found(drawing) -> Segmentation:
    return segmented(drawing)


def drawn_lungs() -> dict[str, np.ndarray]:
    y, x = np.mgrid[:400, :400]
    heart = ((x - 222) / 70) ** 2 + ((y - 250) / 68) ** 2 <= 1
    lungs = {"right-lung": 115, "left-lung": 285}
    masks = {key: (((x - cx) / 62) ** 2 + ((y - 195) / 135) ** 2 <= 1) & ~heart for key, cx in lungs.items()}
    return masks | {"heart": heart}


def test_lungs_and_heart_of_the_drawing_are_found(found):
    masks = masks_of(found)
    truth = drawn_lungs()
    assert dice(masks["right-lung"], truth["right-lung"]) >= 0.85
    assert dice(masks["left-lung"], truth["left-lung"]) >= 0.85
    assert overlap(masks["heart"], truth["heart"]) >= 0.7


def test_ratio_of_the_drawing_is_the_drawn_one(drawing, found):
    assert ratio(drawing, found) == pytest.approx(140 / 294, abs=0.04)


def test_right_lung_is_on_the_left_of_the_picture(found):
    masks = masks_of(found)
    assert np.nonzero(masks["right-lung"])[1].mean() < np.nonzero(masks["left-lung"])[1].mean()


def test_each_structure_is_one_piece_without_holes(found):
    from scipy import ndimage

    for mask in masks_of(found).values():
        assert ndimage.label(mask)[1] == 1
        assert (ndimage.binary_fill_holes(mask) == mask).all()


def test_segments_carry_their_codes(found):
    assert [segment.key for segment in found.segments] == list(KEYS)
    right = found.find("right-lung")
    assert (right.type.value, right.modifier.value) == ("39607008", "24028007")


def test_negative_gives_the_same_outlines(drawing, found):
    negative = segmented(sitk.InvertIntensity(drawing, maximum=4000))
    for key, mask in masks_of(found).items():
        assert dice(mask, masks_of(negative)[key]) >= 0.98


def test_gray_scale_does_not_matter(drawing, found):
    """A monotonic change of the gray scale, as between scanners and bit depths, keeps the outlines."""
    values = sitk.GetArrayFromImage(drawing).astype(np.float64)
    other = sitk.GetImageFromArray(np.exp(values / 900).astype(np.float32))
    for key, mask in masks_of(found).items():
        assert dice(mask, masks_of(segmented(other))[key]) >= 0.93


@pytest.mark.parametrize("size", [(1600, 1600), (128, 128), (900, 2000)])
def test_any_size_and_shape_of_pixels_will_do(drawing, size):
    spacing = tuple(400 / n for n in size)
    image = sitk.Resample(drawing, size, sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear, (0, 0), spacing)
    segmentation = segmented(image)
    assert segmentation.labelmap.GetSize() == size
    assert segmentation.labelmap.GetSpacing() == image.GetSpacing()
    assert ratio(image, segmentation) == pytest.approx(140 / 294, abs=0.05)


def test_outlines_are_smooth_on_a_large_image(drawing):
    """The boundary of a smooth region on a fine grid is short: blocks of the working grid would make it longer."""
    still = sitk.Transform(2, sitk.sitkIdentity)
    image = sitk.Resample(drawing, (2000, 2000), still, sitk.sitkLinear, (0, 0), (0.2, 0.2))
    mask = masks_of(segmented(image))["right-lung"]
    steps = np.abs(np.diff(np.flatnonzero(mask.any(axis=1)).size and mask.argmax(axis=1)[mask.any(axis=1)]))
    assert np.percentile(steps, 90) <= 4


def test_memory_is_that_of_a_few_images(drawing):
    """No float copy of a large image, and not all features of a frame at once."""
    import tracemalloc

    still = sitk.Transform(2, sitk.sitkIdentity)
    image = sitk.Resample(drawing, (2000, 2000), still, sitk.sitkLinear, (0, 0), (0.2, 0.2))
    load_cascade()
    tracemalloc.start()
    segmented(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 35 * 2**20


@pytest.fixture
def seen():
    """Levels of right lung, left lung and heart, and gray values: air is dark, all else is bright."""
    levels = {key: np.where(mask, np.float32(0.95), np.float32(0.05)) for key, mask in drawn_lungs().items()}
    air = (levels["right-lung"] > 0.5) | (levels["left-lung"] > 0.5)
    return levels, np.where(air, np.float32(-0.8), np.float32(0.4))


def test_lungs_beside_a_heart_are_plausible(seen):
    levels, gray = seen
    assert plausible(*levels.values(), gray, 0.9) == (True, True, True)


def test_a_lung_full_of_fluid_is_still_a_lung(seen):
    levels, gray = seen
    gray[levels["left-lung"] > 0.5] = 0.3
    assert plausible(*levels.values(), gray, 0.9) == (True, True, True)


def test_nothing_is_a_lung_where_no_heart_is_certain(seen):
    levels, gray = seen
    doubted = levels | {"heart": np.minimum(levels["heart"], 0.85)}
    assert plausible(*doubted.values(), gray, 0.9) == (False, False, False)
    none = levels | {"heart": np.zeros_like(gray)}
    assert plausible(*none.values(), gray, 0.9) == (False, False, False)


def test_lungs_on_the_wrong_sides_are_not_both_shown(seen):
    levels, gray = seen
    right, left, heart = levels.values()
    assert plausible(left, right, heart, gray, 0.9)[:2] == (False, False)


def test_nodule_at_the_edge_of_a_lung_stays_in_it():
    """What is whole lung and not heart is filled where it makes a notch, but only there."""
    y, x = np.mgrid[:192, :192]
    whole = (((x - 60) / 30) ** 2 + ((y - 96) / 60) ** 2 <= 1).astype(np.float32)
    nodule = (x - 85) ** 2 + (y - 90) ** 2 <= 8**2
    field = np.where(nodule, 0.1, whole).astype(np.float32)
    nothing = np.zeros_like(field)
    assert dice(without_notches(field, whole, nothing) > 0.5, whole > 0.5) >= 0.99
    heart = nodule.astype(np.float32)
    assert not (without_notches(field, whole, heart) > 0.5)[nodule].any()


def test_padding_does_not_matter(drawing, found):
    padded = sitk.ConstantPad(drawing, (60, 20), (30, 80), 0)
    masks = masks_of(segmented(padded))
    for key, mask in masks_of(found).items():
        assert dice(masks[key][20:420, 60:460], mask) >= 0.95


def test_same_input_gives_the_same_output(drawing, found):
    again = sitk.GetArrayFromImage(segmented(drawing).labelmap)
    assert (again == sitk.GetArrayFromImage(found.labelmap)).all()


def test_geometry_is_that_of_the_image(drawing):
    image = sitk.Image(drawing)
    image.SetOrigin((-12.5, 700.0))
    image.SetSpacing((0.143, 0.143))
    labelmap = segmented(image).labelmap
    assert labelmap.GetOrigin() == image.GetOrigin()
    assert labelmap.GetSpacing() == image.GetSpacing()


def test_blank_image_is_refused():
    with pytest.raises(UnsuitablePresetError, match="blank"):
        segmented(sitk.Image(300, 300, sitk.sitkUInt16) + 7)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_refused(seed):
    noise = np.random.default_rng(seed).normal(100, 20, (300, 300)).astype(np.float32)
    with pytest.raises(UnsuitablePresetError, match="found"):
        segmented(sitk.GetImageFromArray(noise))


def test_gradient_is_refused():
    ramp = np.linspace(0, 1, 300, dtype=np.float32)[:, None] + np.zeros((1, 300), np.float32)
    with pytest.raises(UnsuitablePresetError):
        segmented(sitk.GetImageFromArray(ramp))


def test_tiny_image_is_refused_with_its_size():
    with pytest.raises(UnsupportedImageError, match="40 x 30"):
        segmented(sitk.Image(40, 30, sitk.sitkUInt8))


def test_volume_is_refused():
    with pytest.raises(UnsupportedImageError, match="3D"):
        segmented(sitk.Image(80, 80, 3, sitk.sitkInt16))


def test_cancel_is_obeyed(drawing):
    with pytest.raises(Cancelled):
        METHODS["chest-xray"](engine="classical")(drawing, None, Progress(cancelled=lambda: True))


def test_weights_fit_what_the_features_are():
    """A mismatch of features and weights would only show as an error of shapes."""
    for stage in (load_cascade().locate, *load_cascade().outline):
        frame = normalized(np.zeros((stage.size, stage.size), np.float32), np.ones((stage.size, stage.size), bool))
        assert stage.layers[-1][1].shape == (5,)
        assert frame.shape == (2, stage.size, stage.size)


def test_damaged_weights_are_an_error_that_says_so(tmp_path):
    damaged = tmp_path / "weights.npz"
    damaged.write_bytes(b"not an archive")
    with pytest.raises(InvalidModelError, match=r"weights\.npz"):
        read_cascade(damaged)


@pytest.fixture(scope="module")
def jsrt_scores(real_data) -> np.ndarray:
    """Lungs Dice, heart IoU and error of the ratio on each tenth JSRT film; nothing was fitted on JSRT."""
    folder = real_data / "chest_xray_jsrt"
    scores = []
    for path in sorted((folder / "images").glob("*.png"))[::10]:
        image = sitk.ReadImage(str(path))
        names = ("right_lung_png", "left_lung_png", "heart_png")
        truth = [sitk.ReadImage(str(folder / name / path.name)) > 0 for name in names]
        segmentation = segmented(image)
        masks = masks_of(segmentation)
        arrays = [sitk.GetArrayFromImage(mask).astype(bool) for mask in truth]
        reference = Segmentation(
            tuple(truth), tuple(segment_of(segmentation, key, layer) for layer, key in enumerate(KEYS))
        )
        lungs = np.mean([dice(masks[key], array) for key, array in zip(KEYS[:2], arrays[:2], strict=True)])
        error = abs(ratio(image, segmentation) - ratio(image, reference))
        scores.append((lungs, overlap(masks["heart"], arrays[2]), error))
    return np.array(scores)


def segment_of(segmentation: Segmentation, key: str, layer: int):
    from dataclasses import replace

    return replace(segmentation.find(key), label=1, layer=layer)


def test_lung_fields_agree_with_the_masks_of_jsrt(jsrt_scores):
    assert jsrt_scores[:, 0].mean() >= 0.925


def test_heart_agrees_with_the_masks_of_jsrt(jsrt_scores):
    assert jsrt_scores[:, 1].mean() >= 0.74


def test_both_lungs_of_ill_children_are_shown(real_data):
    paths = sorted((real_data / "chest_xray_kermany" / "bacteria").glob("*.jpeg"))
    shown = []
    for path in paths[:: len(paths) // 12]:
        # A chest that fills with fluid altogether may be refused.
        with suppress(UnsuitablePresetError):
            shown.append(set(masks_of(segmented(read_pixels(path)))))
    assert len(shown) >= 11
    assert sum(keys == set(KEYS) for keys in shown) >= len(shown) - 1


def test_ratio_agrees_with_that_of_the_masks_of_jsrt(jsrt_scores):
    assert jsrt_scores[:, 2].mean() <= 0.05


def test_demo_radiograph_has_the_ratio_that_a_reader_finds():
    """CR CHEST of pydicom-data, MONOCHROME1; measured by eye on the picture: heart 0.78, thorax 1.70 of the width."""
    pydicom = pytest.importorskip("pydicom")
    try:
        path = pydicom.data.get_testdata_file("RG1_UNCR.dcm", download=False)
    except (ImportError, ValueError):
        path = None
    if path is None:
        pytest.skip("pydicom-data is not installed: pip install pydicom-data")
    from MedImageAnalysisLib.image import read_image

    image = read_image(path).pixels
    assert ratio(image, segmented(image)) == pytest.approx(0.46, abs=0.03)
