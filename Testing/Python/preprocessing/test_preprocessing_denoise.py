"""Denoising lowers the noise and leaves edges where they are."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from MedImageAnalysisLib.imaging.filters import gaussian_smooth, noise_level
from MedImageAnalysisLib.preprocessing import STEPS

DENOISERS = ["median", "gaussian", "curvature-flow", "anisotropic-diffusion", "bilateral", "non-local-means"]
SPECKLE = ["speckle-diffusion", "lee"]
SIGMA = 10.0


def step_edge(shape) -> np.ndarray:
    """100 on the left half, 200 on the right."""
    pixels = np.full(shape, 100.0, np.float32)
    pixels[..., shape[-1] // 2 :] = 200
    return pixels


def edge_position(pixels: np.ndarray) -> float:
    """Where the mean profile along x crosses 150, in pixels."""
    profile = pixels.reshape(-1, pixels.shape[-1]).mean(axis=0)
    after = int(np.argmax(profile > 150))
    return after - (profile[after] - 150) / (profile[after] - profile[after - 1])


@pytest.mark.parametrize("shape", [(60, 60), (16, 32, 32)], ids=["2D", "3D"])
@pytest.mark.parametrize("name", DENOISERS)
def test_noise_falls_and_the_edge_stays(name, shape, noise, quiet):
    clean = step_edge(shape)
    noisy = clean + noise.normal(0, SIGMA, shape).astype(np.float32)
    result = sitk.GetArrayFromImage(STEPS[name]()(sitk.GetImageFromArray(noisy), quiet))
    flat = result[..., 4 : shape[-1] // 2 - 4]
    assert flat.std() < 0.75 * SIGMA
    assert flat.mean() == pytest.approx(100, abs=1.5)
    assert edge_position(result) == pytest.approx(edge_position(clean), abs=0.35)


@pytest.mark.parametrize("shape", [(60, 60), (16, 32, 32)], ids=["2D", "3D"])
@pytest.mark.parametrize("name", SPECKLE)
def test_speckle_falls_and_the_edge_stays(name, shape, noise, quiet):
    clean = step_edge(shape)
    speckled = (clean * noise.gamma(25, 1 / 25, shape)).astype(np.float32)
    result = sitk.GetArrayFromImage(STEPS[name]()(sitk.GetImageFromArray(speckled), quiet))
    left = (slice(None),) * (len(shape) - 1) + (slice(4, shape[-1] // 2 - 4),)
    assert result[left].std() < 0.5 * speckled[left].std()
    assert edge_position(result) == pytest.approx(edge_position(clean), abs=0.5)


def test_speckle_diffusion_keeps_an_edge_better_than_a_gaussian_of_equal_smoothing(noise, quiet):
    clean = step_edge((80, 80))
    speckled = sitk.GetImageFromArray((clean * noise.gamma(25, 1 / 25, clean.shape)).astype(np.float32))
    diffused = sitk.GetArrayFromImage(STEPS["speckle-diffusion"]()(speckled, quiet))
    smoothed = sitk.GetArrayFromImage(gaussian_smooth(speckled, (3.0, 3.0), quiet))

    def slope(pixels):
        return np.diff(pixels.mean(axis=0)).max()

    assert slope(diffused) > 2 * slope(smoothed)


def test_speckle_diffusion_keeps_the_sum_of_uncompressed_intensities(noise, quiet):
    pixels = noise.gamma(4, 25, (40, 50)).astype(np.float32)
    step = STEPS["speckle-diffusion"](log_compressed=False, iterations=20)
    result = sitk.GetArrayFromImage(step(sitk.GetImageFromArray(pixels), quiet))
    assert result.sum(dtype=np.float64) == pytest.approx(pixels.sum(dtype=np.float64), rel=1e-4)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_the_gaussian_is_that_of_scipy_in_millimeters(sigma, noise, quiet):
    pixels = ndimage.gaussian_filter(noise.normal(0, 100, (40, 50)), 1).astype(np.float32)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.5, 2.0))
    result = sitk.GetArrayFromImage(STEPS["gaussian"](sigma=sigma)(image, quiet))
    expected = ndimage.gaussian_filter(pixels, (sigma / 2.0, sigma / 0.5), mode="nearest")
    assert np.abs(result - expected).max() < 0.02 * np.ptp(pixels)


def test_the_median_is_that_of_scipy_with_a_radius_in_millimeters(noise, quiet):
    pixels = noise.integers(0, 1000, (12, 20, 24)).astype(np.int16)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((1.0, 0.5, 3.0))
    result = sitk.GetArrayFromImage(STEPS["median"](radius=1.0)(image, quiet))
    assert np.array_equal(result, ndimage.median_filter(pixels, (1, 5, 3), mode="nearest"))


def test_the_bilateral_filter_follows_its_formula_and_has_no_seams(noise, quiet):
    pixels = noise.normal(100, SIGMA, (6, 60, 52)).astype(np.float32)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((1.0, 1.0, 1.5))
    result = sitk.GetArrayFromImage(STEPS["bilateral"](sigma=1.0)(image, quiet))
    reach = 3 * noise_level(image)
    for voxel in ((3, 48, 47), (0, 0, 0), (5, 20, 51)):
        squared = sum((s * (i - v)) ** 2 for s, i, v in zip((1.5, 1, 1), np.indices(pixels.shape), voxel, strict=True))
        weight = np.exp(-squared / 2 - (pixels - pixels[voxel]) ** 2 / (2 * reach**2)) * (squared <= 4)
        assert result[voxel] == pytest.approx((weight * pixels).sum() / weight.sum(), rel=1e-4)


def test_non_local_means_has_no_seams_between_its_blocks(noise, quiet):
    from skimage.restoration import denoise_nl_means

    pixels = noise.normal(100, SIGMA, (300, 280)).astype(np.float32)
    image = sitk.GetImageFromArray(pixels)
    sigma = noise_level(image)
    whole = denoise_nl_means(pixels, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, fast_mode=True)
    blocks = sitk.GetArrayFromImage(STEPS["non-local-means"]()(image, quiet))
    assert np.abs(whole - blocks).max() < 0.05


@pytest.mark.parametrize("shape", [(200, 200), (5, 100, 100), (1, 4000)], ids=str)
def test_the_noise_level_is_measured_beside_edges(shape, noise):
    noisy = step_edge(shape) + noise.normal(0, SIGMA, shape).astype(np.float32)
    assert noise_level(sitk.GetImageFromArray(noisy)) == pytest.approx(SIGMA, rel=0.06)
