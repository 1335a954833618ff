"""The generic methods find what is known to be there."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Segmentation
from MedImageAnalysisLib.errors import GeometryError, InvalidSettingError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.generic.scalar_method import labeled
from MedImageAnalysisLib.segmentation.generic.superpixels import _quickshift


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def segment(name: str, pixels: np.ndarray, previous=None, spacing=None, **parameters) -> Segmentation:
    image = sitk.GetImageFromArray(pixels)
    if spacing:
        image.SetSpacing(spacing)
    if isinstance(previous, np.ndarray):
        previous = labeled(previous.astype(np.uint8), [f"Part {i}" for i in range(1, int(previous.max()) + 1)], image)
    return METHODS[name].from_settings(parameters)(image, previous, Progress())


def labels_of(segmentation: Segmentation) -> np.ndarray:
    return sitk.GetArrayFromImage(segmentation.labelmap)


@pytest.fixture(params=[(96, 110), (24, 40, 44)], ids=["2D", "3D"])
def shells(request) -> tuple[np.ndarray, np.ndarray]:
    """Nested balls of three intensities on dark background with noise, and their true labels."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in request.param), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    truth = np.select([radius < 0.35, radius < 0.6, radius < 0.85], [3, 2, 1], 0)
    clean = np.array([0, 60, 100, 150])[truth]
    noise = np.random.default_rng(1).normal(0, 12, request.param)
    return (clean + noise).astype(np.float32), truth


@pytest.mark.parametrize("name", ["otsu", "geodesic-active-contour", "region-growing"])
def test_one_object_is_found(name, shells):
    _, truth = shells
    pixels = (truth > 0) * 100 + np.random.default_rng(2).normal(0, 10, truth.shape)
    found = labels_of(segment(name, pixels.astype(np.float32)))
    assert dice(found == 1, truth > 0) > 0.95


def test_multi_otsu_orders_classes_from_dark_to_bright(shells):
    _, truth = shells
    noise = np.random.default_rng(4).normal(0, 4, truth.shape)
    pixels = (np.array([0, 60, 100, 150])[truth] + noise).astype(np.float32)
    found = labels_of(segment("multi-otsu", pixels, classes=4))
    for label in (1, 2, 3):
        assert dice(found == label, truth == label) > 0.98
    everything = labels_of(segment("multi-otsu", pixels, classes=4, background=False))
    assert np.array_equal(everything, found + 1)


def test_tissue_classes_are_found_and_smoothing_helps(shells):
    pixels, truth = shells
    smooth = labels_of(segment("tissue-classes", pixels))
    alone = labels_of(segment("tissue-classes", pixels, smoothness=0.0))
    for label in (1, 2, 3):
        assert dice(smooth == label, truth == label) > 0.88
        assert dice(smooth == label, truth == label) > dice(alone == label, truth == label)
    means = [pixels[smooth == label].mean() for label in (1, 2, 3)]
    assert means == sorted(means)


def test_tissue_classes_stay_inside_the_previous_segmentation(shells):
    pixels, truth = shells
    found = labels_of(segment("tissue-classes", pixels, previous=(truth > 1), classes=2, region="previous"))
    assert np.array_equal(found > 0, truth > 1)
    with pytest.raises(InvalidSettingError, match="no segmentation was made before"):
        segment("tissue-classes", pixels, region="previous")


def test_more_classes_than_values_give_one_class_per_value():
    pixels = np.repeat(np.array([0, 5, 9], np.uint8), 40).reshape(12, 10)
    assert len(segment("multi-otsu", pixels, classes=8).segments) == 2
    assert len(segment("tissue-classes", pixels, classes=8, region="all").segments) == 3


def test_a_threshold_includes_both_ends_and_may_be_open():
    pixels = np.array([[1, 2, 3, 4, 5]], np.int16)
    assert labels_of(segment("threshold", pixels, lower=2.0, upper=4.0)).tolist() == [[0, 1, 1, 1, 0]]
    assert labels_of(segment("threshold", pixels, upper=2.0)).tolist() == [[1, 1, 0, 0, 0]]
    with pytest.raises(InvalidSettingError, match="above 'upper'"):
        METHODS["threshold"](lower=2.0, upper=1.0)


def test_the_dark_object_is_the_complement_of_the_bright_one(shells):
    pixels, _ = shells
    bright, dark = (labels_of(segment("otsu", pixels, object=side)) for side in ("bright", "dark"))
    assert np.array_equal(bright + dark, np.ones_like(bright))


