"""Bones on CT: marrow included, canal left open, pieces apart, L1 below the lowest ribs."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from ct_phantoms import Torso, chest, dice

from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS


def segmented(image):
    return METHODS["bone-ct"]()(image, None, Progress())


def mask(segmentation, name) -> np.ndarray:
    segment = segmentation.find(name)
    return sitk.GetArrayFromImage(segmentation.mask(segment)).astype(bool)


@pytest.fixture(scope="module")
def torso() -> Torso:
    return chest()


@pytest.fixture(scope="module")
def found(torso):
    return segmented(torso.image())


@pytest.fixture(scope="module")
def lumbar() -> Torso:
    """A spine of vertebrae 27 mm high with discs of 6 mm between; ribs start at those from the fourth on."""
    spacing = (3.0, 2.0, 2.0)
    s, p, left = np.ogrid[:70, :110, :130]
    s, p, left = s * 3.0, p * 2.0, left * 2.0
    hu = np.full((70, 110, 130), -1000, np.float32)
    body = ((p - 110) / 95) ** 2 + ((left - 130) / 120) ** 2 <= 1
    hu[np.broadcast_to(body, hu.shape)] = 40
    level = (s % 33).astype(int)
    radius = np.sqrt(((p - 120) / 1.0) ** 2 + ((left - 130) / 1.2) ** 2)
    vertebra = (radius <= 18) & (level >= 6)
    hu[vertebra] = 500
    marrow = (radius <= 15) & (level >= 9) & (level < 30)
    hu[marrow] = 140
    for number in range(3, 6):
        start = number * 33 + 20
        out = np.abs(left - 130)
        rib = (out >= 20) & (out <= 100) & (np.abs(s - (start - 0.3 * (out - 20))) <= 4) & (np.abs(p - 125) <= 5)
        hu[rib] = 500
    truth = {"marrow": marrow & np.ones_like(vertebra), "l1-marrow": marrow & (s >= 66) & (s < 99)}
    return Torso(hu, truth, spacing)


def test_bones_are_found_with_their_marrow(torso, found):
    assert dice(mask(found, "bone"), torso.truth["bone"]) >= 0.9


def test_cortical_and_trabecular_bone_share_the_bone(found):
    cortical, trabecular = mask(found, "cortical-bone"), mask(found, "trabecular-bone")
    assert not (cortical & trabecular).any()
    assert ((cortical | trabecular) == mask(found, "bone")).all()


def test_separate_bones_get_segments_of_their_own_from_the_largest(found):
    sizes = [mask(found, s.name).sum() for s in found.segments if s.name.startswith("Bone ")]
    assert len(sizes) >= 3
    assert all(later <= 1.05 * earlier for earlier, later in itertools.pairwise(sizes))


def test_the_first_lumbar_vertebra_lies_below_the_lowest_ribs(lumbar):
    found = segmented(lumbar.image(noise=8))
    vertebra = mask(found, "l1-vertebra")
    assert vertebra[lumbar.truth["l1-marrow"]].mean() >= 0.9
    assert not vertebra[lumbar.truth["marrow"] & ~lumbar.truth["l1-marrow"]].any()


@pytest.mark.parametrize("degrees", [0, 12])
def test_vertebrae_are_told_apart_along_their_discs_and_counted_from_the_first_lumbar_one(lumbar, degrees):
    image = lumbar.image(noise=8)
    numbers = np.where(lumbar.truth["marrow"], np.arange(70)[:, None, None] * 3 // 33 + 1, 0).astype(np.int16)
    numbers = sitk.GetImageFromArray(numbers)
    numbers.CopyInformation(image)
    lean = sitk.Euler3DTransform(image.TransformContinuousIndexToPhysicalPoint((65, 60, 35)), np.deg2rad(degrees), 0, 0)
    leaning = sitk.Resample(image, image, lean, sitk.sitkLinear, -1000)
    truth = sitk.GetArrayFromImage(sitk.Resample(numbers, image, lean, sitk.sitkNearestNeighbor))

    found = segmented(leaning)

    names = [s.name for s in found.segments if s.name.endswith("vertebra")]
    assert "L1 vertebra" in names
    assert {"L2 vertebra", "T12 vertebra"} & set(names)
    order = ["L4 vertebra", "L3 vertebra", "L2 vertebra", "L1 vertebra", "T12 vertebra", "T11 vertebra", "T10 vertebra"]
    assert names == [name for name in order if name in names]
    for name in names:
        counts = np.bincount(truth[mask(found, name) & (truth > 0)])
        assert counts.max() >= 0.98 * counts.sum()


def test_without_ribs_no_vertebra_is_called_l1(lumbar):
    assert segmented(lumbar.image(noise=8)[:, :, :32]).find("l1-vertebra") is None


def test_bones_of_a_patient_agree_with_the_reference(real_data):
    image = sitk.ReadImage(str(real_data / "ct_torso" / "example_ct_sm.nii.gz"))
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(real_data / "ct_torso" / "example_seg.nii.gz")))
    found = segmented(image)
    bones = [*range(25, 51), *range(69, 79), *range(91, 117)]
    assert dice(mask(found, "bone"), np.isin(truth, bones)) >= 0.87
    assert dice(mask(found, "l1-vertebra"), truth == 31) >= 0.85
