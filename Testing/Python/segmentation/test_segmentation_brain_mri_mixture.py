"""The mixture of pure and mixed voxels: finds the pure tissues and the halfway thresholds of known mixtures."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.imaging.histogram import Histogram
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.brain_mri.mixture import fit_mixture, mixed_classes
from MedImageAnalysisLib.segmentation.generic.clustering import k_means

PURE = (40.0, 110.0, 160.0)


@pytest.fixture
def positions():
    """Little pure fluid, and a third of all voxels mixed: where each voxel lies between the tissues 0, 1 and 2."""
    generator = np.random.default_rng(4)
    pure = np.repeat((0.0, 1.0, 2.0), (2_000, 14_000, 12_000))
    return np.concatenate([pure, generator.uniform(0, 1, 6_000), generator.uniform(1, 2, 6_000)])


@pytest.fixture
def intensities(positions):
    return np.interp(positions, (0, 1, 2), PURE) + np.random.default_rng(5).normal(0, 4, positions.shape)


def test_finds_the_pure_tissues_and_the_values_halfway_between_them(intensities):
    mixture = fit_mixture(intensities, np.ones(intensities.shape, bool))
    assert mixture.means == pytest.approx(PURE, abs=4)
    assert mixture.thresholds == pytest.approx((75, 135), abs=4)


def test_its_threshold_of_fluid_is_nearer_to_the_truth_than_that_of_k_means(intensities):
    region = np.ones(intensities.shape, bool)
    _, _, plain = k_means(Histogram.of(intensities, region), 3)
    assert abs(fit_mixture(intensities, region).thresholds[0] - 75) < abs(plain[0] - 75)


def test_positions_run_from_the_darkest_to_the_brightest_tissue(intensities):
    mixture = fit_mixture(intensities, np.ones(intensities.shape, bool))
    assert mixture.position(mixture.means) == pytest.approx((0, 1, 2))
    assert mixture.position(mixture.thresholds) == pytest.approx((0.5, 1.5))


def test_classes_are_the_prevailing_tissues_and_zero_outside():
    columns = np.repeat(np.interp(np.linspace(0, 2, 60), (0, 0.6, 0.9, 1.1, 1.4, 2), (0, 0, 1, 1, 2, 2))[None], 40, 0)
    values = np.interp(np.stack([columns] * 12), (0, 1, 2), PURE) + np.random.default_rng(6).normal(0, 4, (12, 40, 60))
    region = np.ones(values.shape, bool)
    region[:, :5] = False
    classes = mixed_classes(sitk.GetImageFromArray(values.astype(np.float32)), region, 0.3, Progress())
    expected = 1 + (columns > 0.5) + (columns > 1.5)
    assert not classes[:, :5].any()
    assert (classes[:, 5:] == expected[5:]).mean() > 0.97


def test_voxels_at_the_border_that_hold_the_background_do_not_bend_the_fit():
    # T2: white matter dark, fluid bright; the rim of the region is mixed with black bone around it.
    generator = np.random.default_rng(7)
    z, y, x = np.indices((44, 44, 44)) - 21.5
    radius = np.sqrt(z**2 + y**2 + x**2)
    tissue = np.select([radius < 5, radius < 12, radius < 18], [2.0, 0.0, 1.0], 2.0)
    values = np.interp(tissue, (0, 1, 2), (85, 110, 170)) + generator.normal(0, 4, radius.shape)
    region = radius < 20
    values = np.where(radius > 18.5, generator.uniform(0, 80, radius.shape), values)
    classes = mixed_classes(sitk.GetImageFromArray(values.astype(np.float32)), region, 0.0, Progress())
    sure = region & (radius < 16)
    assert (classes[sure] == 1 + tissue[sure]).mean() > 0.95


def test_a_region_of_one_value_is_one_class():
    values = np.full((4, 4, 4), 7.0, np.float32)
    classes = mixed_classes(sitk.GetImageFromArray(values), np.ones(values.shape, bool), 0.3, Progress())
    assert np.unique(classes).size == 1
