"""The drawn radiograph of the self-test: always the same, and what its description says."""

import numpy as np
import SimpleITK as sitk

from MedImageAnalysisLib.phantom import chest_radiograph


def test_it_is_always_the_same():
    first, second = (sitk.GetArrayFromImage(chest_radiograph().pixels) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_it_says_what_it_is():
    image = chest_radiograph()
    assert (image.info.modality, image.info.body_part, image.info.view) == ("DX", "CHEST", "PA")
    assert image.pixels.GetSize() == (400, 400)
    assert image.info.length_unit == "mm"


def test_lungs_are_dark_in_a_bright_body_and_the_heart_is_brightest():
    values = sitk.GetArrayFromImage(chest_radiograph().pixels)
    lung, body, heart = values[195, 115], values[390, 100], values[250, 240]
    assert lung < body < heart