@pytest.fixture
def cells() -> tuple[np.ndarray, np.ndarray]:
    """A checkerboard of 3 x 4 flat cells with noise, and the number of each pixel's cell."""
    y, x = np.mgrid[0:90, 0:120]
    number = (y // 30) * 4 + x // 30
    values = np.random.default_rng(5).permutation(12) * 20.0
    return (values[number] + np.random.default_rng(6).normal(0, 1, number.shape)).astype(np.float32), number


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("slic", {"count": 48}), ("quickshift", {}), ("watershed", {"region_radius": 8.0, "scale": 1.0})],
)
def test_regions_keep_to_the_edges(name, parameters, cells):
    pixels, number = cells
    found = labels_of(segment(name, pixels, **parameters))
    assert found.min() == 1
    # Give each region to the cell it mostly lies in: what is left over crosses an edge.
    table = np.zeros((found.max() + 1, 12), int)
    np.add.at(table, (found, number), 1)
    assert table.max(axis=1).sum() / pixels.size > 0.96
    assert found.max() < 200


def test_slic_makes_about_as_many_superpixels_as_asked_and_as_wide_in_millimeters_along_all_axes():
    pixels = np.random.default_rng(3).normal(0, 1, (20, 80, 80)).astype(np.float32)
    found = segment("slic", pixels, spacing=(1.0, 1.0, 4.0), count=64, compactness=1000.0)
    assert len(found.segments) == pytest.approx(64, rel=0.3)
    extents = sitk.LabelShapeStatisticsImageFilter()
    extents.Execute(found.labelmap)
    sizes = np.array([extents.GetBoundingBox(label)[3:] for label in extents.GetLabels()]) * (1.0, 1.0, 4.0)
    assert np.ptp(np.median(sizes, axis=0)) <= 8


@pytest.mark.parametrize("settings", [{}, {"kernel_size": 1.0, "maximum_distance": 20.0, "ratio": 0.5}], ids=str)
def test_quickshift_finds_the_regions_of_scikit_image(cells, settings):
    from skimage.segmentation import quickshift

    stretched = cells[0][:60, :70].astype(np.float64)
    stretched = 100 * (stretched - stretched.min()) / np.ptp(stretched)
    method = METHODS["quickshift"](**settings)
    expected = quickshift(
        stretched[..., np.newaxis], ratio=method.ratio, kernel_size=method.kernel_size,
        max_dist=method.maximum_distance, convert2lab=False, rng=0,
    )  # fmt: skip
    found = _quickshift(stretched * method.ratio, method.kernel_size, method.maximum_distance, Progress())
    assert np.array_equal(found, expected)


def test_quickshift_on_a_large_image_keeps_its_edges_at_full_size(cells):
    pixels, number = (np.kron(array, np.ones((8, 8))) for array in cells)
    found = labels_of(segment("quickshift", pixels.astype(np.float32), work_size=128))
    assert found.shape == number.shape
    table = np.zeros((found.max() + 1, 12), int)
    np.add.at(table, (found, number.astype(int)), 1)
    assert table.max(axis=1).sum() / pixels.size > 0.95


def test_region_growing_starts_at_given_seeds_in_patient_coordinates():
    pixels = np.zeros((30, 40), np.float32)
    pixels[5:15, 5:15] = 100
    pixels[5:15, 25:35] = 100
    found = labels_of(segment("region-growing", pixels, spacing=(2.0, 2.0), seeds=[60.0, 20.0]))
    assert np.array_equal(found > 0, (pixels > 0) & (np.arange(40) > 20))
    with pytest.raises(GeometryError, match="outside the image"):
        segment("region-growing", pixels, seeds=[500.0, 1.0])
    with pytest.raises(InvalidSettingError, match="2 numbers for each seed"):
        segment("region-growing", pixels, seeds=[1.0, 1.0, 1.0])


@pytest.fixture
def pieces() -> np.ndarray:
    """A 12 x 12 block, two 6 x 6 blocks and one pixel."""
    mask = np.zeros((40, 60), bool)
    mask[2:8, 2:8] = True
    mask[20:32, 20:32] = True
    mask[2:8, 50:56] = True
    mask[38, 2] = True
    return mask


def test_components_are_numbered_by_size_and_small_ones_dropped(pieces):
    everything = labels_of(segment("connected-components", pieces * np.float32(50)))
    assert [everything[25, 25], everything[4, 4], everything[4, 52], everything[38, 2]] == [1, 2, 3, 4]
    large = labels_of(segment("connected-components", pieces * np.float32(50), minimum_diameter=4.0))
    assert [large[25, 25], large[4, 4], large[4, 52], large[38, 2]] == [1, 2, 3, 0]
    assert len(segment("connected-components", pieces * np.float32(50), maximum_count=2).segments) == 2


