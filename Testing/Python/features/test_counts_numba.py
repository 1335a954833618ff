"""The compiled counting backend gives the same integers as the one in numpy, which is held against plain loops."""

import importlib.util
import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MedImageAnalysisLib.errors import InvalidSettingError, MissingPackageError
from MedImageAnalysisLib.features import compiled as loading
from MedImageAnalysisLib.features.counts import backend, vectorized
from MedImageAnalysisLib.features.counts import numba_backend as compiled

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba, an optional package, is not installed"
)

FORWARD = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])
IN_PLANE = FORWARD[FORWARD[:, 0] == 0]
FAR = np.array([step for step in itertools.product((-2, 0, 2), repeat=3) if step > (0, 0, 0)])
OFFSETS = {"all 13": FORWARD, "in plane": IN_PLANE, "distance 2": FAR, "one": FORWARD[:1]}


@st.composite
def regions(draw, dtype=np.uint8, highest=4):
    """Gray levels of a small box, padded as the contract asks."""
    shape = draw(st.tuples(*[st.integers(1, 7)] * 3))
    levels = draw(arrays(dtype, shape, elements=st.integers(0, highest)))
    return np.pad(levels, 2)


def rows(table):
    return sorted(map(tuple, table.tolist()))


@needs_numba
@pytest.mark.parametrize("offsets", OFFSETS.values(), ids=OFFSETS)
@given(levels=regions())
@settings(max_examples=60, deadline=None)
def test_pairs_and_runs_are_the_same(offsets, levels):
    pairs, runs = compiled.pairs_and_runs(levels, 4, offsets)
    expected = vectorized.run_lengths(levels, 4, offsets)
    assert np.array_equal(pairs, vectorized.cooccurrences(levels, 4, offsets))
    assert np.array_equal(compiled.cooccurrences(levels, 4, offsets), pairs)
    assert np.array_equal(runs, expected)
    assert np.array_equal(compiled.run_lengths(levels, 4, offsets), expected)
    assert (pairs.dtype, runs.dtype) == (np.int64, np.int64)


@needs_numba
@pytest.mark.parametrize("offsets", OFFSETS.values(), ids=OFFSETS)
@given(levels=regions(), tolerance=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_neighborhoods_are_the_same(offsets, levels, tolerance):
    found = compiled.neighborhoods(levels, 4, offsets, tolerance)
    expected = vectorized.neighborhoods(levels, 4, offsets, tolerance)
    for name in ("voxels", "differences", "dependences"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


@needs_numba
@given(levels=regions(highest=2), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_zones_are_the_same(levels, seed):
    distances = np.random.default_rng(seed).integers(1, 5, levels.shape).astype(np.int32)
    assert rows(compiled.zones(levels, 2)) == rows(vectorized.zones(levels, 2))
    expected = vectorized.zones_with_distances(levels, 2, distances)
    assert rows(compiled.zones_with_distances(levels, 2, distances)) == rows(expected)


@needs_numba
@given(levels=arrays(np.uint8, (1, 6, 6), elements=st.integers(0, 2)))
@settings(max_examples=50, deadline=None)
def test_a_single_slice_needs_no_padding_across_slices(levels):
    levels = np.pad(levels, ((0, 0), (1, 1), (1, 1)))
    assert np.array_equal(compiled.run_lengths(levels, 2, IN_PLANE), vectorized.run_lengths(levels, 2, IN_PLANE))
    assert rows(compiled.zones(levels, 2)) == rows(vectorized.zones(levels, 2))


@needs_numba
def test_many_gray_levels_are_counted_in_16_bits():
    levels = np.pad(np.random.default_rng(0).integers(0, 700, (6, 7, 8)).astype(np.uint16), 1)
    pairs, runs = compiled.pairs_and_runs(levels, 700, FORWARD)
    assert np.array_equal(pairs, vectorized.cooccurrences(levels, 700, FORWARD))
    assert np.array_equal(runs, vectorized.run_lengths(levels, 700, FORWARD))
    found = compiled.neighborhoods(levels, 700, FORWARD, 30)
    assert np.array_equal(found.differences, vectorized.neighborhoods(levels, 700, FORWARD, 30).differences)


@needs_numba
def test_sums_beyond_16_bits_do_not_wrap_around():
    levels = np.pad(np.full((3, 3, 3), 6000, np.uint16), 1)
    found = compiled.neighborhoods(levels, 6000, FORWARD, 0)
    assert found.differences.sum() == 0
    assert found.voxels[5999, 26] == 1


@needs_numba
def test_a_large_flat_region_is_one_zone_and_long_runs():
    levels = np.pad(np.ones((40, 30, 300), np.uint8), 1)
    assert compiled.zones(levels, 1).tolist() == [[1, 40 * 30 * 300]]
    runs = compiled.run_lengths(levels, 1, FORWARD)
    assert runs.shape[2] == 300
    assert runs[0, 0, 299] == 40 * 30


@needs_numba
def test_compiled_code_is_kept_in_the_folder_of_the_user():
    import numba

    before = numba.config.CACHE_DIR
    path = compiled._kernels().zone_labels._cache.cache_path
    assert str(loading._cache_folder()) in path or (before and before in path)
    assert before == numba.config.CACHE_DIR


def test_a_read_only_home_does_not_stop_the_compiled_code(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(blocked))
    monkeypatch.setattr(sys, "platform", "linux")
    folder = loading._cache_folder()
    assert folder.is_dir()
    assert blocked not in folder.parents


def test_missing_numba_is_told_and_not_replaced(monkeypatch):
    loading.load.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingPackageError, match="numba"):
        compiled.zones(np.zeros((3, 3, 3), np.uint8), 1)


@pytest.fixture
def nothing_compiled(monkeypatch):
    monkeypatch.delenv(backend.BACKEND_VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, backend._KERNELS, raising=False)


@needs_numba
def test_large_regions_are_counted_by_compiled_code_and_small_ones_by_numpy(nothing_compiled):
    assert backend.backend_for(np.zeros((9, 9, 9), np.uint8)) is vectorized
    assert backend.backend_for(np.zeros((50, 50, 50), np.uint8)) is compiled


@needs_numba
def test_code_that_is_compiled_already_counts_small_regions_too(nothing_compiled, monkeypatch):
    monkeypatch.setitem(sys.modules, backend._KERNELS, compiled)
    assert backend.backend_for(np.zeros((9, 9, 9), np.uint8)) is compiled


def test_without_numba_everything_is_counted_by_numpy_and_said_so(nothing_compiled, monkeypatch):
    monkeypatch.setattr(backend, "_numba_is_installed", lambda: False)
    assert backend.backend_for(np.zeros((50, 50, 50), np.uint8)) is vectorized
    assert "numba is not installed" in backend.describe_backend()


def test_the_user_chooses_the_backend(nothing_compiled, monkeypatch):
    monkeypatch.setenv(backend.BACKEND_VARIABLE, "numpy")
    assert backend.backend_for(np.zeros((50, 50, 50), np.uint8)) is vectorized
    monkeypatch.setenv(backend.BACKEND_VARIABLE, "numba")
    assert backend.backend_for(np.zeros((9, 9, 9), np.uint8)) is compiled
    monkeypatch.setenv(backend.BACKEND_VARIABLE, "fortran")
    with pytest.raises(InvalidSettingError, match="auto, numpy, numba"):
        backend.backend_for(np.zeros((9, 9, 9), np.uint8))
