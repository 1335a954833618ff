"""Which intensities are brain tissue, and whether an image shows a brain alone."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import UnsupportedImageError
from MedImageAnalysisLib.imaging.masks import distance_to
from MedImageAnalysisLib.segmentation.brain_mri.levels import TissueLevels, tissue_levels
from MedImageAnalysisLib.segmentation.brain_mri.stripped import stripped_brain

SHAPE = (60, 60, 60)


def as_image(values: np.ndarray, spacing: float = 3.0) -> sitk.Image:
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    return image


def brain_of(fluid: float, gray: float, white: float, *, few: float = 0.0) -> np.ndarray:
    """A cube in air: 8 % fluid, 46 % each gray and white matter, a percent as bright as `few`."""
    generator = np.random.default_rng(1)
    kinds = generator.choice(3, SHAPE, p=(0.08, 0.46, 0.46))
    values = np.array((fluid, gray, white))[kinds] + generator.normal(0, 3, SHAPE)
    if few:
        values[generator.uniform(size=SHAPE) < 0.01] = few
    return np.pad(values[1:-1, 1:-1, 1:-1], 1)


def levels_of(values: np.ndarray, brain: np.ndarray, threshold: float) -> TissueLevels:
    image = as_image(values)
    return tissue_levels(image, distance_to(brain, image), threshold, 0.5)


@pytest.fixture
def whole() -> np.ndarray:
    return np.pad(np.ones([length - 2 for length in SHAPE], bool), 1)


@pytest.mark.parametrize(
    "levels",
    [(18, 58, 100), (35, 80, 100), (12, 85, 65)],
    ids=["T1 of strong contrast", "T1 of weak contrast", "FLAIR"],
)
def test_dark_fluid_is_told_from_gray_and_white_matter(levels, whole):
    fluid, gray, white = levels
    found = levels_of(brain_of(*levels), whole, 0.0)
    assert not found.fluid_is_bright
    assert fluid + 7 < found.least < min(gray, white) - 4
    assert max(gray, white) + 8 < found.most


def test_bright_fluid_is_told_from_gray_and_white_matter(whole):
    found = levels_of(brain_of(180, 65, 45), whole, 0.0)
    assert found.fluid_is_bright
    assert found.least < 40
    assert 75 < found.most < 150


@pytest.mark.parametrize("levels", [(18, 58, 100), (180, 65, 45)], ids=["T1", "T2"])
def test_an_offset_of_the_intensities_changes_nothing_else(levels, whole):
    values = brain_of(*levels)
    plain, lower = (levels_of(values - offset, whole, -offset) for offset in (0.0, 500.0))
    assert lower.fluid_is_bright == plain.fluid_is_bright
    assert (lower.least + 500, lower.most + 500) == pytest.approx((plain.least, plain.most), abs=0.01)


def test_a_few_bright_vessels_are_no_bright_fluid(whole):
    found = levels_of(brain_of(30, 80, 100, few=400), whole, 0.0)
    assert not found.fluid_is_bright
    assert found.most < 300


def test_an_empty_surface_has_no_levels():
    with pytest.raises(UnsupportedImageError, match="No brain"):
        levels_of(np.zeros(SHAPE), np.ones(SHAPE, bool), 0.0)


def ball(radius_mm: float, spacing: float = 3.0) -> np.ndarray:
    axes = np.meshgrid(*(np.arange(length) - (length - 1) / 2 for length in SHAPE), indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes)) * spacing <= radius_mm


def test_a_brain_alone_is_its_own_mask_with_its_holes_filled():
    brain = ball(65)
    values = np.where(brain & ~ball(10), 100.0, 0.0)
    assert np.array_equal(stripped_brain(as_image(values)), brain)


@pytest.mark.parametrize(
    "values",
    [
        np.where(ball(88), 100.0, 0.0),
        np.where(ball(65), 100.0, np.random.default_rng(3).uniform(0, 20, SHAPE)),
        np.where(ball(65), 100.0, 0.0)[20:34],
        np.zeros(SHAPE),
    ],
    ids=["head", "noise around it", "slab", "nothing"],
)
def test_anything_else_is_not_taken_for_a_brain_alone(values):
    assert stripped_brain(as_image(values)) is None
