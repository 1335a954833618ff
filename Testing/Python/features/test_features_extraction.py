"""Extraction stands what real cases bring, and tells why a cell is empty."""

import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.errors import Cancelled, GeometryError, InvalidSettingError, UnsupportedImageError
from MedImageAnalysisLib.features import FeatureSettings, definitions, emphasis, extract
from MedImageAnalysisLib.features.counts import vectorized
from MedImageAnalysisLib.features.counts.backend import BACKEND_VARIABLE
from MedImageAnalysisLib.progress import Progress

TEXTURES = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")


def image_of(array, spacing=None, direction=None, origin=None):
    image = sitk.GetImageFromArray(np.asarray(array))
    if spacing:
        image.SetSpacing(spacing)
    if direction:
        image.SetDirection(direction)
    if origin:
        image.SetOrigin(origin)
    return image


def segmentation_of(labels, *names, like=None):
    image = image_of(np.asarray(labels))
    if like is not None:
        image.CopyInformation(like)
    segments = tuple(Segment(name, k, (1.0, 0.0, 0.0)) for k, name in enumerate(names, start=1))
    return Segmentation((image,), segments)


@pytest.fixture
def noise():
    return np.random.default_rng(7).normal(100, 20, (8, 10, 12)).astype(np.float32)


@pytest.fixture
def block():
    labels = np.zeros((8, 10, 12), np.uint8)
    labels[2:7, 2:8, 3:10] = 1
    return labels


def reasons_of(table, row=0):
    return {table.definitions[j].name: reason for (i, j), reason in table.reasons.items() if i == row}


def test_each_empty_cell_has_a_reason_and_each_reason_an_empty_cell(noise):
    labels = np.zeros(noise.shape, np.uint8)
    labels[4, 5, 6] = 1
    labels[0:3] = 2
    table = extract(image_of(noise), segmentation_of(labels, "dot", "slab", "nothing"))
    assert set(table.reasons) == set(map(tuple, np.argwhere(np.isnan(table.values)).tolist()))
    assert all(reason.endswith(".") for reason in table.reasons.values())


def test_one_voxel_has_its_size_and_no_texture(noise):
    labels = np.zeros(noise.shape, np.uint8)
    labels[4, 5, 6] = 1
    image = image_of(noise, spacing=(0.5, 1.0, 2.0))
    table = extract(image, segmentation_of(labels, "dot", like=image))
    assert table.value("dot", "morph_vol_approx") == 1
    assert table.value("dot", "morph_volume") == pytest.approx(1 / 6)
    assert table.value("dot", "stat_mean") == noise[4, 5, 6]
    assert table.value("dot", "stat_var") == 0
    assert table.value("dot", "szm_z_perc") == 1
    reasons = reasons_of(table)
    assert "single voxel" in reasons["morph_pca_elongation"]
    assert "single voxel" in reasons["morph_moran_i"]
    assert "neighbor" in reasons["ngt_coarseness"]
    assert "no two neighboring voxels" in reasons["cm_contrast"].lower()


@pytest.mark.parametrize("profile", ["ibsi", "pyradiomics"])
def test_two_voxels_have_no_intensities_between_their_percentiles(noise, profile):
    labels = np.zeros(noise.shape, np.uint8)
    labels[4, 5, 6:8] = 1
    labels[0:3] = 2
    settings = FeatureSettings(profile=profile, aggregation="averaged")
    table = extract(image_of(noise), segmentation_of(labels, "two", "slab"), settings)
    empty = [table.definitions[j].title for j in np.flatnonzero(np.isnan(table.values[0]))]
    assert "Intensity robust mean absolute deviation" in empty
    assert np.isfinite(table.values[1]).all()


@pytest.mark.parametrize("discretization", ["bin-number", "bin-width", "none"])
def test_one_gray_level_is_perfectly_ordered(block, discretization):
    image = image_of(np.full(block.shape, 5, np.int16))
    table = extract(image, segmentation_of(block, "flat"), FeatureSettings(discretization=discretization))
    for name, value in {
        "stat_var": 0,
        "stat_skew": 0,
        "ih_entropy": 0,
        "ih_uniformity": 1,
        "cm_joint_entr": 0,
        "cm_energy": 1,
        "cm_contrast": 0,
        "szm_zsnu": 1,
        "szm_lze": (5 * 6 * 7) ** 2,
        "ngt_contrast": 0,
    }.items():
        assert table.value("flat", name) == pytest.approx(value), name
    reasons = reasons_of(table)
    assert "same gray level" in reasons["cm_corr"]
    assert "equal" in reasons["morph_moran_i"]
    assert not np.isnan(table.value("flat", "morph_volume"))


