"""Chest radiographs by the network: which engine is used, what is accepted as a network, and what it finds."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import (
    InvalidModelError,
    MissingPackageError,
    UnsuitablePresetError,
)
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS, two_engines
from MedImageAnalysisLib.segmentation.chest_xray import outliners

WEIGHTS = Path(outliners.__file__).with_name("weights.onnx")


@pytest.fixture
def needs_network():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")


def chest(**settings):
    return METHODS["chest-xray"](**settings)


def masks(image: sitk.Image, engine: str = "network") -> dict[str, np.ndarray]:
    segmentation = chest(engine=engine)(image, None, Progress())
    labels = sitk.GetArrayFromImage(segmentation.labelmap)
    return {segment.key: labels == segment.label for segment in segmentation.segments}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def test_record_names_the_engine_that_was_used(monkeypatch):
    monkeypatch.setattr(two_engines, "networks_available", lambda: False)
    analysis = run(chest_radiograph(), load_preset("chest-xray"))
    assert analysis.provenance.preset["segmentation"][0]["engine"] == "classical"


def test_network_without_its_packages_says_what_to_install(monkeypatch):
    def missing(path, sha256=""):
        raise MissingPackageError.of("onnx", "onnx", "Running a network")

    monkeypatch.setattr(outliners, "load_network", missing)
    with pytest.raises(MissingPackageError, match="onnx"):
        chest(engine="network")(chest_radiograph().pixels, None, Progress())


@pytest.mark.usefixtures("needs_network")
@pytest.mark.parametrize(
    ("taken", "given", "why"),
    [
        (("batch", 1, 8, 8), ("batch", 1, 8, 8), "square frame"),
        (("batch", 2, 8, 8), ("batch", 2, 8, 8), "probabilities"),
    ],
)
def test_network_for_something_else_is_refused(tmp_path, taken, given, why):
    from onnx import helper

    from tiny_network import make_model, value

    path = tmp_path / "other.onnx"
    node = helper.make_node("Relu", ["frame"], ["probability"])
    path.write_bytes(make_model([node], [value("frame", *taken)], [value("probability", *given)]).SerializeToString())
    with pytest.raises(InvalidModelError, match=why):
        outliners.network_outliner(path)


@pytest.mark.usefixtures("needs_network")
def test_damaged_network_is_an_error_that_names_the_file(tmp_path):
    damaged = tmp_path / "weights.onnx"
    damaged.write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(InvalidModelError, match=r"weights\.onnx"):
        outliners.network_outliner(damaged)


def test_weights_that_ship_are_small():
    assert WEIGHTS.stat().st_size <= 5 * 2**20


@pytest.mark.usefixtures("needs_network")
def test_network_finds_the_drawn_chest_and_its_negative_alike():
    drawing = chest_radiograph().pixels
    found = masks(drawing)
    negative = masks(sitk.InvertIntensity(drawing, maximum=4000))
    classical = masks(drawing, "classical")
    assert set(found) == {"right-lung", "left-lung", "heart"}
    for key, mask in found.items():
        assert dice(mask, negative[key]) >= 0.98
        assert dice(mask, classical[key]) >= 0.7


@pytest.mark.usefixtures("needs_network")
def test_outlines_and_the_error_of_their_ratio_tell_which_engine_made_them():
    errors = {}
    for engine in ("network", "classical"):
        found = chest(engine=engine)(chest_radiograph().pixels, None, Progress())
        assert found.made_by == f"chest-xray {engine}"
        errors[engine] = MEASURES["cardiothoracic-ratio"]()(chest_radiograph(), found, Progress())[0].standard_error
    assert errors["network"] < errors["classical"]


@pytest.fixture
def film(real_data):
    """Pixels of a film of JSRT."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(min((real_data / "chest_xray_jsrt" / "images").glob("*.png")))))


@pytest.mark.usefixtures("needs_network")
@pytest.mark.parametrize(("axes", "words"), [((1,), "looks mirrored.*as-is"), ((0,), "chest"), ((0, 1), "chest")])
def test_a_chest_that_is_turned_is_refused(film, axes, words):
    turned = sitk.GetImageFromArray(np.flip(film, axes).copy())
    with pytest.raises(UnsuitablePresetError, match=words):
        masks(turned)


@pytest.mark.usefixtures("needs_network")
def test_a_mirrored_chest_can_be_taken_as_it_is(film):
    mirrored = sitk.GetImageFromArray(film[:, ::-1].copy())
    found = chest(engine="network", orientation="as-is")(mirrored, None, Progress())
    assert {"right-lung", "left-lung"} <= {segment.key for segment in found.segments}


@pytest.mark.usefixtures("needs_network")
@pytest.mark.parametrize("seed", range(3))
def test_network_refuses_noise(seed):
    noise = np.random.default_rng(seed).normal(100, 20, (300, 300)).astype(np.float32)
    with pytest.raises(UnsuitablePresetError, match="found"):
        masks(sitk.GetImageFromArray(noise))


@pytest.mark.usefixtures("needs_network")
def test_network_agrees_with_the_masks_of_jsrt(real_data):
    """Each twentieth film; nothing was fitted on JSRT."""
    folder = real_data / "chest_xray_jsrt"
    names = {"right-lung": "right_lung_png", "left-lung": "left_lung_png", "heart": "heart_png"}
    lungs, hearts = [], []
    for path in sorted((folder / "images").glob("*.png"))[::20]:
        found = masks(sitk.ReadImage(str(path)))
        truth = {
            key: sitk.GetArrayFromImage(sitk.ReadImage(str(folder / n / path.name))) > 0 for key, n in names.items()
        }
        lungs += [dice(found[key], truth[key]) for key in ("right-lung", "left-lung")]
        hearts.append((found["heart"] & truth["heart"]).sum() / (found["heart"] | truth["heart"]).sum())
    assert np.mean(lungs) >= 0.94
    assert np.mean(hearts) >= 0.78
