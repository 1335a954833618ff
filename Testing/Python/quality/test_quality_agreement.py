"""Whether outline and model agree on there being a lesion is said, in words that tell what to do."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import CategoryProbability, Code, MedicalImage, Recognition, Segmentation
from MedImageAnalysisLib.quality import CHECKS, QualityCase
from MedImageAnalysisLib.terminology import segment

NORMAL = Code("SCT", "17621005", "Normal")
MALIGNANT = Code("SCT", "21594007", "Malignant")


def breast(outlined: bool, *recognitions: Recognition, key: str = "breast-lesion") -> QualityCase:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[10:20, 10:20] = outlined
    layer = sitk.GetImageFromArray(pixels)
    return QualityCase(MedicalImage(layer), Segmentation((layer,), (segment(key, 1),)), (), (), recognitions)


def model(normal: float) -> Recognition:
    categories = (
        CategoryProbability("Normal", normal, 0.0, 1.0, True, NORMAL),
        CategoryProbability("Malignant lesion", 1 - normal, 0.0, 1.0, True, MALIGNANT),
    )
    return Recognition("some-model", "1.0.0", "Breast lesion", True, categories=categories)


def findings(case: QualityCase) -> list:
    return list(CHECKS["agreement"]()(case))


@pytest.mark.parametrize(
    ("outlined", "normal", "level", "words"),
    [
        (True, 0.03, "green", "A region is outlined, and"),
        (False, 0.97, "green", "Nothing is outlined, and"),
        (True, 0.97, "amber", '"Normal" for most probable (97 %). One of them is wrong'),
        (False, 0.03, "amber", '"Malignant lesion" for most probable (97 %). Look at the picture, and outline by hand'),
    ],
)
def test_outline_and_model_are_compared(outlined, normal, level, words):
    (finding,) = findings(breast(outlined, model(normal)))
    assert finding.level == level
    assert words in finding.reason
    assert "Breast lesion" in finding.reason


def test_each_model_is_compared():
    levels = [finding.level for finding in findings(breast(True, model(0.1), model(0.9)))]
    assert levels == ["green", "amber"]


def test_model_that_assessed_nothing_is_not_compared():
    refused = Recognition("some-model", "1.0.0", "Breast lesion", False, reason="Another kind of image.")
    assert findings(breast(True, refused)) == findings(breast(True)) == []


def test_model_without_a_category_for_nothing_is_not_compared():
    only = Recognition(
        "x", "1.0.0", "Kind", True, categories=(CategoryProbability("Malignant", 1.0, 1.0, 1.0, True, MALIGNANT),)
    )
    assert findings(breast(True, only)) == []


def test_organs_are_not_lesions():
    assert findings(breast(True, model(0.97), key="heart")) == []