def test_a_flat_segment_has_no_ellipsoid_but_all_else(noise):
    labels = np.zeros(noise.shape, np.uint8)
    labels[4, 2:8, 2:9] = 1
    table = extract(image_of(noise), segmentation_of(labels, "slice"))
    reasons = reasons_of(table)
    assert set(reasons) == {"morph_vol_dens_aee", "morph_area_dens_aee"}
    assert "one voxel thick" in reasons["morph_vol_dens_aee"]
    assert table.value("slice", "morph_pca_flatness") == 0


def test_an_empty_segment_does_not_stop_the_others(noise, block):
    table = extract(image_of(noise), segmentation_of(block, "block", "nothing"))
    assert np.isfinite(table.values[0]).all()
    assert np.isnan(table.values[1]).all()
    assert set(reasons_of(table, 1).values()) == {"The segment is empty."}


def test_voxels_that_hold_no_number_leave_the_shape(noise, block):
    noise[3, 4, 5] = np.nan
    noise[3, 4, 6] = np.inf
    table = extract(image_of(noise), segmentation_of(block, "block"))
    assert table.value("block", "morph_vol_approx") == block.sum()
    assert "2 of 210 voxels hold no number" in reasons_of(table)["stat_mean"]
    ranged = extract(image_of(noise), segmentation_of(block, "block"), FeatureSettings(resegmentation_maximum=1e6))
    assert ranged.value("block", "stat_mean") == pytest.approx(
        noise[(block == 1) & np.isfinite(noise)].astype(float).mean()
    )


def test_voxels_that_hold_no_number_outside_of_the_segment_do_no_harm(noise, block):
    noise[0, 0, 0] = np.nan
    table = extract(image_of(noise), segmentation_of(block, "block"))
    assert np.isfinite(table.values).all()


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32])
def test_the_pixel_type_does_not_matter(noise, block, kind):
    whole = np.clip(np.round(noise), 0, 127)
    settings = FeatureSettings(families=("intensity", "histogram", "local-intensity", "glcm"))
    expected = extract(image_of(whole.astype(np.float64)), segmentation_of(block, "block"), settings)
    table = extract(image_of(whole.astype(kind)), segmentation_of(block, "block"), settings)
    np.testing.assert_array_equal(table.values, expected.values)


def test_negative_intensities_near_the_limits_of_their_type(block):
    values = np.random.default_rng(1).choice(np.array([-128, 127], np.int8), block.shape)
    table = extract(image_of(values), segmentation_of(block, "block"), FeatureSettings(discretization="none"))
    inside = values[block == 1].astype(float)
    assert table.value("block", "stat_energy") == (inside**2).sum()
    assert table.value("block", "ih_max") == 256


def test_oblique_orientation_does_not_matter(noise, block):
    turned = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
    straight = image_of(noise, spacing=(0.7, 0.8, 2.5))
    oblique = image_of(noise, spacing=(0.7, 0.8, 2.5), direction=turned, origin=(10.0, -20.0, 30.0))
    tables = [extract(image, segmentation_of(block, "block", like=image)) for image in (straight, oblique)]
    np.testing.assert_array_equal(tables[0].values, tables[1].values)


def test_turning_the_volume_by_a_right_angle_changes_no_merged_3d_feature(noise, block):
    plain = extract(image_of(noise), segmentation_of(block, "block"))
    turned = extract(
        image_of(np.ascontiguousarray(np.rot90(noise, axes=(0, 2)))),
        segmentation_of(np.ascontiguousarray(np.rot90(block, axes=(0, 2))), "block"),
    )
    np.testing.assert_allclose(turned.values, plain.values, rtol=1e-6)


def test_segments_may_overlap(noise, block):
    other = np.zeros_like(block)
    other[0:5, 0:6, 0:6] = 3
    layers = (image_of(block), image_of(other))
    segments = (Segment("one", 1, (1.0, 0.0, 0.0)), Segment("other", 3, (0.0, 1.0, 0.0), layer=1))
    table = extract(image_of(noise), Segmentation(layers, segments))
    assert table.value("one", "morph_vol_approx") == 5 * 6 * 7
    assert table.value("other", "morph_vol_approx") == 5 * 6 * 6


def test_a_voxel_without_neighbors_has_no_say_in_neighborhood_differences(noise, block):
    settings = FeatureSettings(("ngtdm", "ngldm"), discretization="bin-width")
    with_dot = block.copy()
    with_dot[0, 0, 0] = 1
    # The dot must not move the lowest bin.
    noise[0, 0, 0] = noise[block == 1].max()
    tables = [extract(image_of(noise), segmentation_of(labels, "block"), settings) for labels in (block, with_dot)]
    for definition, without, dotted in zip(tables[0].definitions, *(table.values[0] for table in tables), strict=True):
        assert (without == dotted) == (definition.family == "ngtdm" or definition.name == "ngl_dc_perc")


