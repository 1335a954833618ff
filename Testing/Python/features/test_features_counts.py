"""Every counting backend gives exactly what plain loops give."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MedImageAnalysisLib.features.counts import vectorized

BACKENDS = [vectorized]

FORWARD = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
FAR = [step for step in itertools.product((-2, 0, 2), repeat=3) if step > (0, 0, 0)]
IN_PLANE = [step for step in FORWARD if step[0] == 0]

OFFSETS = {
    "all 13": (FORWARD, (1, 1, 1)),
    "distance 2": (FAR, (2, 2, 2)),
    "in plane": (IN_PLANE, (0, 1, 1)),
}


def padded(levels, padding):
    return np.pad(levels, [(p, p) for p in padding])


def get(levels, voxel):
    return int(levels[voxel]) if all(0 <= v < n for v, n in zip(voxel, levels.shape, strict=True)) else 0


def moved(voxel, step, times=1):
    return tuple(v + times * s for v, s in zip(voxel, step, strict=True))


def naive_cooccurrences(levels, count, steps):
    counts = np.zeros((len(steps), count, count), np.int64)
    for voxel in np.ndindex(levels.shape):
        for k, step in enumerate(steps):
            first, second = get(levels, voxel), get(levels, moved(voxel, step))
            if first and second:
                counts[k, first - 1, second - 1] += 1
    return counts


def naive_run_lengths(levels, count, steps):
    runs = []
    for k, step in enumerate(steps):
        for voxel in np.ndindex(levels.shape):
            level = get(levels, voxel)
            if level and get(levels, moved(voxel, step, -1)) != level:
                length = 1
                while get(levels, moved(voxel, step, length)) == level:
                    length += 1
                runs.append((k, level - 1, length - 1))
    counts = np.zeros((len(steps), count, max((run[2] + 1 for run in runs), default=1)), np.int64)
    for run in runs:
        counts[run] += 1
    return counts


def naive_zones(levels, distances):
    unseen = {voxel for voxel in np.ndindex(levels.shape) if levels[voxel]}
    rows = []
    while unseen:
        zone = [unseen.pop()]
        for voxel in zone:
            for step in itertools.product((-1, 0, 1), repeat=3):
                neighbor = moved(voxel, step)
                if neighbor in unseen and levels[neighbor] == levels[voxel]:
                    unseen.remove(neighbor)
                    zone.append(neighbor)
        rows.append((levels[zone[0]], len(zone), min(distances[voxel] for voxel in zone)))
    return np.array(sorted(rows), np.int64).reshape(-1, 3)


def naive_neighborhoods(levels, count, steps, tolerance):
    voxels, differences, dependences = np.zeros((3, count, 2 * len(steps) + 1), np.int64)
    for voxel in np.ndindex(levels.shape):
        level = get(levels, voxel)
        if level:
            around = [get(levels, moved(voxel, step, sign)) for step in steps for sign in (1, -1)]
            neighbors = [other for other in around if other]
            voxels[level - 1, len(neighbors)] += 1
            differences[level - 1, len(neighbors)] += abs(level * len(neighbors) - sum(neighbors))
            dependences[level - 1, sum(abs(level - other) <= tolerance for other in neighbors)] += 1
    return voxels, differences, dependences


def sorted_rows(rows):
    return rows[np.lexsort(rows.T[::-1])]


any_levels = st.tuples(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
        elements=st.integers(0, 4),
    ),
    st.sampled_from([np.uint8, np.uint16]),
).map(lambda drawn: drawn[0].astype(drawn[1]))


@pytest.fixture(params=BACKENDS, ids=lambda module: module.__name__.rsplit(".", 1)[-1])
def backend(request):
    return request.param


@pytest.fixture(params=OFFSETS)
def offsets(request):
    return OFFSETS[request.param]


every_example = settings(max_examples=40, deadline=None, derandomize=True)


def same(actual, expected):
    assert actual.dtype == np.int64
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("name", OFFSETS)
@pytest.mark.parametrize("module", BACKENDS)
@every_example
@given(levels=any_levels)
def test_pairs_are_counted_once_per_direction(module, name, levels):
    steps, padding = OFFSETS[name]
    actual = module.cooccurrences(padded(levels, padding), 5, np.array(steps))
    same(actual, naive_cooccurrences(levels, 5, steps))


@pytest.mark.parametrize("name", ["all 13", "in plane"])
@pytest.mark.parametrize("module", BACKENDS)
@every_example
@given(levels=any_levels)
def test_runs_are_counted_by_their_exact_length(module, name, levels):
    steps, padding = OFFSETS[name]
    actual = module.run_lengths(padded(levels, padding), 5, np.array(steps))
    same(actual, naive_run_lengths(levels, 5, steps))


@pytest.mark.parametrize("module", BACKENDS)
@every_example
@given(levels=any_levels, seed=st.integers(0, 99))
def test_zones_have_level_size_and_least_distance(module, levels, seed):
    levels = padded(levels, (1, 1, 1))
    distances = np.random.default_rng(seed).integers(1, 9, levels.shape).astype(np.int32)
    expected = naive_zones(levels, distances)
    same(sorted_rows(module.zones_with_distances(levels, 5, distances)), expected)
    same(sorted_rows(module.zones(levels, 5)), sorted_rows(expected[:, :2]))


@pytest.mark.parametrize("tolerance", [0, 1])
@pytest.mark.parametrize("name", OFFSETS)
@pytest.mark.parametrize("module", BACKENDS)
@every_example
@given(levels=any_levels)
def test_neighborhoods_are_summed_in_whole_numbers(module, name, tolerance, levels):
    steps, padding = OFFSETS[name]
    actual = module.neighborhoods(padded(levels, padding), 5, np.array(steps), tolerance)
    expected = naive_neighborhoods(levels, 5, steps, tolerance)
    for found, wanted in zip((actual.voxels, actual.differences, actual.dependences), expected, strict=True):
        same(found, wanted)


def test_a_single_slice_needs_no_padding_along_the_first_axis(backend):
    levels = np.zeros((1, 5, 5), np.uint8)
    levels[0, 1:4, 1:4] = [[1, 1, 2], [1, 2, 2], [3, 3, 3]]
    steps = np.array(IN_PLANE)
    same(backend.cooccurrences(levels, 3, steps), naive_cooccurrences(levels, 3, IN_PLANE))
    same(backend.run_lengths(levels, 3, steps), naive_run_lengths(levels, 3, IN_PLANE))
    same(sorted_rows(backend.zones(levels, 3)), np.array([[1, 3], [2, 3], [3, 3]]))


def test_many_levels_do_not_overflow(backend):
    levels = np.zeros((3, 4, 4), np.uint16)
    levels[1, 1:3, 1:3] = [[1, 4000], [4000, 3999]]
    found = backend.neighborhoods(levels, 4000, np.array(FORWARD), 1)
    expected = naive_neighborhoods(levels, 4000, FORWARD, 1)
    for actual, wanted in zip((found.voxels, found.differences, found.dependences), expected, strict=True):
        same(actual, wanted)


def test_an_empty_region_has_no_counts(backend):
    levels = np.zeros((3, 3, 3), np.uint8)
    steps = np.array(FORWARD)
    assert not backend.cooccurrences(levels, 2, steps).any()
    assert backend.run_lengths(levels, 2, steps).shape == (13, 2, 1)
    assert backend.zones(levels, 2).shape == (0, 2)
    assert not backend.neighborhoods(levels, 2, steps, 0).voxels.any()
