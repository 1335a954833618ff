"""What every preprocessing step keeps to, whatever it does: one test over the whole registry."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MedImageAnalysisLib.errors import Cancelled, UnsupportedImageError
from MedImageAnalysisLib.parameters import Configurable
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.normalize import HistogramMatch, NyulNormalize
from MedImageAnalysisLib.progress import Progress

SHAPES = [(17, 23), (9, 11, 13), (1, 20), (20, 1), (1, 1), (1, 9, 8), (9, 8, 1), (5, 1, 1), (64, 40)]
PIXEL_TYPES = [np.uint8, np.int16, np.uint16, np.float32, np.int32, np.float64]
# Steps whose purpose is to change the grid, to stay in 2D, to select among existing values.
CHANGE_GRID = {"resample", "resample-isotropic", "crop-to-body"}
MOVE_ORIGIN = {"crop-to-body"}
ONLY_2D = {"mask-collimation"}
KEEP_TYPE = {"median", "crop-to-body", "mask-collimation", "mask-burned-in-text"}
EXAMPLES = {
    "nyul": NyulNormalize(landmarks=tuple(float(i) for i in range(0, 110, 10))),
    "histogram-match": HistogramMatch(quantiles=(0.0, 5.0, 100.0)),
}


def example(name: str) -> Configurable:
    return EXAMPLES.get(name) or STEPS[name]()


@pytest.fixture(params=list(STEPS))
def step(request):
    """Each registered step with its default settings, or an example where there are none."""
    return example(request.param)


def speckled(shape, kind, noise) -> np.ndarray:
    """An object of value 80 on 20 with noise, in any pixel type."""
    pixels = noise.uniform(0, 15, shape) + 20
    pixels[tuple(slice(n // 4, n - n // 4) for n in shape)] += 60
    return pixels.astype(kind)


def suits(step, shape) -> bool:
    return not (step.name in ONLY_2D and len(shape) == 3)


def test_every_step_is_listed_under_its_name_and_has_a_title_docs_and_a_source():
    assert len(STEPS) >= 24
    for entry in STEPS.values():
        assert entry.name
        assert entry.title
        assert entry.__doc__
        assert all(info.doc for info in entry.parameters())


def test_a_step_is_repeated_by_its_settings(step):
    assert type(step).from_settings(step.settings()) == step


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", PIXEL_TYPES, ids=lambda kind: np.dtype(kind).name)
def test_a_step_takes_any_size_and_pixel_type_and_keeps_the_geometry(step, shape, kind, noise, quiet, oblique_image):
    if not suits(step, shape):
        with pytest.raises(UnsupportedImageError):
            step(oblique_image(speckled(shape, kind, noise)), quiet)
        return
    pixels = speckled(shape, kind, noise)
    image = oblique_image(pixels)

    result = step(image, quiet)

    assert np.isfinite(sitk.GetArrayViewFromImage(result)).all()
    assert result.GetDirection() == image.GetDirection()
    if step.name not in CHANGE_GRID:
        assert result.GetSize() == image.GetSize()
        assert result.GetSpacing() == image.GetSpacing()
    if step.name not in MOVE_ORIGIN:
        assert result.GetOrigin() == image.GetOrigin()
    expected = image.GetPixelID() if step.name in KEEP_TYPE else sitk.sitkFloat32
    assert result.GetPixelID() == expected
    assert np.array_equal(sitk.GetArrayViewFromImage(image), pixels)


@pytest.mark.parametrize("shape", [(17, 23), (9, 11, 13), (20, 1)], ids=str)
def test_a_constant_image_stays_constant(step, shape, quiet, oblique_image):
    if not suits(step, shape):
        return
    for kind in PIXEL_TYPES:
        result = sitk.GetArrayFromImage(step(oblique_image(np.full(shape, 100, kind)), quiet))
        assert np.ptp(result) <= 1e-4


@pytest.mark.parametrize("shape", [(64, 40), (12, 20, 24)], ids=str)
def test_the_result_does_not_depend_on_the_number_of_threads(step, shape, noise, quiet, oblique_image):
    if not suits(step, shape):
        return
    image = oblique_image(speckled(shape, np.float32, noise))
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    for count in (1, 3):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
        results.append(sitk.GetArrayFromImage(step(image, quiet)))
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    assert np.array_equal(*results)


@pytest.mark.parametrize("shape", [(40, 40), (12, 20, 24)], ids=str)
def test_progress_moves_forward_to_the_end_and_names_the_step(step, shape, noise, listener, oblique_image):
    if not suits(step, shape):
        return
    heard = listener()
    step(oblique_image(speckled(shape, np.int16, noise)), heard.progress().part(0.2, 0.6))
    assert heard.fractions == sorted(heard.fractions)
    assert heard.fractions[0] == pytest.approx(0.2)
    assert heard.fractions[-1] == pytest.approx(0.6)
    assert step.title in heard.messages[0]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_step_stops_whenever_it_is_cancelled(step, share, noise, listener, oblique_image):
    image = oblique_image(speckled((40, 40), np.int16, noise))
    whole = listener()
    step(image, whole.progress())
    stopping = listener(stop_at=int(share * (whole.calls - 1)))
    with pytest.raises(Cancelled):
        step(image, stopping.progress())


@pytest.mark.parametrize(
    "image",
    [
        sitk.Image([4, 4], sitk.sitkVectorUInt8, 3),
        sitk.Image([4, 4], sitk.sitkComplexFloat32),
        sitk.Image([4, 4, 4, 4], sitk.sitkInt16),
        sitk.GetImageFromArray(np.array([[1, np.nan], [2, 3]], np.float32)),
        sitk.GetImageFromArray(np.array([[1, np.inf], [2, 3]], np.float64)),
    ],
    ids=["color", "complex", "4D", "NaN", "infinity"],
)
def test_an_unsupported_image_is_refused_in_words(step, image, quiet):
    with pytest.raises(UnsupportedImageError, match=step.title.split("(")[0].strip()):
        step(image, quiet)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from([name for name in STEPS if name not in CHANGE_GRID | {"n4-bias-field"}]),
    angle=st.floats(-3, 3),
    spacing=st.tuples(*[st.floats(0.05, 20)] * 3),
    origin=st.tuples(*[st.floats(-1000, 1000)] * 3),
    dimension=st.sampled_from([2, 3]),
)
def test_any_oblique_geometry_survives_exactly(name, angle, spacing, origin, dimension):
    step = example(name)
    shape = (8, 9, 10)[-dimension:]
    if not suits(step, shape):
        return
    image = sitk.GetImageFromArray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    c, s = np.cos(angle), np.sin(angle)
    image.SetDirection((c, -s, s, c) if dimension == 2 else (c, -s, 0, s, c, 0, 0, 0, -1))
    image.SetSpacing(spacing[:dimension])
    image.SetOrigin(origin[:dimension])

    result = step(image, Progress())

    assert result.GetDirection() == image.GetDirection()
    assert result.GetSpacing() == image.GetSpacing()
    assert result.GetOrigin() == image.GetOrigin()


def test_the_documentation_lists_every_step(repository):
    text = (repository / "Docs" / "preprocessing.md").read_text(encoding="utf-8")
    assert [name for name in STEPS if f"`{name}`" not in text and not name.startswith("mask-")] == []
