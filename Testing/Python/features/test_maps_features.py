"""A map holds, at each voxel, what the family of the feature gives for the neighborhood of that voxel alone."""

import importlib

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import (
    Cancelled,
    GeometryError,
    InvalidSettingError,
    UnknownNameError,
    UnsupportedImageError,
)
from MedImageAnalysisLib.features.levels import GrayLevels
from MedImageAnalysisLib.features.maps import feature_map, feature_maps, mappable_features, weighted_map
from MedImageAnalysisLib.features.region import Region
from MedImageAnalysisLib.features.settings import FeatureSettings
from MedImageAnalysisLib.progress import Progress

LEVELS = 4
FAMILIES = ("intensity", "histogram", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
SETTINGS = {
    "3D merged": FeatureSettings(discretization="none"),
    "3D averaged": FeatureSettings(discretization="none", aggregation="averaged"),
    "3D distance 2": FeatureSettings(discretization="none", distance=2, dependence_tolerance=1),
    "2D averaged": FeatureSettings(discretization="none", dimension="2D", aggregation="averaged"),
    "2D merged": FeatureSettings(discretization="none", dimension="2D", aggregation="slice-merged"),
}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Small whole numbers, so that intensities are gray levels."""
    array = np.random.default_rng(3).integers(1, LEVELS + 1, (5, 6, 7)).astype(np.float32)
    array[:2, :3, :3] = 2
    array[0, 5, 6] = LEVELS
    return array


@pytest.fixture(scope="module")
def region(pixels) -> np.ndarray:
    inside = np.random.default_rng(4).random(pixels.shape) < 0.85
    inside[0, 0, 0] = inside[0, 5, 6] = inside[2, 2, 2] = True
    return inside


def image_of(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([0.5, 1.0, 2.0][: image.GetDimension()])
    image.SetOrigin([10.0, -3.0, 7.0][: image.GetDimension()])
    return image


def values_alone(pixels, inside, settings, flat=False) -> dict[str, float]:
    """All features of the given voxels, by the modules of the families."""
    levels = GrayLevels(pixels[inside].astype(np.uint8), LEVELS)
    region = Region(
        image=pixels,
        shape_mask=inside,
        mask=inside,
        spacing=np.ones(3),
        settings=settings,
        surroundings=pixels,
        corner=(0, 0, 0),
        dimension=2 if flat else 3,
    )
    # Maps take the gray levels from the whole region, not from the neighborhood.
    vars(region)["levels"] = levels
    found = {}
    for name in FAMILIES:
        module = importlib.import_module(f"MedImageAnalysisLib.features.{name}")
        names = [feature.name for feature in module.FAMILY.features]
        found.update(zip(names, module.compute(region).values, strict=True))
    return found


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_map_equals_the_family_on_each_neighborhood(pixels, region, settings):
    names = mappable_features()
    reach = settings.distance
    maps = feature_maps(
        image_of(pixels), names, image_of(region.astype(np.uint8)), radius_voxels=reach, settings=settings
    )
    arrays = [sitk.GetArrayViewFromImage(item) for item in maps]
    across = reach if settings.dimension == "3D" else 0
    for z, y, x in [(0, 0, 0), (0, 5, 6), (2, 2, 2), *np.argwhere(region)[::23]]:
        box = (
            slice(max(z - across, 0), z + across + 1),
            slice(max(y - reach, 0), y + reach + 1),
            slice(max(x - reach, 0), x + reach + 1),
        )
        expected = values_alone(pixels[box], region[box], settings)
        found = {name: float(array[z, y, x]) for name, array in zip(names, arrays, strict=True)}
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


def test_every_map_of_a_2d_image_equals_the_family_on_each_neighborhood(pixels, region):
    names = mappable_features()
    settings = SETTINGS["3D merged"]
    maps = feature_maps(
        image_of(pixels[2]), names, image_of(region[2].astype(np.uint8)), radius_voxels=1, settings=settings
    )
    for y, x in np.argwhere(region[2])[::7]:
        box = (slice(2, 3), slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
        expected = values_alone(pixels[box], region[box], settings, flat=True)
        found = {name: item.GetPixel(int(x), int(y)) for name, item in zip(names, maps, strict=True)}
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


def test_maps_keep_the_geometry_and_are_empty_outside_of_the_region(pixels, region):
    image, mask = image_of(pixels), image_of(region.astype(np.uint8))
    found = feature_map(image, "stat_mean", mask, radius_voxels=1)
    assert found.GetPixelID() == sitk.sitkFloat32
    assert (found.GetSpacing(), found.GetOrigin()) == (image.GetSpacing(), image.GetOrigin())
    assert np.array_equal(np.isnan(sitk.GetArrayViewFromImage(found)), ~region)


def test_a_2d_image_has_2d_maps(pixels):
    image = image_of(pixels[0])
    found = feature_map(image, "stat_max", radius_voxels=1)
    expected = sitk.GrayscaleDilate(image, (1, 1), sitk.sitkBox)
    assert np.array_equal(sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(expected))


def test_radius_in_millimeters_follows_the_spacing_of_each_axis(pixels):
    """2 mm are 4 voxels along x, 2 along y and 1 along z."""
    found = sitk.GetArrayFromImage(feature_map(image_of(pixels), "stat_mean", radius_mm=2.0))
    assert found[2, 3, 4] == pytest.approx(pixels[1:4, 1:6, 0:7].mean(), rel=1e-6)


def test_maps_do_not_depend_on_how_many_neighborhoods_are_done_at_once(pixels, monkeypatch):
    from MedImageAnalysisLib.features.maps import windows

    names = ("cm_contrast", "rlm_lre", "szm_lze", "dzm_lde", "ngt_busyness", "ngl_hde", "stat_p90")
    whole = feature_maps(image_of(pixels), names, radius_voxels=1)
    monkeypatch.setattr(windows, "_CHUNK", 7)
    for one, other in zip(whole, feature_maps(image_of(pixels), names, radius_voxels=1), strict=True):
        first, second = sitk.GetArrayViewFromImage(one), sitk.GetArrayViewFromImage(other)
        assert np.allclose(first, second, rtol=1e-6, equal_nan=True)


def test_what_does_not_suit_is_refused_in_words(pixels):
    image = image_of(pixels)
    with pytest.raises(UnknownNameError, match="morph_volume"):
        feature_map(image, "morph_volume", radius_voxels=1)
    with pytest.raises(InvalidSettingError, match="either"):
        feature_map(image, "stat_mean")
    with pytest.raises(InvalidSettingError, match="above 0"):
        feature_map(image, "stat_mean", radius_voxels=0)
    with pytest.raises(InvalidSettingError, match="empty"):
        feature_map(image, "stat_mean", image_of(np.zeros(pixels.shape, np.uint8)), radius_voxels=1)
    with pytest.raises(GeometryError, match="grid"):
        feature_map(image, "stat_mean", sitk.Image(3, 3, 3, sitk.sitkUInt8), radius_voxels=1)
    with pytest.raises(UnsupportedImageError, match="no number"):
        feature_map(image_of(np.where(pixels == 1, np.nan, pixels)), "stat_mean", radius_voxels=1)


def test_a_map_can_be_cancelled(pixels):
    with pytest.raises(Cancelled):
        feature_map(image_of(pixels), "stat_mean", radius_voxels=1, progress=Progress(cancelled=lambda: True))


def test_weighted_map_is_the_sum_of_weights_times_maps(pixels):
    first, second = image_of(pixels), image_of(pixels**2)
    found = weighted_map([first, second], [0.5, -2.0], offset=1.0)
    assert np.allclose(sitk.GetArrayViewFromImage(found), 1 + 0.5 * pixels - 2 * pixels**2)
    assert found.GetOrigin() == first.GetOrigin()


def test_weighted_map_needs_one_weight_per_map_on_one_grid(pixels):
    with pytest.raises(InvalidSettingError, match="one finite weight"):
        weighted_map([image_of(pixels)], [1.0, 2.0])
    with pytest.raises(GeometryError, match="one grid"):
        weighted_map([image_of(pixels), sitk.GetImageFromArray(pixels)], [1.0, 2.0])
