"""The shipped models on real images: as good as their cards say, and silent where they should be."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.recognition import RecognitionCase, load_model, recognize
from MedImageAnalysisLib.recognition.linear import describe
from MedImageAnalysisLib.recognition.training.judging import predicted
from MedImageAnalysisLib.recognition.training.metrics import roc_auc
from MedImageAnalysisLib.recognition.training.recipes import chest_cases


def recognized(path, model, change=lambda array: array):
    pixels = read_image(path, color="luminance").pixels
    image = sitk.GetImageFromArray(np.ascontiguousarray(change(sitk.GetArrayFromImage(pixels))))
    return recognize(model, RecognitionCase(MedicalImage(image), image))


@pytest.fixture(scope="module")
def chest_model():
    return load_model("chest-xray-pneumonia")


@pytest.fixture(scope="module")
def held_out(real_data):
    """Every eighth held-out radiograph: path and category."""
    cases = [case for case in chest_cases(real_data / "chest_xray_kermany") if case.held_out]
    return [(case.path, case.category) for case in cases][::4]


def test_pneumonia_is_told_from_normal(chest_model, held_out):
    found = [recognized(path, chest_model) for path, _ in held_out]
    assert np.mean([not r.assessed for r in found]) <= 0.05
    normal = np.array([r.categories[0].probability if r.assessed else 0.5 for r in found])
    assert roc_auc(1 - normal, np.array([k > 0 for _, k in held_out])) > 0.98


@pytest.mark.parametrize(
    "change", [lambda a: a.max() - a, lambda a: np.rot90(a), lambda a: a[::-1]], ids=["inverted", "turned", "flipped"]
)
def test_spoiled_radiographs_are_not_assessed(chest_model, held_out, change):
    refused = [not recognized(path, chest_model, change).assessed for path, _ in held_out[:20]]
    assert np.mean(refused) >= 0.95


def test_ultrasound_is_not_assessed_as_a_radiograph(chest_model, real_data):
    paths = sorted((real_data / "breast_ultrasound_busi" / "images").glob("*.png"))[::25]
    assert np.mean([not recognized(path, chest_model).assessed for path in paths]) >= 0.95


def test_masking_the_top_evidence_lowers_the_probability_more_than_masking_at_random(chest_model, held_out):
    """Deletion test: the cells of the map that speak most for the category are filled with the image's median."""
    random = np.random.default_rng(0)
    losses = []
    for path, _ in held_out[:16]:
        pixels = sitk.GetArrayFromImage(read_image(path, color="luminance").pixels)
        found = recognized(path, chest_model)
        if not found.assessed:
            continue
        cells = sitk.GetArrayFromImage(found.evidence_map).reshape(6, 16, 6, 16).sum(axis=(1, 3)).ravel()
        top = int(np.argmax([row.probability for row in found.categories]))
        before = found.categories[top].probability
        orders = np.argsort(-cells)[:6], random.permutation(36)[:6]
        after = [probability_without(chest_model, pixels, order, top) for order in orders]
        losses.append((before - after[0], before - after[1]))
    by_evidence, at_random = np.mean(losses, axis=0)
    assert by_evidence > at_random


def probability_without(model, pixels, cells, category) -> float:
    masked = pixels.copy()
    height, width = pixels.shape[0] // 6, pixels.shape[1] // 6
    for cell in cells:
        row, column = divmod(int(cell), 6)
        masked[row * height : (row + 1) * height, column * width : (column + 1) * width] = np.median(pixels)
    x = describe(model.spec.descriptors, sitk.GetImageFromArray(masked))
    return float(predicted(model, x[None])[0][0, category])
