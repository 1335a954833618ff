"""Stability: the statistics by published numbers, the perturbations by what they must do."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.errors import Cancelled
from MedImageAnalysisLib.features.perturbation import Change, Perturbations, noise_level, perturbed
from MedImageAnalysisLib.features.settings import FeatureSettings
from MedImageAnalysisLib.features.stability import intraclass_correlation, stability
from MedImageAnalysisLib.progress import Progress

FIRST_ORDER = FeatureSettings(families=("intensity",))
NOTHING = {"rotation_deg": 0.0, "translation_voxels": 0.0, "noise": 0.0, "volume_change": 0.0}
STILL = Change(angle=0.0, volume_change=0.0, shift=(0.0, 0.0, 0.0), noise=0.0, seed=(0, 0))


@pytest.fixture(scope="module")
def phantom() -> tuple[sitk.Image, Segmentation]:
    """Two balls of different size and brightness on an oblique, anisotropic grid; a third segment is empty."""
    z, y, x = np.mgrid[:24, :40, :44]
    small = (2 * (z - 8)) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 <= 8**2
    large = (2 * (z - 13)) ** 2 + (y - 26) ** 2 + (x - 30) ** 2 <= 11**2
    noise = np.random.default_rng(0).normal(0, 5, z.shape)
    image = sitk.GetImageFromArray(np.rint(40 + 60 * small + 110 * large + noise).astype(np.int16))
    labels = sitk.GetImageFromArray((small + 2 * large).astype(np.uint8))
    for item in (image, labels):
        item.SetSpacing((1.0, 1.0, 2.0))
        item.SetOrigin((5.0, -20.0, 100.0))
        item.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    segments = tuple(Segment(name, label, (1.0, 0.0, 0.0)) for label, name in enumerate(("small", "large", "none"), 1))
    return image, Segmentation((labels,), segments)


def test_icc_equals_the_example_of_shrout_and_fleiss():
    """Shrout and Fleiss 1979, tables 2 to 4: six subjects, four judges, ICC(2,1) = 0.29."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert intraclass_correlation(ratings.T) == pytest.approx(0.2898, abs=1e-4)


@given(seed=st.integers(0, 10**6), offset=st.floats(-1e6, 1e6), factor=st.floats(0.1, 1e3))
@settings(max_examples=50, deadline=None)
def test_icc_does_not_depend_on_unit_or_origin_of_a_feature(seed, offset, factor):
    values = np.random.default_rng(seed).normal(0, 1, (5, 8)) + np.arange(8)
    assert intraclass_correlation(offset + factor * values) == pytest.approx(intraclass_correlation(values), abs=1e-6)


def test_icc_is_1_for_perfect_agreement_and_about_0_for_chance():
    subjects = np.arange(30.0)
    assert intraclass_correlation(np.tile(subjects, (4, 1))) == 1
    assert abs(intraclass_correlation(np.random.default_rng(0).normal(0, 1, (20, 400)))) < 0.05
    assert np.isnan(intraclass_correlation(np.ones((4, 5))))
    assert np.isnan(intraclass_correlation(np.ones((4, 1))))


def test_without_changes_nothing_varies(phantom):
    table = stability(*phantom, FIRST_ORDER, Perturbations(repetitions=2, **NOTHING))
    assert table.value("large", "stat_mean:cv") == 0
    assert table.value("large", "stat_mean:icc") == 1 or np.isnan(table.value("large", "stat_mean:icc"))


def test_mean_is_stable_and_skewness_is_not(phantom):
    table = stability(*phantom, FIRST_ORDER, Perturbations(repetitions=6))
    assert 0 < table.value("large", "stat_mean:cv") < 0.05
    assert table.value("large", "stat_skew:cv") > table.value("large", "stat_mean:cv")
    names = [definition.name for definition in table.definitions]
    assert len(names) == len(set(names))
    assert {definition.unit for definition in table.definitions} == {"1"}