def test_the_size_filter_is_in_millimeters(pieces):
    # 36 pixels of 0.25 mm^2 = 9 mm^2, a disk of 3.39 mm.
    pixels = pieces * np.float32(50)
    assert len(segment("connected-components", pixels, spacing=(0.5, 0.5), minimum_diameter=3.3).segments) == 3
    assert len(segment("connected-components", pixels, spacing=(0.5, 0.5), minimum_diameter=3.5).segments) == 1


def test_corners_connect_only_if_asked():
    pixels = np.eye(6, dtype=np.float32)
    assert len(segment("connected-components", pixels).segments) == 1
    assert len(segment("connected-components", pixels, diagonal=False).segments) == 6


def test_only_the_largest_pieces_of_each_segment_stay(pieces):
    labels = pieces.astype(np.uint8)
    labels[20:32, 40:44] = 2
    labels[10:12, 40:44] = 2
    found = labels_of(segment("largest-component", np.zeros(pieces.shape, np.float32), previous=labels))
    assert np.count_nonzero(found == 1) == 144
    assert np.count_nonzero(found == 2) == 48
    two = labels_of(segment("largest-component", np.zeros(pieces.shape, np.float32), previous=labels, count=2))
    assert two[4, 4] == 1
    assert two[4, 52] == 0


def test_holes_are_filled_but_other_segments_inside_stay():
    labels = np.zeros((20, 20), np.uint8)
    labels[2:18, 2:18] = 1
    labels[5:8, 5:8] = 0
    labels[12:15, 12:15] = 2
    found = labels_of(segment("fill-holes", np.zeros((20, 20), np.float32), previous=labels))
    assert (found[5:8, 5:8] == 1).all()
    assert (found[12:15, 12:15] == 2).all()


def test_an_open_tube_is_filled_slice_by_slice():
    labels = np.zeros((5, 12, 12), np.uint8)
    labels[:, 2:10, 2:10] = 1
    labels[:, 4:8, 4:8] = 0
    image = np.zeros(labels.shape, np.float32)
    assert (labels_of(segment("fill-holes", image, previous=labels)) == labels).all()
    assert (labels_of(segment("fill-holes", image, previous=labels, slice_by_slice=True))[:, 4:8, 4:8] == 1).all()


@pytest.mark.parametrize("operation", ["open", "close", "dilate", "erode"])
def test_morphology_is_that_of_a_ball_in_millimeters(operation):
    from scipy import ndimage

    labels = ndimage.gaussian_filter(np.random.default_rng(8).normal(size=(14, 30, 32)), 2) > 0.01
    labels[:2] = labels[-2:] = labels[:, :4] = labels[:, -4:] = labels[:, :, :4] = labels[:, :, -4:] = False
    spacing, radius = (1.0, 1.0, 2.0), 2.0
    z, y, x = np.mgrid[-1:2, -2:3, -2:3]
    ball = (2 * z) ** 2 + y**2 + x**2 <= radius**2
    reference = {
        "open": ndimage.binary_opening,
        "close": ndimage.binary_closing,
        "dilate": ndimage.binary_dilation,
        "erode": ndimage.binary_erosion,
    }[operation](labels, ball)
    image = np.zeros(labels.shape, np.float32)
    found = labels_of(
        segment("morphology", image, previous=labels, spacing=spacing, operation=operation, radius=radius)
    )
    assert np.array_equal(found > 0, reference)


def test_a_segment_grows_into_background_only():
    labels = np.zeros((10, 20), np.uint8)
    labels[3:7, 3:9] = 1
    labels[3:7, 10:16] = 2
    found = labels_of(
        segment("morphology", np.zeros((10, 20), np.float32), previous=labels, operation="dilate", radius=3.0)
    )
    assert np.array_equal(found == 2, (found == 2) | (labels == 2))
    assert (found[labels == 2] == 2).all()
    assert (found[:, 9] == 1).any()


def test_touching_objects_are_split_at_their_neck():
    y, x = np.mgrid[0:60, 0:100]
    left = (x - 35) ** 2 + (y - 30) ** 2 < 18**2
    right = (x - 65) ** 2 + (y - 30) ** 2 < 18**2
    found = labels_of(segment("split-objects", np.zeros(x.shape, np.float32), previous=left | right, separation=12.0))
    assert found.max() == 2
    assert dice(found == 1, left & (x < 50)) > 0.97
    assert dice(found == 2, right & (x >= 50)) > 0.97
