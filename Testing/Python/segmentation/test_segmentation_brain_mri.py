"""The brain in MRI: found in phantoms of any weighting and orientation, and in real heads."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import Cancelled, UnsupportedImageError
from MedImageAnalysisLib.preprocessing.bias import N4BiasField
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.brain_mri.method import BrainMRI

SIZE, SPACING = 104, 2.0
FLUID, GRAY, WHITE = 1, 2, 3
# Intensities of fluid, gray matter, white matter, skull and scalp.
WEIGHTINGS = {
    "t1": (30, 80, 120, 10, 170),
    "t2": (220, 120, 75, 10, 60),
    "flair": (25, 125, 90, 10, 60),
    "t1 of strong contrast": (18, 64, 100, 8, 60),
}


def ellipsoid(*radii):
    z, y, x = (np.arange(SIZE) - (SIZE - 1) / 2 for _ in range(3))
    axes = np.meshgrid(z, y, x, indexing="ij")
    return sum((axis * SPACING / radius) ** 2 for axis, radius in zip(axes, radii, strict=True)) <= 1


def head_labels():
    """Nested ellipsoids: scalp 5, skull 4, fluid 1, gray matter 2, white matter 3, ventricle 1."""
    labels = np.zeros((SIZE,) * 3, np.uint8)
    for label, shrink in ((5, 0), (4, 8), (FLUID, 15), (GRAY, 17), (WHITE, 25)):
        labels[ellipsoid(90 - shrink, 98 - shrink, 82 - shrink)] = label
    labels[ellipsoid(18, 26, 10)] = FLUID
    return labels


def head_image(weighting, labels, bias=0.2, noise=3.0):
    table = np.array((0, *WEIGHTINGS[weighting]), np.float32)
    values = table[labels] * (1 + bias * np.linspace(-1, 1, SIZE, dtype=np.float32))
    values += np.random.default_rng(3).normal(0, noise, values.shape).astype(np.float32)
    image = sitk.GetImageFromArray(np.maximum(values, 0))
    image.SetSpacing((SPACING,) * 3)
    return image


def dice(found, true):
    return 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))


def like(mask, image):
    result = sitk.GetImageFromArray(mask.view(np.uint8))
    result.CopyInformation(image)
    return result


def parts_of(segmentation):
    tissues, brain = (sitk.GetArrayFromImage(layer) for layer in segmentation.layers)
    return tissues, brain > 0


@pytest.fixture(scope="module")
def labels():
    return head_labels()


@pytest.fixture(scope="module")
def true_brain(labels):
    """Gray and white matter and what they enclose; the thin film of fluid around them may be in the brain or not."""
    return (labels == GRAY) | (labels == WHITE) | ellipsoid(18, 26, 10)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_finds_brain_and_tissues_whatever_the_weighting(weighting, labels, true_brain):
    image = N4BiasField()(head_image(weighting, labels), Progress())
    tissues, brain = parts_of(BrainMRI()(image, None, Progress()))
    assert dice(brain, true_brain) > 0.94
    assert dice(tissues == WHITE, labels == WHITE) > 0.95
    assert dice(tissues == GRAY, labels == GRAY) > 0.88


def test_large_ventricles_do_not_hold_the_search_back(labels, true_brain):
    wide = labels.copy()
    wide[ellipsoid(30, 55, 32)] = FLUID
    image = N4BiasField()(head_image("t1", wide), Progress())
    _, brain = parts_of(BrainMRI()(image, None, Progress()))
    assert dice(brain, true_brain | ellipsoid(30, 55, 32)) > 0.94


def test_vessels_full_of_contrast_agent_are_no_tissue_of_their_own(labels):
    image = head_image("t1", labels, bias=0)
    values = sitk.GetArrayFromImage(image)
    vessels = (np.indices(labels.shape)[0] % 18 < 2) & (np.indices(labels.shape)[2] % 18 < 2)
    vessels &= (labels == GRAY) | (labels == WHITE)
    values[vessels] = 400
    agent = sitk.GetImageFromArray(values)
    agent.CopyInformation(image)
    tissues, _ = parts_of(BrainMRI()(agent, None, Progress()))
    assert 0.01 < vessels.sum() / (labels == WHITE).sum() < 0.03
    assert dice(tissues == WHITE, (labels == WHITE) & ~vessels) > 0.9
    assert dice(tissues == GRAY, (labels == GRAY) & ~vessels) > 0.85


def test_in_flair_the_film_between_gray_matter_and_fluid_is_not_white_matter(labels):
    # Sharp borders blurred by a voxel: half gray matter, half fluid is as bright as white matter.
    image = sitk.DiscreteGaussian(head_image("flair", labels, bias=0, noise=1), SPACING**2)
    tissues, _ = parts_of(BrainMRI(contrast="flair")(image, None, Progress()))
    deep = labels == WHITE
    assert dice(tissues == WHITE, deep) > 0.9
    outside = (tissues == WHITE) & ellipsoid(90 - 14, 98 - 14, 82 - 14) & ~ellipsoid(90 - 21, 98 - 21, 82 - 21)
    assert np.count_nonzero(outside) < 0.01 * np.count_nonzero(deep)


def test_tissues_fill_the_brain_exactly(labels):
    tissues, brain = parts_of(BrainMRI()(head_image("t1", labels, bias=0), None, Progress()))
    assert np.array_equal(tissues > 0, brain)


def test_segments_carry_their_terminology(labels):
    segmentation = BrainMRI()(head_image("t1", labels, bias=0), None, Progress())
    assert [s.key for s in segmentation.segments] == ["brain", "cerebrospinal-fluid", "gray-matter", "white-matter"]
    assert {s.type.value for s in segmentation.segments} == {"12738006", "65216001", "389081007", "389080008"}


def test_a_tilted_acquisition_gives_the_same_brain(labels, true_brain):
    upright = head_image("t1", labels, bias=0)
    tilt = sitk.VersorTransform((1, 0.3, 0.2), 0.35)
    tilt.SetCenter([(SIZE - 1) * SPACING / 2] * 3)
    tilted = sitk.Image([SIZE] * 3, sitk.sitkFloat32)
    tilted.SetSpacing(upright.GetSpacing())
    tilted.SetDirection(tilt.GetMatrix())
    tilted.SetOrigin(tilt.TransformPoint(upright.GetOrigin()))
    found = BrainMRI()(sitk.Resample(upright, tilted), None, Progress())
    brain = sitk.GetArrayFromImage(sitk.Resample(found.layers[1], upright, sitk.Transform(), sitk.sitkNearestNeighbor))
    assert found.layers[1].GetDirection() == pytest.approx(tilt.GetMatrix())
    assert dice(brain > 0, true_brain) > 0.94


def test_does_not_leave_the_skull_where_thick_slices_and_a_bright_scalp_blur_it(labels, true_brain):
    # Seven voxels of 2 mm to a slice, the scalp as after contrast agent.
    thick, count = np.array((0, 30, 100, 120, 60, 300), np.float32)[labels], 7
    thick, true = (array[:98].reshape(14, count, SIZE, SIZE).mean(axis=1) for array in (thick, true_brain))
    image = sitk.GetImageFromArray(thick.astype(np.float32))
    image.SetSpacing((SPACING, SPACING, count * SPACING))
    _, brain = parts_of(BrainMRI()(image, None, Progress()))
    assert dice(brain, true > 0.5) > 0.9


def test_a_skull_stripped_image_keeps_its_brain(labels, true_brain):
    image = head_image("t1", labels, bias=0)
    # Cropped as tightly as such images often are.
    z, y, x = (np.flatnonzero(true_brain.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    box = tuple(slice(int(part[0]), int(part[-1]) + 1) for part in (z, y, x))
    stripped = sitk.Mask(image, like(true_brain, image))[tuple(reversed(box))]
    _, brain = parts_of(BrainMRI()(stripped, None, Progress()))
    assert dice(brain, true_brain[box]) > 0.99


def test_refuses_what_shows_no_head():
    empty = sitk.Image([64, 64, 64], sitk.sitkFloat32)
    empty.SetSpacing((3.0,) * 3)
    with pytest.raises(UnsupportedImageError, match="head"):
        BrainMRI()(empty, None, Progress())


def test_refuses_volumes_of_impossible_size():
    with pytest.raises(UnsupportedImageError, match="spacing"):
        BrainMRI()(sitk.Image([32, 32, 32], sitk.sitkFloat32), None, Progress())


def test_refuses_single_slices():
    with pytest.raises(UnsupportedImageError, match="2D"):
        BrainMRI()(sitk.Image([64, 64], sitk.sitkFloat32), None, Progress())


def test_reports_often_and_stops_when_asked(labels):
    reports = []
    with pytest.raises(Cancelled):
        BrainMRI()(head_image("t1", labels), None, Progress(
            report=lambda message, fraction: reports.append(fraction), cancelled=lambda: len(reports) > 20
        ))  # fmt: skip
    assert reports == sorted(reports)


def test_the_icbm_template_divides_like_its_probability_maps(real_data):
    folder = real_data / "mr_brain"
    image = N4BiasField()(sitk.ReadImage(folder / "mni152_t1.nii.gz", sitk.sitkFloat32), Progress())
    gray, white = (sitk.GetArrayFromImage(sitk.ReadImage(folder / f"mni152_{m}.nii.gz")) > 127 for m in ("gm", "wm"))
    truth = sitk.GetArrayFromImage(sitk.ReadImage(folder / "mni152_t1.nii.gz")) > 20
    tissues, brain = parts_of(BrainMRI()(image, None, Progress()))
    assert dice(brain, truth) >= 0.95
    assert dice(tissues == GRAY, gray) >= 0.82
    assert dice(tissues == WHITE, white) >= 0.85
