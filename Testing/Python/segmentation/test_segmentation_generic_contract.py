"""What every generic segmentation method keeps to: one test over all of them."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import Cancelled, InvalidSettingError, UnsupportedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.generic.scalar_method import ScalarMethod, in_raster_order, labeled

MODULES = ["threshold", "components", "watershed", "superpixels", "region_growing", "clustering", "active_contour"]
GENERIC = [entry.name for entry in METHODS.values() if entry.__module__.rpartition(".")[2] in MODULES]
SHAPES = [(17, 23), (9, 11, 13), (1, 20), (20, 1), (1, 1), (1, 9, 8), (9, 8, 1), (5, 1, 1)]
PIXEL_TYPES = [np.uint8, np.int16, np.uint16, np.float32]
NEED_PREVIOUS = {"largest-component", "fill-holes", "morphology", "split-objects"}
ONLY_2D = {"quickshift"}


@pytest.fixture(params=GENERIC)
def method(request) -> ScalarMethod:
    """Each generic method with its default settings."""
    return METHODS[request.param]()


def picture(shape, kind=np.float32) -> sitk.Image:
    """A bright block on dark noise, turned, off the origin and with different spacing along each axis."""
    pixels = np.random.default_rng(7).uniform(10, 30, shape)
    pixels[tuple(slice(n // 4, n - n // 4) for n in shape)] += 60
    image = sitk.GetImageFromArray(pixels.astype(kind))
    c, s = np.cos(0.4), np.sin(0.4)
    image.SetDirection((c, s, s, -c) if len(shape) == 2 else (c, 0, s, 0, -1, 0, -s, 0, c))
    image.SetSpacing((0.7, 0.9, 2.5)[: len(shape)])
    image.SetOrigin((-31.25, 12.5, 100.1)[: len(shape)])
    return image


def previous_for(method, image):
    return METHODS["multi-otsu"]()(image, None, Progress()) if method.name in NEED_PREVIOUS else None


def run(method, image, progress=None):
    return method(image, previous_for(method, image), progress or Progress())


def test_all_generic_methods_are_tested():
    assert len(GENERIC) >= 13


def test_a_method_is_repeated_by_its_settings_and_documented(method):
    assert type(method).from_settings(method.settings()) == method
    assert method.title
    assert type(method).__doc__
    assert all(info.doc for info in method.parameters())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", PIXEL_TYPES, ids=lambda kind: np.dtype(kind).name)
def test_a_method_takes_any_size_and_pixel_type_and_stays_on_the_grid(method, shape, kind):
    image = picture(shape, kind)
    before = sitk.GetArrayFromImage(image)
    if method.name in ONLY_2D and len(shape) == 3:
        with pytest.raises(UnsupportedImageError, match="2D"):
            run(method, image)
        return

    found = run(method, image)

    labelmap = found.labelmap
    assert labelmap.GetPixelID() in (sitk.sitkUInt8, sitk.sitkUInt16)
    assert labelmap.GetSize() == image.GetSize()
    assert labelmap.GetSpacing() == image.GetSpacing()
    assert labelmap.GetOrigin() == image.GetOrigin()
    assert labelmap.GetDirection() == image.GetDirection()
    assert set(np.unique(sitk.GetArrayFromImage(labelmap))) - {0} <= {segment.label for segment in found.segments}
    assert [segment.label for segment in found.segments] == list(range(1, len(found.segments) + 1))
    assert len({segment.name for segment in found.segments}) == len(found.segments)
    assert np.array_equal(sitk.GetArrayFromImage(image), before)


@pytest.mark.parametrize("shape", [(17, 23), (6, 7, 8), (20, 1)], ids=str)
def test_a_constant_image_is_no_obstacle(method, shape):
    if method.name in ONLY_2D and len(shape) == 3:
        return
    image = sitk.GetImageFromArray(np.full(shape, 100, np.int16))
    assert run(method, image).labelmap.GetSize() == image.GetSize()


@pytest.mark.parametrize("shape", [(40, 50), (12, 20, 24)], ids=["2D", "3D"])
def test_the_result_does_not_depend_on_the_number_of_threads(method, shape):
    if method.name in ONLY_2D and len(shape) == 3:
        return
    image = picture(shape)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    for count in (1, 3, 4):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
        results.append(sitk.GetArrayFromImage(run(method, image).labelmap))
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_progress_moves_forward_to_the_end(method):
    fractions = []
    run(method, picture((40, 50)), Progress(report=lambda message, fraction: fractions.append(fraction)))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_method_stops_whenever_it_is_cancelled(method, share):
    image = picture((40, 50))
    calls = []
    run(method, image, Progress(cancelled=lambda: bool(calls.append(0))))
    limit = int(share * (len(calls) - 1))
    calls.clear()

    def cancelled() -> bool:
        calls.append(0)
        return len(calls) > limit

    with pytest.raises(Cancelled):
        run(method, image, Progress(cancelled=cancelled))


def test_color_and_values_that_are_not_finite_are_refused(method):
    for image in (
        sitk.Image([4, 4], sitk.sitkVectorUInt8, 3),
        sitk.GetImageFromArray(np.array([[1, np.nan], [2, 3]], np.float32)),
    ):
        with pytest.raises(UnsupportedImageError):
            method(image, None, Progress())


@pytest.mark.parametrize("name", sorted(NEED_PREVIOUS))
def test_a_refinement_says_that_it_needs_a_segmentation(name):
    with pytest.raises(InvalidSettingError, match=r"put .* before"):
        METHODS[name]()(picture((9, 9)), None, Progress())


def test_a_previous_segmentation_on_another_grid_is_refused():
    image, other = picture((9, 9)), picture((9, 10))
    previous = METHODS["otsu"]()(other, None, Progress())
    with pytest.raises(InvalidSettingError, match="another grid"):
        METHODS["morphology"]()(image, previous, Progress())


def test_regions_are_numbered_in_raster_order_of_their_first_pixel():
    labels = np.array([[0, 7, 7], [3, 7, 1], [3, 0, 1]])
    assert np.array_equal(in_raster_order(labels), [[0, 1, 1], [2, 1, 3], [2, 0, 3]])


def test_more_than_255_segments_need_16_bits_and_too_many_are_refused():
    image = sitk.Image([300, 300], sitk.sitkFloat32)
    labels = np.arange(90000).reshape(300, 300)
    names = [str(number) for number in range(300)]
    assert labeled(labels % 301, names, image).labelmap.GetPixelID() == sitk.sitkUInt16
    with pytest.raises(UnsupportedImageError, match="65536 segments"):
        labeled(labels, [str(number) for number in range(65536)], image)
