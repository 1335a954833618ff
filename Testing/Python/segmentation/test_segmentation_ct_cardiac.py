"""Cardiac CT: the heart region and the calcifications in it, on a drawn chest."""

import numpy as np
import pytest
import SimpleITK as sitk
from ct_phantoms import DIRECTIONS, Torso, chest

from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS

# In voxels along superior, posterior and left: inside the drawn heart.
PLAQUE = (slice(23, 25), slice(26, 28), slice(50, 53))


@pytest.fixture(scope="module")
def torso() -> Torso:
    drawn = chest()
    hu = drawn.hu.copy()
    hu[PLAQUE] = 300
    truth = {**drawn.truth, "plaque": np.zeros(hu.shape, bool)}
    truth["plaque"][PLAQUE] = True
    return Torso(hu, truth, drawn.spacing)


def masks(image) -> dict[str, np.ndarray]:
    found = METHODS["cardiac-ct"]()(image, None, Progress())
    return {segment.key: sitk.GetArrayFromImage(found.mask(segment)).astype(bool) for segment in found.segments}


def test_the_region_holds_the_heart_and_no_lung_or_spine(torso):
    region = masks(torso.image())["heart"]
    assert region[torso.truth["heart"]].mean() >= 0.9
    assert not (region & (torso.truth["right-lung"] | torso.truth["left-lung"])).any()
    assert not region[:, int(200 / 4) :].any()


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_exactly_the_plaque_is_found_and_no_rib(torso, direction):
    found = masks(torso.image(direction, noise=8))["vascular-calcification"]
    expected = sitk.GetArrayFromImage(torso.stored(torso.truth["plaque"].astype(np.uint8), direction)) > 0
    assert (found == expected).all()


def test_without_calcium_there_is_a_heart_only(torso):
    assert list(masks(chest().image(noise=8))) == ["heart"]


def test_without_lungs_no_heart_is_invented(torso):
    assert masks(torso.image()[:, :, :8]) == {}


def test_bone_that_reaches_into_the_region_is_no_plaque():
    torso = chest()
    region = masks(torso.image(noise=8))["heart"]
    front = int(np.flatnonzero(region[24, :, 47])[0])
    hu = torso.hu.copy()
    hu[24, front - 5 : front + 3, 46:48] = 400
    assert "vascular-calcification" not in masks(Torso(hu, torso.truth, torso.spacing).image(noise=8))


def test_noise_in_thin_slices_is_no_plaque(torso):
    # Slices of 4 mm, repeated to 1 mm each, with noise of their own.
    hu = np.repeat(chest().hu, 4, axis=0) + np.random.default_rng(5).normal(0, 33, (4 * torso.hu.shape[0], 1, 1))
    thin = Torso(hu.astype(np.int16), {}, (1.0, *torso.spacing[1:])).image(noise=30)
    dense = sitk.GetArrayViewFromImage(thin) > 130
    found = masks(thin)
    assert dense[found["heart"]].sum() > 10
    assert found.get("vascular-calcification", np.zeros(1)).sum() < 0.02 * dense[found["heart"]].sum()
