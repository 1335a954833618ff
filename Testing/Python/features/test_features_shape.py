"""Shape features against bodies whose measures are known, and against slow but plain computations."""

import importlib.util
import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MedImageAnalysisLib.features import mesh
from MedImageAnalysisLib.features.counts.backend import BACKEND_VARIABLE
from MedImageAnalysisLib.features.enclosing import ellipsoid_area, minimum_bounding_box, minimum_ellipsoid
from MedImageAnalysisLib.features.hull import convex_hull, far_points, largest_distance
from MedImageAnalysisLib.features.mesh import Surface, area_and_volume, end_points, line_ends, outer_points
from MedImageAnalysisLib.features.planar_diameters import planar_diameters
from MedImageAnalysisLib.features.shape import principal_variances
from MedImageAnalysisLib.features.shape2d import area_and_perimeter

SPACING = np.array([2.0, 0.8, 0.5])

masks = arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)).filter(np.any)
examples = settings(max_examples=60, deadline=None, derandomize=True)


def ball(radius, size):
    z, y, x = np.ogrid[:size, :size, :size]
    center = (size - 1) / 2
    return (z - center) ** 2 + (y - center) ** 2 + (x - center) ** 2 <= radius**2


def mesh_of(mask, spacing):
    from skimage.measure import marching_cubes

    return marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=tuple(spacing), method="lorensen")[:2]


@examples
@given(mask=masks)
def test_area_and_volume_are_those_of_the_whole_mesh(mask):
    vertices, faces = mesh_of(mask, SPACING)
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    area, volume = area_and_volume(mask, SPACING)
    assert area == pytest.approx(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2, rel=1e-6)
    assert volume == pytest.approx(abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6, rel=1e-5)


@examples
@given(mask=masks, shift=st.tuples(*[st.integers(0, 3)] * 3))
def test_area_and_volume_do_not_depend_on_place(mask, shift):
    moved = np.pad(mask, [(s, 1) for s in shift])
    assert area_and_volume(moved, SPACING) == pytest.approx(area_and_volume(mask, SPACING), rel=1e-12)


def test_a_single_voxel_is_an_octahedron():
    area, volume = area_and_volume(np.ones((1, 1, 1), bool), np.ones(3))
    assert volume == pytest.approx(1 / 6)
    assert area == pytest.approx(np.sqrt(3))


def test_a_ball_has_nearly_the_volume_of_a_sphere():
    _, volume = area_and_volume(ball(15.3, 34), np.ones(3))
    assert volume == pytest.approx(4 / 3 * np.pi * 15.3**3, rel=0.01)


@examples
@given(mask=masks)
def test_outer_points_have_the_hull_of_the_mesh(mask):
    vertices, _ = mesh_of(mask, SPACING)
    whole = convex_hull(vertices.astype(np.float64))
    hull = convex_hull(outer_points(line_ends(mask)) * SPACING)
    assert hull.volume == pytest.approx(whole.volume, rel=1e-5)
    assert hull.area == pytest.approx(whole.area, rel=1e-5)


def computed_by(backend):
    return mock.patch.dict("os.environ", {BACKEND_VARIABLE: backend})


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba, an optional package, is not installed")
@examples
@given(mask=masks)
def test_compiled_area_volume_and_planar_diameters_are_those_of_numpy(mask):
    with computed_by("numpy"):
        expected = area_and_volume(mask, SPACING), planar_diameters(Surface(mask), SPACING)
    with computed_by("numba"):
        assert area_and_volume(mask, SPACING) == expected[0]
        assert planar_diameters(Surface(mask), SPACING) == pytest.approx(expected[1], rel=1e-14)


@pytest.mark.parametrize("few", [0, 10**9], ids=["searched", "compared"])
@examples
@given(mask=masks)
def test_planar_diameters_are_those_of_all_mesh_vertices(few, mask):
    vertices, _ = mesh_of(mask, np.ones(3))
    vertices = vertices.astype(np.float64)
    apart = np.linalg.norm((vertices[:, None] - vertices) * SPACING, axis=2)
    expected = [apart[vertices[:, None, axis] == vertices[:, axis]].max() for axis in range(3)]
    with mock.patch.object(mesh, "_FEW_VOXELS", few), computed_by("numpy"):
        assert planar_diameters(Surface(mask), SPACING) == pytest.approx(expected, rel=1e-6)