def test_a_segment_has_the_same_features_alone_and_among_others(noise, block):
    many = block.copy()
    many[0:2] = 2
    many[7] = 3
    alone = extract(image_of(noise), segmentation_of(block, "block"))
    among = extract(image_of(noise), segmentation_of(many, "block", "low", "high"))
    np.testing.assert_array_equal(among.values[0], alone.values[0])


def test_labels_may_be_large_numbers(noise, block):
    labels = block.astype(np.uint32) * 4_000_000_000
    segment = Segment("block", 4_000_000_000, (1.0, 0.0, 0.0))
    table = extract(image_of(noise), Segmentation((image_of(labels),), (segment,)))
    np.testing.assert_array_equal(table.values, extract(image_of(noise), segmentation_of(block, "block")).values)


def test_hundreds_of_labels_cost_their_boxes_only():
    cells = np.zeros((60, 60, 60), np.uint16)
    count = 0
    for corner in np.ndindex(6, 6, 6):
        count += 1
        cells[tuple(slice(10 * c + 1, 10 * c + 5) for c in corner)] = count
    image = image_of(np.random.default_rng(2).normal(size=cells.shape).astype(np.float32))
    segmentation = segmentation_of(cells, *map(str, range(count)))
    settings = FeatureSettings(families=("intensity",))
    tracemalloc.start()
    table = extract(image, segmentation, settings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(table.values).all()
    # A mask of the whole volume for each of the 216 labels would take 46 MB.
    assert peak < 5e6


def test_a_labelmap_on_another_grid_is_resampled(noise, block):
    image = image_of(noise)
    fine = np.repeat(np.repeat(np.repeat(block, 2, 0), 2, 1), 2, 2)
    labels = image_of(fine, spacing=(0.5, 0.5, 0.5), origin=(-0.25, -0.25, -0.25))
    segmentation = Segmentation((labels,), (Segment("block", 1, (1.0, 0.0, 0.0)),))
    np.testing.assert_array_equal(
        extract(image, segmentation).values, extract(image, segmentation_of(block, "block")).values
    )


def test_a_labelmap_that_lies_elsewhere_is_refused_with_both_geometries(noise, block):
    image = image_of(noise)
    segmentation = segmentation_of(block, "block")
    segmentation.layers[0].SetOrigin((200.0, 0.0, 0.0))
    with pytest.raises(GeometryError) as refusal:
        extract(image, segmentation)
    assert "200.00" in str(refusal.value)
    assert "12 x 10 x 8" in str(refusal.value)


def test_a_volume_and_a_flat_labelmap_are_refused(noise, block):
    with pytest.raises(GeometryError, match="dimension"):
        extract(image_of(noise), segmentation_of(block[4], "block"))


def test_a_color_image_is_refused(block):
    color = sitk.GetImageFromArray(np.zeros((*block.shape, 3), np.uint8), isVector=True)
    with pytest.raises(UnsupportedImageError, match="scalar"):
        extract(color, segmentation_of(block, "block"))


def test_too_many_gray_levels_leave_textures_empty_with_a_remedy(noise, block):
    settings = FeatureSettings(discretization="bin-width", bin_width=0.001)
    table = extract(image_of(noise), segmentation_of(block, "block"), settings)
    reasons = reasons_of(table)
    assert "larger bin width" in reasons["cm_contrast"]
    assert not np.isnan(table.value("block", "stat_mean"))


def test_fractions_need_bins(noise, block):
    table = extract(image_of(noise), segmentation_of(block, "block"), FeatureSettings(discretization="none"))
    assert "whole numbers" in reasons_of(table)["szm_sze"]


def test_resegmentation_may_leave_nothing(noise, block):
    settings = FeatureSettings(resegmentation_minimum=1e6)
    table = extract(image_of(noise), segmentation_of(block, "block"), settings)
    assert table.value("block", "morph_vol_approx") == block.sum()
    assert "re-segmentation" in reasons_of(table)["stat_mean"]


def test_a_radiograph_of_unknown_spacing_is_measured_in_pixels():
    labels = np.zeros((40, 50), np.uint8)
    labels[10:30, 5:45] = 1
    pixels = np.random.default_rng(3).integers(0, 4000, labels.shape).astype(np.uint16)
    table = extract(image_of(pixels), segmentation_of(labels, "plate"), length_unit="px")
    units = {definition.name: definition.unit for definition in table.definitions}
    assert table.value("plate", "shape2d_pixel_area") == 800
    assert units["shape2d_pixel_area"] == "px2"
    assert units["shape2d_perimeter"] == "px"
    assert "spacing is unknown" in reasons_of(table)["loc_peak_loc"]
    assert not set(reasons_of(table)) - {"loc_peak_loc", "loc_peak_glob"}


def test_the_three_dimensions_mean_the_same_in_a_2d_image():
    labels = np.ones((9, 9), np.uint8)
    pixels = np.random.default_rng(4).integers(0, 5, labels.shape).astype(np.uint8)
    tables = [
        extract(image_of(pixels), segmentation_of(labels, "all"), FeatureSettings(TEXTURES, **how))
        for how in (
            {"dimension": "3D", "aggregation": "merged"},
            {"dimension": "2D", "aggregation": "slice-merged"},
            {"dimension": "2.5D", "aggregation": "merged"},
        )
    ]
    for table in tables[1:]:
        np.testing.assert_allclose(table.values, tables[0].values, rtol=1e-12)


def test_a_pixel_is_a_segment_too():
    labels = np.zeros((5, 5), np.uint8)
    labels[2, 2] = 1
    table = extract(image_of(labels.astype(np.float32)), segmentation_of(labels, "dot"))
    assert table.value("dot", "shape2d_pixel_area") == 1
    assert "single pixel" in reasons_of(table)["shape2d_elongation"]


def test_resampling_keeps_the_place_of_the_segment(noise, block):
    image = image_of(noise, spacing=(1.0, 1.0, 3.0))
    settings = FeatureSettings(families=("shape",), spacing=(0.5, 0.5, 0.5))
    table = extract(image, segmentation_of(block, "block", like=image), settings)
    assert table.value("block", "morph_vol_approx") == pytest.approx(block.sum() * 3, rel=0.05)


def test_resampling_a_part_equals_resampling_the_whole(noise):
    from MedImageAnalysisLib.features.resampling import resampled_patch

    labels = np.zeros(noise.shape, np.uint8)
    labels[3:5, 4:6, 5:8] = 1
    image, layer = image_of(noise, spacing=(1.0, 1.1, 2.0)), image_of(labels, spacing=(1.0, 1.1, 2.0))
    settings = FeatureSettings(image_interpolation="linear")
    spacing = (0.9, 0.9, 0.9)
    whole = tuple(slice(0, n) for n in image.GetSize())
    part = (slice(5, 8), slice(4, 6), slice(3, 5))
    full = resampled_patch(image, layer, 1, whole, spacing, 100.0, settings)
    near = resampled_patch(image, layer, 1, part, spacing, 0.0, settings)
    np.testing.assert_allclose(near.image[near.mask], full.image[full.mask], rtol=1e-12)


def test_a_segment_smaller_than_the_new_spacing_says_so(noise):
    labels = np.zeros(noise.shape, np.uint8)
    labels[4, 5, 6] = 1
    table = extract(image_of(noise), segmentation_of(labels, "dot"), FeatureSettings(spacing=(5.0, 5.0, 5.0)))
    assert "too small" in reasons_of(table)["morph_volume"]


def test_results_are_equal_bit_for_bit(noise, block):
    first, second = (extract(image_of(noise), segmentation_of(block, "block")) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


def test_textures_do_not_depend_on_how_much_is_done_at_once(noise, block, monkeypatch):
    scene = image_of(noise), segmentation_of(block, "block")
    settings = FeatureSettings(families=TEXTURES, aggregation="averaged")
    monkeypatch.setenv(BACKEND_VARIABLE, "numpy")
    together = extract(*scene, settings)
    monkeypatch.setattr(vectorized, "_PIECE", 500)
    monkeypatch.setattr(emphasis, "_FEW_ENTRIES", 0)
    np.testing.assert_allclose(extract(*scene, settings).values, together.values, rtol=1e-13)


def test_columns_are_those_of_the_definitions(noise, block):
    settings = FeatureSettings(families=("ngtdm", "shape"))
    table = extract(image_of(noise), segmentation_of(block, "block"), settings, intensity_unit="HU")
    assert table.definitions == definitions(settings, intensity_unit="HU")


def test_the_user_can_cancel(noise, block):
    with pytest.raises(Cancelled):
        extract(image_of(noise), segmentation_of(block, "block"), progress=Progress(cancelled=lambda: True))


def test_progress_reaches_the_end(noise, block):
    seen = []
    progress = Progress(report=lambda message, fraction: seen.append(fraction))
    extract(image_of(noise), segmentation_of(block, "a", "b", "c"), progress=progress)
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"dimension": "3D", "aggregation": "slice-merged"},
        {"dimension": "2D", "aggregation": "merged"},
        {"spacing": (1.0,)},
        {"resegmentation_minimum": 5.0, "resegmentation_maximum": 1.0},
        {"bin_number": 1},
        {"bin_width": 0.0},
        {"families": ("glcm", "nonsense")},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidSettingError):
        FeatureSettings(**wrong)


def test_settings_survive_json():
    settings = FeatureSettings(families=("shape",), spacing=(1.0, 1.0), resegmentation_minimum=-5.0)
    assert FeatureSettings.from_settings(settings.settings()) == settings
