"""Sums over pairs by Fourier transforms are the sums over pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MedImageAnalysisLib.features import autocorrelation
from MedImageAnalysisLib.features.autocorrelation import _weighted_pair_sums

SPACING = np.array([2.5, 0.7, 1.1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(mask=arrays(bool, st.tuples(*[st.integers(1, 7)] * 3)).filter(np.any), seed=st.integers(0, 99))
@pytest.mark.parametrize("chunk", [2, 16])
def test_all_pairs_are_summed(chunk, mask, seed):
    points = np.argwhere(mask) * SPACING
    values = np.random.default_rng(seed).normal(size=len(points))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    weights = 1 / apart
    expected = weights.sum(), values @ weights @ values, values**2 @ weights.sum(axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autocorrelation, "_CHUNK", chunk)
        assert _weighted_pair_sums(mask, values, SPACING) == pytest.approx(expected, rel=1e-9, abs=1e-9)
