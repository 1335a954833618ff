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


def test_a_region_of_one_value_is_one_class():
    values = np.full((4, 4, 4), 7.0, np.float32)
    classes = mixed_classes(sitk.GetImageFromArray(values), np.ones(values.shape, bool), 0.3, Progress())
    assert np.unique(classes).size == 1