def test_volume_varies_by_what_was_asked_for(phantom):
    changes = Perturbations(repetitions=8, **{**NOTHING, "volume_change": 0.2})
    image, segmentation = phantom
    large = Segmentation(segmentation.layers, segmentation.segments[1:2])
    table = stability(image, large, FeatureSettings(families=("shape",)), changes)
    drawn = np.array([1 + change.volume_change for change in changes.draw(3)])
    volume = next(d.name for d in table.definitions if d.name.startswith("morph_vol") and d.name.endswith(":cv"))
    assert table.value("large", volume) == pytest.approx(drawn.std(ddof=1) / drawn.mean(), rel=0.1)


def test_same_seed_gives_the_same_table_and_another_seed_another(phantom):
    first, second, other = (
        stability(*phantom, FIRST_ORDER, Perturbations(repetitions=2, seed=seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.values, second.values, equal_nan=True)
    assert not np.array_equal(first.values, other.values, equal_nan=True)


def test_empty_cells_say_why(phantom):
    image, segmentation = phantom
    table = stability(image, segmentation, FIRST_ORDER, Perturbations(repetitions=2))
    row = len(segmentation.segments) - 1
    assert np.isnan(table.values[row]).all()
    assert "2 of 2" in table.reasons[row, 0]
    alone = Segmentation(segmentation.layers, segmentation.segments[:1])
    table = stability(image, alone, FIRST_ORDER, Perturbations(repetitions=2))
    assert "two segments" in table.reasons[0, 1]


def test_a_2d_image_is_changed_in_its_plane(phantom):
    image, segmentation = phantom
    flat = Segmentation((segmentation.labelmap[:, :, 13],), segmentation.segments[:2])
    table = stability(image[:, :, 13], flat, FIRST_ORDER, Perturbations(repetitions=3))
    assert 0 < table.value("large", "stat_mean:cv") < 0.05


def test_stability_can_be_cancelled(phantom):
    with pytest.raises(Cancelled):
        stability(*phantom, FIRST_ORDER, progress=Progress(cancelled=lambda: True))


def test_a_shift_by_whole_voxels_moves_image_and_segment_alike(phantom):
    image, segmentation = phantom
    mask = segmentation.mask(segmentation.segments[1])
    moved, inside = perturbed(image, mask, Change(**{**vars(STILL), "shift": (2.0, -1.0, 1.0)}), 0.0)
    pixels, before = sitk.GetArrayViewFromImage(moved), sitk.GetArrayViewFromImage(image)
    assert np.array_equal(pixels[:-1, 1:, :-2], before[1:, :-1, 2:])
    assert np.array_equal(
        sitk.GetArrayViewFromImage(inside)[:-1, 1:, :-2], sitk.GetArrayViewFromImage(mask)[1:, :-1, 2:]
    )
    assert moved.GetPixelID() == image.GetPixelID()
    assert moved.GetDirection() == image.GetDirection()


def test_rotation_is_about_the_normal_of_the_slice(phantom):
    """A quarter turn of a cube about its center turns each slice."""
    cube = phantom[0][:40, :40, :]
    turned, _ = perturbed(cube, cube > 1000, Change(**{**vars(STILL), "angle": np.pi / 2}), 0.0)
    expected = np.rot90(sitk.GetArrayFromImage(cube), axes=(1, 2))
    found = sitk.GetArrayFromImage(turned)
    assert np.array_equal(found, expected) or np.array_equal(found, np.rot90(expected, 2, axes=(1, 2)))


def test_noise_is_estimated_and_added_in_that_strength(phantom):
    quiet = sitk.GetImageFromArray(np.random.default_rng(1).normal(0, 7, (32, 32, 32)).astype(np.float32))
    assert noise_level(quiet) == pytest.approx(7, rel=0.05)
    noisy, _ = perturbed(quiet, sitk.Cast(quiet > 0, sitk.sitkUInt8), Change(**{**vars(STILL), "noise": 2.0}), 7.0)
    assert noise_level(noisy) == pytest.approx(7 * 5**0.5, rel=0.05)


def test_integers_stay_in_their_range():
    image = sitk.GetImageFromArray(np.full((8, 8, 8), 255, np.uint8))
    noisy, _ = perturbed(image, image > 0, Change(**{**vars(STILL), "noise": 1.0}), 20.0)
    assert sitk.GetArrayViewFromImage(noisy).max() == 255
    assert sitk.GetArrayViewFromImage(noisy).min() > 100