@examples
@given(mask=masks)
def test_the_diameter_is_that_of_the_points_far_from_the_center(mask):
    points = end_points(line_ends(mask)) * SPACING
    assert largest_distance(far_points(points)) == pytest.approx(largest_distance(points), rel=1e-14)


def test_the_largest_distance_is_found_in_blocks():
    points = np.random.default_rng(1).normal(size=(3000, 3))
    apart = max(np.linalg.norm(points - point, axis=1).max() for point in points)
    assert largest_distance(points) == pytest.approx(apart, rel=1e-12)
    assert largest_distance(points[:1]) == 0


@examples
@given(mask=masks)
def test_principal_variances_are_those_of_the_voxel_centers(mask):
    points = np.argwhere(mask) * SPACING
    for lost in (0, 1):
        expected = np.zeros(3)
        if len(points) > lost:
            centered = points - points.mean(axis=0)
            expected = np.linalg.eigvalsh(centered.T @ centered / (len(points) - lost))[::-1]
        np.testing.assert_allclose(principal_variances(mask, SPACING, lost), expected, atol=1e-9)


def rotation(angles):
    turns = np.eye(3)
    for (i, j), angle in zip(itertools.combinations(range(3), 2), angles, strict=True):
        turn = np.eye(3)
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turns = turns @ turn
    return turns


@examples
@given(angles=st.tuples(*[st.floats(0, 3)] * 3))
def test_a_turned_box_is_its_own_least_box(angles):
    corners = np.array(list(itertools.product((0, 2.0), (0, 3.0), (0, 7.0)))) @ rotation(angles)
    np.testing.assert_allclose(sorted(minimum_bounding_box(convex_hull(corners))), [2, 3, 7], rtol=1e-6)


@examples
@given(angles=st.tuples(*[st.floats(0, 3)] * 3))
def test_the_least_ellipsoid_of_an_ellipsoid_is_itself(angles):
    directions = np.random.default_rng(3).normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    points = directions * [5.0, 3.0, 2.0] @ rotation(angles)
    np.testing.assert_allclose(minimum_ellipsoid(points), [5, 3, 2], rtol=0.02)


@pytest.mark.parametrize("axes", [(2.0, 2.0, 2.0), (4.0, 3.0, 1.0)])
def test_the_least_ellipsoid_encloses_and_touches(axes):
    points = np.array(list(itertools.product(*[(-a, a) for a in axes])))
    # The least ellipsoid of a box is the box's inscribed one, widened by the square root of three.
    np.testing.assert_allclose(minimum_ellipsoid(points), np.sqrt(3) * np.array(axes), rtol=1e-3)


def test_the_area_of_a_sphere():
    assert ellipsoid_area(np.array([3.0, 3.0, 3.0])) == pytest.approx(36 * np.pi)


def test_the_outline_of_a_rectangle():
    area, perimeter = area_and_perimeter(np.ones((3, 5), bool), np.array([2.0, 1.0]))
    # Corners are cut halfway between pixels: four triangles of an eighth of a pixel.
    assert area == pytest.approx(30 - 4 * 2 / 8)
    assert perimeter == pytest.approx(2 * 4 + 2 * 4 + 4 * np.hypot(1, 0.5))


@examples
@given(mask=arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))).filter(np.any))
def test_the_outline_is_that_of_marching_squares(mask):
    from skimage.measure import find_contours

    # Of pixels that touch at a corner, marching squares joins the higher ones: none here.
    contours = find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="low")
    perimeter = sum(np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in contours)
    area = abs(sum(np.sum(line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1]) / 2 for line in contours))
    assert area_and_perimeter(mask, np.ones(2)) == pytest.approx((area, perimeter))
