"""Head CT: skull, brain, fluid and blood on a drawn head."""

import numpy as np
import pytest
import SimpleITK as sitk
from ct_phantoms import DIRECTIONS, Torso, dice, head

from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS

FLOORS = {"skull": 0.9, "brain": 0.95, "brain-ventricles": 0.8, "hyperdense": 0.8}


@pytest.fixture(scope="module")
def drawing() -> Torso:
    return head()


def masks(image) -> dict[str, np.ndarray]:
    found = METHODS["brain-ct"]()(image, None, Progress())
    return {segment.key: sitk.GetArrayFromImage(found.mask(segment)).astype(bool) for segment in found.segments}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_skull_brain_ventricles_and_blood_are_found(drawing, direction):
    found = masks(drawing.image(direction, noise=4))
    for key, floor in FLOORS.items():
        expected = sitk.GetArrayFromImage(drawing.stored(drawing.truth[key].astype(np.uint8), direction)) > 0
        assert dice(found[key], expected) >= floor, key


def test_cisterns_are_fluid_but_no_ventricles_and_the_fourth_ventricle_is_one(drawing):
    s, p, left = np.ogrid[: drawing.hu.shape[0], : drawing.hu.shape[1], : drawing.hu.shape[2]]
    s, p, left = (axis * length for axis, length in zip((s, p, left), drawing.spacing, strict=True))
    cistern = ((s - 70) / 8) ** 2 + ((p - 100) / 9) ** 2 + ((left - 100) / 16) ** 2 <= 1
    fourth = ((s - 70) / 10) ** 2 + ((p - 140) / 7) ** 2 + ((left - 100) / 8) ** 2 <= 1
    behind = ((s - 105) / 6) ** 2 + ((p - 130) / 5) ** 2 + ((left - 100) / 6) ** 2 <= 1
    hu = np.where(cistern | fourth | behind, 5, drawing.hu)
    found = masks(Torso(hu, drawing.truth, drawing.spacing).image(noise=4))
    assert found["brain-ventricles"][fourth].mean() > 0.7
    assert not found["brain-ventricles"][cistern].any()
    assert found["cerebrospinal-fluid"][cistern].mean() > 0.7
    assert found["cerebrospinal-fluid"][behind].mean() > 0.5
    assert dice(found["brain-ventricles"], drawing.truth["brain-ventricles"] | fourth) > 0.8


def test_a_shift_of_the_scale_does_not_matter(drawing):
    image = drawing.image(noise=4)
    first, second = masks(image), masks(sitk.Cast(image + 6, sitk.sitkInt16))
    assert dice(first["brain-ventricles"], second["brain-ventricles"]) >= 0.95


def test_without_blood_nothing_is_hyperdense(drawing):
    hu = np.where(drawing.truth["hyperdense"], 34, drawing.hu)
    assert "hyperdense" not in masks(Torso(hu, drawing.truth, drawing.spacing).image(noise=4))


def test_calcification_is_not_taken_for_blood(drawing):
    hu = np.where(drawing.truth["hyperdense"], 160, drawing.hu)
    found = masks(Torso(hu, drawing.truth, drawing.spacing).image(noise=4))
    assert not found.get("hyperdense", np.zeros(hu.shape, bool))[drawing.truth["hyperdense"]].any()


def test_brain_of_a_patient_has_the_size_of_brains(real_data):
    image = read_image(real_data / "ct_head" / "GE").pixels
    found = masks(image)
    milliliters = {key: mask.sum() * np.prod(image.GetSpacing()) / 1000 for key, mask in found.items()}
    assert 550 <= milliliters["brain"] <= 900
    assert 15 <= milliliters["brain-ventricles"] <= 40
    assert not (found["brain"] & (sitk.GetArrayViewFromImage(image) > 1000)).any()
