"""Image descriptors: what they see, and what they must not see."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import UnsupportedImageError
from MedImageAnalysisLib.recognition.descriptors import DESCRIPTORS
from MedImageAnalysisLib.recognition.descriptors.canvas import (
    area_average,
    ranked,
    square_canvas,
    without_marks,
)
from MedImageAnalysisLib.recognition.descriptors.gradients import OrientedGradients
from MedImageAnalysisLib.recognition.descriptors.scattering import Scattering
from MedImageAnalysisLib.recognition.evidence import cell_evidence, evidence_map


def picture(height: int = 200, width: int = 160, seed: int = 3) -> np.ndarray:
    """A smooth random scene."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 6).astype(np.float32)


def image_of(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(array.astype(np.float32))


def stripes(degrees: float, size: int = 96, period: float = 6.0) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size]
    angle = np.deg2rad(degrees)
    return np.sin(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / period).astype(np.float32)


@pytest.fixture(params=list(DESCRIPTORS))
def descriptor(request):
    return DESCRIPTORS[request.param]()


def test_the_vector_has_the_announced_length_and_is_finite(descriptor):
    vector = descriptor(image_of(picture()))
    assert vector.shape == (descriptor.length,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


def test_a_uniform_image_is_described_too(descriptor):
    assert np.isfinite(descriptor(image_of(np.full((64, 64), 7.0)))).all()


@pytest.mark.parametrize("curve", [lambda x: 4000 + 900 * x, lambda x: np.exp(2 * x), lambda x: np.tanh(x) * 255])
def test_exposure_and_display_curves_change_nothing(descriptor, curve):
    plain = np.round(picture(192, 192, 5), 4)[::2, ::2]
    assert descriptor(image_of(curve(plain.astype(np.float64)))) == pytest.approx(descriptor(image_of(plain)), abs=0.02)


def test_the_same_image_gives_the_same_bits(descriptor):
    assert np.array_equal(descriptor(image_of(picture())), descriptor(image_of(picture())))


def test_area_average_keeps_the_mean():
    scene = picture(123, 77)
    assert area_average(scene, 32, 32).mean() == pytest.approx(scene.mean(), abs=1e-5)
    assert area_average(np.full((50, 70), 3.0), 96, 96) == pytest.approx(np.full((96, 96), 3.0), rel=1e-5)


def test_ranks_run_from_zero_to_one_and_ties_share_theirs():
    assert ranked(np.array([[3.0, 1.0], [2.0, 2.0]])) == pytest.approx(np.array([[1.0, 0.0], [0.5, 0.5]]))


def test_a_burned_in_letter_is_filled_in():
    scene = picture(96, 96)
    marked = scene.copy()
    marked[8:18, 10:12] = marked[8:10, 10:17] = scene.max() * 5
    cleaned = without_marks(marked)
    assert np.abs(cleaned - scene).max() < 0.3 * np.ptp(scene)
    far = np.ones(scene.shape, dtype=bool)
    far[6:20, 8:19] = False
    assert np.array_equal(cleaned[far], marked[far])


def test_volumes_and_tiny_images_are_refused():
    with pytest.raises(UnsupportedImageError, match="one slice"):
        square_canvas(sitk.Image(32, 32, 32, sitk.sitkFloat32), 96)
    with pytest.raises(UnsupportedImageError, match="16"):
        square_canvas(sitk.Image(8, 100, sitk.sitkFloat32), 96)


@pytest.mark.parametrize(("degrees", "strongest"), [(0, "s1o0"), (45, "s1o1"), (90, "s1o2"), (135, "s1o3")])
def test_scattering_tells_orientations_apart(degrees, strongest):
    scattering = Scattering(orientations=4)
    means = scattering.describe(stripes(degrees)).mean(axis=(1, 2))
    first = [name for name in scattering.channels if ">" not in name and name != "mean"]
    assert max(first, key=lambda name: means[scattering.channels.index(name)]) == strongest


def test_scattering_hardly_changes_under_a_small_shift():
    scene = picture(120, 120, 9)
    scattering = Scattering()
    here, there = (scattering.describe(part) for part in (scene[10:106, 10:106], scene[11:107, 11:107]))
    other = scattering.describe(picture(96, 96, 10))
    assert np.linalg.norm(here - there) < 0.25 * np.linalg.norm(here - other)


@pytest.mark.parametrize(("degrees", "channel"), [(0, "0deg"), (60, "60deg"), (120, "120deg")])
def test_oriented_gradients_point_across_the_stripes(degrees, channel):
    gradients = OrientedGradients()
    means = gradients.describe(stripes(degrees)).mean(axis=(1, 2))
    assert gradients.channels[int(means.argmax())] == channel


def test_the_evidence_map_covers_the_image_and_adds_up():
    image = sitk.Image(300, 200, sitk.sitkFloat32)
    image.SetSpacing((0.2, 0.3))
    image.SetOrigin((-5.0, 7.0))
    descriptors = (Scattering(), OrientedGradients(grid=12))
    shares = np.random.default_rng(1).normal(size=sum(d.length for d in descriptors))
    drawn = evidence_map(descriptors, shares, image)
    assert sitk.GetArrayFromImage(drawn).sum() == pytest.approx(shares.sum(), abs=1e-3)
    for corner, own in (((-0.5, -0.5), (-0.5, -0.5)), ((299.5, 199.5), (95.5, 95.5))):
        expected = image.TransformContinuousIndexToPhysicalPoint(corner)
        assert drawn.TransformContinuousIndexToPhysicalPoint(own) == pytest.approx(expected)


def test_the_map_shows_the_cell_that_counts():
    descriptors = (OrientedGradients(grid=6),)
    shares = np.zeros((9, 6, 6))
    shares[:, 1, 4] = 1.0
    drawn = sitk.GetArrayFromImage(evidence_map(descriptors, shares.ravel(), sitk.Image(60, 60, sitk.sitkFloat32)))
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (row // 16, column // 16) == (1, 4)
    assert cell_evidence(descriptors, shares.ravel(), shares.ravel(), "x")[0].feature == "oriented-gradients[2,5]"


def test_marks_are_kept_where_the_descriptor_asks_for_it():
    scene = np.zeros((96, 96), dtype=np.float32)
    scene[40:44, 40:44] = 1.0
    kept, filled = (square_canvas(image_of(scene), 96, fill_marks) for fill_marks in (False, True))
    assert np.ptp(kept) > 0.4
    assert np.ptp(filled) == 0.0
