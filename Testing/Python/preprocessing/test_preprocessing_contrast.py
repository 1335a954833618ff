"""Contrast: exact percentiles, bounded and order-keeping maps, even illumination."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.imaging.histogram import Histogram, multi_otsu, percentiles
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.normalize import HistogramMatch
from MedImageAnalysisLib.progress import Progress

MONOTONE = {
    "equalize-histogram": {},
    "gamma": {"gamma": 0.5},
    "window": {"lower": 10.0, "upper": 200.0},
    "percentile-rescale": {},
    "brightness-contrast": {"brightness": 0.1, "contrast": 1.5},
    "tissue-window": {"tissue": "bone"},
    "z-score": {},
    "white-stripe": {},
    "histogram-match": {"quantiles": [0.0, 1.0, 5.0, 70.0]},
    "nyul": {"landmarks": [0.0, 5.0, 100.0], "percentiles": [1.0, 50.0, 99.0]},
}
INTEGERS = hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=3, max_side=12))


def processed(name: str, pixels: np.ndarray, **parameters) -> np.ndarray:
    step = STEPS[name].from_settings(parameters)
    return sitk.GetArrayFromImage(step(sitk.GetImageFromArray(pixels), Progress()))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(MONOTONE)), pixels=INTEGERS)
def test_maps_of_intensity_keep_the_order_of_values(name, pixels):
    order = np.argsort(pixels, axis=None, kind="stable")
    result = processed(name, pixels, **MONOTONE[name]).reshape(-1)[order]
    assert (np.diff(result) >= -1e-3 * max(1.0, np.abs(result).max())).all()


@settings(max_examples=60, deadline=None)
@given(
    pixels=hnp.arrays(
        st.sampled_from([np.int16, np.uint8, np.uint16, np.float32]), (7, 9), elements=st.integers(0, 200)
    ),
    percents=st.lists(st.floats(0, 100), min_size=1, max_size=4),
)
def test_percentiles_are_those_of_numpy(pixels, percents):
    assert percentiles(pixels, tuple(percents)) == pytest.approx(np.percentile(pixels, percents), rel=1e-6, abs=1e-4)


def test_percentile_rescale_puts_the_percentiles_at_the_ends():
    pixels = np.arange(1001, dtype=np.int16).reshape(77, 13)
    result = processed("percentile-rescale", pixels, lower_percentile=10.0, upper_percentile=90.0)
    assert result[pixels == 100] == pytest.approx(0)
    assert result[pixels == 500] == pytest.approx(0.5)
    assert result[pixels == 900] == pytest.approx(1)
    assert result.min() == 0
    assert result.max() == 1


def test_percentile_rescale_of_a_mask_keeps_its_contrast():
    pixels = np.zeros((40, 40), np.uint8)
    pixels[3, 3] = 200
    result = processed("percentile-rescale", pixels)
    assert (result[3, 3], result[0, 0]) == (1, 0)


def test_a_window_maps_its_ends_and_clips_beyond():
    pixels = np.array([[-1000, -160, 40, 240, 3000]], np.int16)
    assert processed("window", pixels, lower=-160.0, upper=240.0) == pytest.approx(np.array([[0, 0, 0.5, 1, 1]]))
    assert processed("tissue-window", pixels, tissue="abdomen") == pytest.approx(np.array([[0, 0, 0.5, 1, 1]]))


def test_a_window_upside_down_is_refused():
    with pytest.raises(InvalidSettingError, match=r"'lower' .* must be below 'upper'"):
        STEPS["window"](lower=5.0, upper=5.0)


def test_brightness_and_contrast_follow_their_formula():
    pixels = np.array([[0, 50, 100]], np.uint8)
    result = processed("brightness-contrast", pixels, brightness=0.2, contrast=2.0)
    assert result == pytest.approx(np.array([[-30.0, 70.0, 170.0]]))
    assert processed("brightness-contrast", pixels, contrast=0.0) == pytest.approx(np.full((1, 3), 50.0))


def test_gamma_follows_its_formula():
    pixels = np.array([[10, 35, 110]], np.int16)
    assert processed("gamma", pixels, gamma=0.5) == pytest.approx(np.array([[10, 60, 110]]))


def test_equalized_values_are_uniform_within_the_range(noise):
    pixels = noise.gamma(2, 50, (100, 100)).astype(np.float32)
    result = processed("equalize-histogram", pixels)
    assert (result.min(), result.max()) == pytest.approx((pixels.min(), pixels.max()), rel=1e-5)
    unit = (result - result.min()) / np.ptp(result)
    assert stats.kstest(unit.ravel(), "uniform").statistic < 0.01


@pytest.mark.parametrize("shape", [(97, 83), (21, 30, 33)], ids=["2D", "3D"])
def test_clahe_stays_within_the_range_and_raises_local_contrast(shape, noise):
    pixels = noise.normal(100, 5, shape).astype(np.float32)
    pixels[..., shape[-1] // 2 :] += 800
    result = processed("clahe", pixels)
    assert result.min() >= pixels.min() - 1e-2
    assert result.max() <= pixels.max() + 1e-2
    assert result[..., :8].std() > 1.5 * pixels[..., :8].std()


@pytest.mark.parametrize("shape", [(512, 512), (64, 96, 96)], ids=["2D", "3D"])
def test_clahe_agrees_with_scikit_image(shape, noise):
    from scipy import ndimage
    from skimage.exposure import equalize_adapthist

    smooth = ndimage.gaussian_filter(noise.standard_normal(shape), 4)
    pixels = (4000 * (smooth - smooth.min()) / np.ptp(smooth) + noise.uniform(0, 20, shape)).astype(np.int16)
    unit = (pixels - pixels.min()) / np.ptp(pixels)
    expected = equalize_adapthist(unit, tuple(n // 8 for n in shape), 0.01)
    result = (processed("clahe", pixels) - pixels.min()) / np.ptp(pixels)
    assert np.abs(result - expected).mean() < 0.02
    assert np.corrcoef(result.ravel(), expected.ravel())[0, 1] > 0.996


def test_clahe_without_gain_changes_nothing(noise):
    pixels = noise.integers(0, 4000, (64, 64)).astype(np.int16)
    assert np.abs(processed("clahe", pixels, clip_limit=1 / 256) - pixels).max() < 4000 / 256


def test_clahe_tiles_are_in_millimeters(noise):
    pixels = sitk.GetImageFromArray(noise.gamma(2, 50, (64, 64)).astype(np.float32))
    pixels.SetSpacing((0.5, 2.0))
    by_length = sitk.GetArrayFromImage(STEPS["clahe"](tile_size=16.0)(pixels, Progress()))
    # 32 mm by 128 mm: 2 by 8 tiles. On a grid of 1 mm the same pixels have 4 by 4.
    assert not np.array_equal(by_length, processed("clahe", sitk.GetArrayFromImage(pixels), tile_size=16.0))


def test_clahe_works_in_little_memory_and_listens_often(noise):
    import tracemalloc

    pixels = sitk.GetImageFromArray(noise.integers(0, 4000, (1500, 1500)).astype(np.int16))
    calls = []
    STEPS["clahe"]()(pixels, Progress(cancelled=lambda: bool(calls.append(0))))
    tracemalloc.start()
    STEPS["clahe"]()(pixels, Progress())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Beside the output, which SimpleITK holds: a small part of the image's 4.5 MB.
    assert peak < 3e6
    assert len(calls) > 1500


@pytest.mark.parametrize("method", ["subtract", "homomorphic"])
def test_uneven_illumination_is_evened_out(method, noise):
    y, x = np.mgrid[0:80, 0:100]
    light = 1 + 0.6 * np.cos(x / 60) * np.cos(y / 80)
    texture = 100 + 10 * noise.standard_normal((80, 100))
    lit = texture * light if method == "homomorphic" else texture + 100 * light
    result = processed("correct-background", lit.astype(np.float32), method=method, scale=12.0)
    before = np.corrcoef(lit.ravel(), light.ravel())[0, 1]
    after = np.corrcoef(result.ravel(), light.ravel())[0, 1]
    assert abs(after) < 0.35 * before


def test_matching_to_a_reference_gives_its_histogram_and_to_itself_changes_nothing(noise, quiet):
    reference = sitk.GetImageFromArray(noise.gamma(3, 30, (120, 100)).astype(np.float32))
    other = sitk.GetImageFromArray(noise.normal(500, 40, (90, 110)).astype(np.float32))
    step = HistogramMatch.to_image(reference)
    matched = sitk.GetArrayFromImage(step(other, quiet))
    target = sitk.GetArrayFromImage(reference)
    for percent in (5, 25, 50, 75, 95):
        assert np.percentile(matched, percent) == pytest.approx(np.percentile(target, percent), rel=0.01)
    assert np.abs(sitk.GetArrayFromImage(step(reference, quiet)) - target).mean() < 0.005 * np.ptp(target)


def test_matching_an_image_of_few_values_to_itself_changes_nothing(quiet):
    pixels = np.repeat(np.array([0, 10, 40, 90, 255], np.uint8), 200).reshape(25, 40)
    image = sitk.GetImageFromArray(pixels)
    assert np.array_equal(sitk.GetArrayFromImage(HistogramMatch.to_image(image)(image, quiet)), pixels)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_otsu_is_that_of_scikit_image(kind, noise):
    from skimage.filters import threshold_otsu

    pixels = np.concatenate([noise.normal(60, 8, 4000), noise.normal(120, 12, 3000)]).astype(kind)
    ours = multi_otsu(Histogram.of(pixels), 2)[0]
    assert ours == pytest.approx(threshold_otsu(pixels), abs=1.5)
    theirs = threshold_otsu(pixels)

    def spread(threshold):
        low, high = pixels[pixels <= threshold], pixels[pixels > threshold]
        return low.size * high.size * (float(low.mean()) - float(high.mean())) ** 2

    assert spread(ours) >= 0.9999 * spread(theirs)


def test_multi_otsu_is_that_of_scikit_image(noise):
    from skimage.filters import threshold_multiotsu

    pixels = (
        np.concatenate([noise.normal(mean, 16, 4000) for mean in (40, 100, 160, 220)]).clip(0, 255).astype(np.uint8)
    )
    ours = multi_otsu(Histogram.of(pixels), 4)
    assert ours == pytest.approx(list(map(float, threshold_multiotsu(pixels, 4))), abs=1.5)
