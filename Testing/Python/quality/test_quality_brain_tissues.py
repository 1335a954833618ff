"""Gray and white matter that were not told apart are said to be so."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import MedicalImage, Segmentation
from MedImageAnalysisLib.quality import CHECKS, QualityCase
from MedImageAnalysisLib.terminology import segment


def brain(gray: int, white: int) -> QualityCase:
    labels = np.zeros(1000, np.uint8)
    labels[:gray], labels[gray : gray + white] = 1, 2
    layer = sitk.GetImageFromArray(labels.reshape(10, 10, 10))
    segments = (segment("gray-matter", 1), segment("white-matter", 2))
    return QualityCase(MedicalImage(layer), Segmentation((layer,), segments), (), (), ())


def findings(case: QualityCase) -> list:
    return list(CHECKS["gray-and-white"]()(case))


@pytest.mark.parametrize(("gray", "white"), [(130, 100), (85, 100), (195, 100)])
def test_a_usual_proportion_is_green(gray, white):
    assert [finding.level for finding in findings(brain(gray, white))] == ["green"]


@pytest.mark.parametrize(("gray", "white"), [(33, 100), (210, 100)])
def test_any_other_proportion_is_amber_and_says_what_not_to_use(gray, white):
    (finding,) = findings(brain(gray, white))
    assert finding.level == "amber"
    assert f"{gray / white:.2f} times" in finding.reason
    assert "do not use their volumes" in finding.reason


def test_an_image_without_these_tissues_is_not_judged():
    assert findings(brain(0, 100)) == findings(brain(100, 0)) == []
