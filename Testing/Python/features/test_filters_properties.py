"""What filters must obey whatever their settings, and responses known in closed form."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MedImageAnalysisLib.errors import Cancelled, InvalidSettingError, UnsupportedImageError
from MedImageAnalysisLib.features.filters import BOUNDARIES, FILTERS, filter_bank_responses
from MedImageAnalysisLib.features.filters.wavelet_bank import LOW_PASS, high_pass
from MedImageAnalysisLib.progress import Progress

LINEAR = {
    "mean": {"support": 3},
    "log": {"sigma_mm": 1.5},
    "laws": {"rotation_invariant": False, "energy_radius": 0},
    "wavelet": {"wavelet": "db2", "level": 2},
    "isotropic-wavelet": {"level": 2},
}
ROTATION_INVARIANT = {
    "mean": {"support": 3},
    "log": {"sigma_mm": 1.5},
    "laws": {"kernels": "L5E5S5", "energy_radius": 2},
    "gabor": {"sigma_mm": 1.5, "wavelength_mm": 3.0, "orientation_step_deg": 45.0},
    "wavelet": {"wavelet": "db2", "subband": "LHL", "level": 2},
    "isotropic-wavelet": {},
}
IN_2D = {"laws": {"kernels": "L5E5"}, "wavelet": {"subband": "LH"}}


def image_of(array, spacing=None) -> sitk.Image:
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    if spacing:
        image.SetSpacing(spacing)
    return image


def respond(name, array, spacing=None, **parameters) -> np.ndarray:
    return sitk.GetArrayFromImage(FILTERS[name](**parameters)(image_of(array, spacing), Progress()))


def noise(seed, shape=(9, 10, 11)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 100, shape)


def test_the_bank_has_the_filters_of_the_standard():
    assert list(FILTERS) == ["gabor", "isotropic-wavelet", "laws", "log", "mean", "wavelet"]


@pytest.mark.parametrize("name", LINEAR)
@given(seed=st.integers(0, 10**6), factor=st.floats(-3, 3), boundary=st.sampled_from(BOUNDARIES))
@settings(max_examples=6, deadline=None)
def test_linear_filters_are_linear(name, seed, factor, boundary):
    first, second = noise(seed), noise(seed + 1)
    parameters = {**LINEAR[name], "boundary": boundary}
    combined = respond(name, factor * first + second, **parameters)
    apart = factor * respond(name, first, **parameters) + respond(name, second, **parameters)
    assert np.allclose(combined, apart, atol=1e-2)


@pytest.mark.parametrize("name", ROTATION_INVARIANT)
@given(seed=st.integers(0, 10**6), turn=st.sampled_from([(0, 1), (1, 2), (0, 2), (2, 1)]))
@settings(max_examples=6, deadline=None)
def test_pooled_responses_turn_with_the_image(name, seed, turn):
    array = noise(seed, (11, 11, 11))
    parameters = ROTATION_INVARIANT[name]
    turned = respond(name, np.rot90(array, axes=turn), **parameters)
    # In float32 the Fourier transform leaves some 1e-6 of the largest response.
    assert np.allclose(turned, np.rot90(respond(name, array, **parameters), axes=turn), atol=2e-3)


@pytest.mark.parametrize("name", FILTERS)
def test_geometry_is_kept_and_the_input_unchanged(name):
    image = image_of(noise(0, (8, 9, 10)), (0.7, 0.8, 2.5))
    image.SetOrigin((1.0, 2.0, 3.0))
    image.SetDirection((0, 1, 0, 0, 0, 1, 1, 0, 0))
    before = sitk.GetArrayFromImage(image)
    response = FILTERS[name]()(image, Progress())
    assert response.GetPixelID() == sitk.sitkFloat32
    assert (response.GetSize(), response.GetSpacing()) == (image.GetSize(), image.GetSpacing())
    assert (response.GetOrigin(), response.GetDirection()) == (image.GetOrigin(), image.GetDirection())
    assert np.array_equal(before, sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("name", FILTERS)
def test_slices_are_filtered_as_2d_images(name):
    volume = noise(1, (3, 16, 17))
    parameters = IN_2D.get(name, {})
    by_slice = respond(name, volume, by_slice=True, **parameters)
    assert np.allclose(by_slice[1], respond(name, volume[1], **parameters), atol=1e-3)


@pytest.mark.parametrize("name", FILTERS)
def test_same_input_gives_the_same_output_bit_for_bit(name):
    array = noise(2)
    assert np.array_equal(respond(name, array), respond(name, array))


@pytest.mark.parametrize("name", FILTERS)
def test_integers_are_filtered_like_floats(name):
    array = np.round(noise(3)).astype(np.int16)
    as_integers = FILTERS[name]()(sitk.GetImageFromArray(array), Progress())
    assert np.array_equal(sitk.GetArrayFromImage(as_integers), respond(name, array))


@pytest.mark.parametrize("name", ["log", "wavelet", "isotropic-wavelet", "gabor"])
def test_band_pass_filters_do_not_see_a_constant(name):
    response = respond(name, np.full((16, 16, 16), 1000.0), boundary="periodic")
    assert np.abs(response).max() < 5


def test_log_of_a_sine_is_its_second_derivative_smoothed():
    """exp(-sigma^2 w^2 / 2) w^2 sin(w x), in units of the voxel, negated."""
    sigma, w = 3.0, 2 * np.pi / 32
    wave = np.broadcast_to(np.sin(w * np.arange(96)), (40, 40, 96))
    response = respond("log", wave, (2.0, 2.0, 2.0), sigma_mm=2 * sigma, boundary="periodic")
    expected = -(w**2) * np.exp(-(sigma**2) * w**2 / 2) * wave
    assert np.allclose(response, expected, atol=0.01 * np.abs(expected).max())


def test_log_is_isotropic_in_space_on_an_anisotropic_grid():
    """A ball has the same response at its center whatever the spacing, up to sampling and the unit of the response."""
    responses = []
    for spacing in [(1.0, 1.0, 1.0), (1.0, 1.0, 2.0), (0.5, 1.0, 2.0)]:
        axes = [np.arange(-20, 20.01, step) for step in reversed(spacing)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        blob = np.exp(-(x**2 + y**2 + z**2) / (2 * 5.0**2))
        response = respond("log", blob, spacing, sigma_mm=4.0, boundary="nearest")
        center = tuple(len(axis) // 2 for axis in axes)
        responses.append(response[center] / np.prod(spacing) ** (2 / 3))
    assert responses == pytest.approx([responses[0]] * 3, rel=0.01)


def test_gabor_finds_the_orientation_and_the_wavelength():
    y, x = np.mgrid[:64, :64].astype(float)
    stripes = np.cos(2 * np.pi * (x * np.cos(np.pi / 4) + y * np.sin(np.pi / 4)) / 8)
    common = {"sigma_mm": 6.0, "aspect_ratio": 1.0, "orientation_step_deg": 0.0}
    found = {
        (angle, length): respond("gabor", stripes, wavelength_mm=length, orientation_deg=angle, **common)[32, 32]
        for angle, length in itertools.product((0.0, 45.0, 90.0, 135.0), (4.0, 8.0, 16.0))
    }
    best = found.pop((45.0, 8.0))
    # Half the amplitude times the integral of the envelope.
    assert best == pytest.approx(np.pi * 6.0**2, rel=0.01)
    assert max(found.values()) < 0.1 * best


def test_gabor_angle_runs_from_x_to_y():
    """Waves along x are seen at 0 degrees, along y at 90 degrees."""
    along_x = np.broadcast_to(np.cos(2 * np.pi * np.arange(48) / 6), (48, 48))
    common = {"sigma_mm": 5.0, "wavelength_mm": 6.0, "orientation_step_deg": 0.0}
    assert respond("gabor", along_x, orientation_deg=0.0, **common)[24, 24] > 10
    assert respond("gabor", along_x, orientation_deg=90.0, **common)[24, 24] < 0.1


def test_laws_energy_of_a_checkerboard_of_single_voxels_is_that_of_the_ripple():
    board = (-1.0) ** np.indices((16, 16)).sum(axis=0)
    found = respond("laws", board, kernels="R5R5", rotation_invariant=False, energy_radius=3, boundary="periodic")
    assert np.allclose(found, 16**2 / 70, rtol=1e-5)


@pytest.mark.parametrize("name", LOW_PASS)
def test_wavelet_filters_are_orthonormal(name):
    low = np.array(LOW_PASS[name])
    high = np.array(high_pass(LOW_PASS[name]))
    assert low.sum() == pytest.approx(np.sqrt(2), abs=1e-10)
    assert high.sum() == pytest.approx(0, abs=1e-10)
    for shift in range(0, len(low), 2):
        assert low[shift:] @ low[: len(low) - shift] == pytest.approx(float(shift == 0), abs=1e-10)
        assert low[shift:] @ high[: len(low) - shift] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("name", "moments"), [("haar", 1), ("db3", 3), ("db6", 6), ("coif1", 2), ("coif3", 6)])
def test_wavelets_have_their_vanishing_moments(name, moments):
    high = np.array(high_pass(LOW_PASS[name]))
    k = np.arange(len(high)) / len(high)
    assert np.allclose([high @ k**power for power in range(moments)], 0, atol=1e-9)
    assert abs(high @ k**moments) > 1e-6


def test_isotropic_wavelets_pass_their_own_octave_only():
    n = np.arange(64)
    responses = {
        period: np.abs(respond("isotropic-wavelet", np.cos(2 * np.pi * n / period)[None, :].repeat(64, 0), level=2,
                               boundary="periodic")).max()
        for period in (2, 8, 64)
    }  # fmt: skip
    assert responses[8] == pytest.approx(1, abs=0.05)
    assert responses[2] < 0.1
    assert responses[64] < 0.1


def test_riesz_transform_of_a_cosine_is_a_sine():
    n = np.arange(64)
    wave = np.broadcast_to(np.cos(2 * np.pi * n / 8), (64, 64))
    common = {"level": 2, "boundary": "periodic"}
    plain = respond("isotropic-wavelet", wave, **common)
    along, across = (respond("isotropic-wavelet", wave, riesz_order=order, **common) for order in [(1, 0), (0, 1)])
    assert np.allclose(np.roll(plain, 2, axis=1), along, atol=0.05)
    assert np.abs(across).max() < 0.05


def test_voxels_without_a_number_are_refused_not_spread():
    array = noise(0)
    array[1, 2, 3] = np.nan
    with pytest.raises(UnsupportedImageError, match="1 voxels"):
        respond("mean", array)


def test_color_is_refused():
    with pytest.raises(UnsupportedImageError, match="gray"):
        FILTERS["mean"]()(sitk.Image([8, 8], sitk.sitkVectorUInt8, 3), Progress())


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("mean", {"support": 4}, "odd"),
        ("laws", {"kernels": "L5X5"}, "L5E5E5"),
        ("wavelet", {"subband": "LHX"}, "'LLH'"),
    ],
)
def test_settings_without_meaning_are_refused(name, parameters, words):
    with pytest.raises(InvalidSettingError, match=words):
        FILTERS[name](**parameters)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("laws", {"kernels": "L5E5"}),
        ("wavelet", {"subband": "LH"}),
        ("log", {"riesz_order": (1, 0)}),
        ("isotropic-wavelet", {"riesz_order": (1, 0)}),
        ("gabor", {"orientation_step_deg": 50.0}),
    ],
)
def test_settings_that_do_not_fit_the_image_are_refused(name, parameters):
    with pytest.raises(InvalidSettingError):
        respond(name, noise(0), **parameters)


@pytest.mark.parametrize("name", FILTERS)
def test_settings_survive_json(name):
    item = FILTERS[name](boundary="zero", by_slice=True)
    assert FILTERS[name].from_settings(item.settings()) == item


def test_labels_tell_filters_apart():
    assert FILTERS["log"](sigma_mm=2.0).label == "log_sigma_2mm"
    assert FILTERS["wavelet"](subband="HHL").label == "wavelet_coif1_HHL_level_1"
    assert FILTERS["mean"](by_slice=True).label == "mean_by_slice_support_5"


def test_a_bank_gives_one_response_after_the_other():
    image = image_of(noise(0))
    filters = [FILTERS["mean"](), FILTERS["log"](sigma_mm=1.0), FILTERS["log"](sigma_mm=2.0)]
    messages = []
    responses = list(filter_bank_responses(image, filters, Progress(report=lambda *told: messages.append(told))))
    assert [response.label for response in responses] == ["mean_support_5", "log_sigma_1mm", "log_sigma_2mm"]
    assert np.array_equal(
        sitk.GetArrayFromImage(responses[1].image), respond("log", sitk.GetArrayFromImage(image), sigma_mm=1.0)
    )
    fractions = [fraction for _, fraction in messages]
    assert fractions == sorted(fractions)


def test_a_bank_refuses_a_filter_that_is_listed_twice():
    with pytest.raises(InvalidSettingError, match="log_sigma_2mm"):
        filter_bank_responses(image_of(noise(0)), [FILTERS["log"](), FILTERS["log"]()], Progress())


@pytest.mark.parametrize("name", FILTERS)
def test_filters_can_be_cancelled(name):
    with pytest.raises(Cancelled):
        FILTERS[name]()(image_of(noise(0)), Progress(cancelled=lambda: True))
