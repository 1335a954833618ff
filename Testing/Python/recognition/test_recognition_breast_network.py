"""The shipped network for breast ultrasound on real pictures: what it says, refuses, and shows as its evidence."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.recognition import RecognitionCase, load_model, recognize
from MedImageAnalysisLib.recognition.descriptors.canvas import square_canvas
from MedImageAnalysisLib.recognition.training.data import from_table
from MedImageAnalysisLib.recognition.training.metrics import roc_auc

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def network():
    return load_model("breast-ultrasound-lesion-network")


@pytest.fixture(scope="module")
def held_out(real_data):
    """Every fourth held-out picture: pixels and category."""
    cases = from_table(real_data / "breast_ultrasound_busi", ("normal", "benign", "malignant"))
    chosen = [case for case in cases if case.held_out][::4]
    return [(sitk.GetArrayFromImage(read_image(c.path, color="luminance").pixels), c.category) for c in chosen]


def recognized(model, pixels):
    image = sitk.GetImageFromArray(np.ascontiguousarray(pixels))
    return recognize(model, RecognitionCase(MedicalImage(image), image))


def test_network_is_the_alternative_to_the_linear_model(network):
    assert (network.kind, network.alternative_to) == ("onnx", "breast-ultrasound-lesion")


def test_noise_is_not_assessed(network):
    assert not recognized(network, np.random.default_rng(0).normal(size=(224, 224)).astype(np.float32)).assessed


def test_scores_are_means_of_the_class_activations(network):
    """The linear layers have one bias per category and member; what is left must be the same for every image."""
    random = np.random.default_rng(1)
    smooth = [np.cumsum(random.normal(size=(300, 260)), axis=0).astype(np.float32) for _ in range(3)]
    canvases = [square_canvas(sitk.GetImageFromArray(each), network.spec.size, False) for each in smooth]
    made = network.weights().run({"image": np.stack(canvases)[:, None]})
    left = made["scores"].mean(axis=1) - made["activation"].mean(axis=(2, 3))
    np.testing.assert_allclose(left, left[:1].repeat(3, axis=0), atol=1e-3)


def test_lesions_are_told_from_normal_tissue(network, held_out):
    found = [recognized(network, pixels) for pixels, _ in held_out]
    assert np.mean([not each.assessed for each in found]) <= 0.08
    lesion = [1 - each.categories[0].probability if each.assessed else 0.5 for each in found]
    assert roc_auc(np.array(lesion), np.array([category > 0 for _, category in held_out])) > 0.85


@pytest.mark.parametrize(
    "change", [lambda a: a.max() - a, lambda a: np.rot90(a), lambda a: a[::-1]], ids=["inverted", "turned", "flipped"]
)
def test_spoiled_pictures_are_not_assessed(network, held_out, change):
    refused = [not recognized(network, change(pixels)).assessed for pixels, _ in held_out[:20]]
    assert np.mean(refused) >= 0.9
