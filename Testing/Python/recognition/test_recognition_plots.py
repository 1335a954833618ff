"""The curves of a model card, and collections whose table leaves out groups or splits."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MedImageAnalysisLib.recognition.training.data import from_table
from MedImageAnalysisLib.recognition.training.fitting import _principal_axes
from MedImageAnalysisLib.recognition.training.metrics import estimate, roc_auc, share_true
from MedImageAnalysisLib.recognition.training.plots import reliability, roc_curve


@settings(deadline=None)  # the first call imports scipy
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_area_under_the_curve_is_the_auc(cases):
    scores, positive = (np.array(values) for values in zip(*cases, strict=True))
    if positive.all() or not positive.any():
        return
    false_rate, true_rate = roc_curve(scores, positive)
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)
    area = (np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum()
    assert area == pytest.approx(roc_auc(scores, positive))


def test_reliability_of_known_cases():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6]])
    found = reliability(p, np.array([0, 1, 1, 1]), bins=2)
    assert found == pytest.approx(np.array([[0.6, 0.5, 2], [0.85, 1.0, 2]]))


def test_without_groups_near_duplicates_stay_together_and_a_fifth_is_held_out(tmp_path):
    random = np.random.default_rng(0)
    lines = ["image,label"]
    for i in range(20):
        scene = np.kron(random.normal(size=(6, 6)), np.ones((8, 8))) * 40 + 120
        for copy in range(2):
            pixels = (scene + copy * 3).clip(0, 255).astype(np.uint8)
            sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / f"{i}-{copy}.png"))
            lines.append(f"{i}-{copy}.png,{'ab'[i % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    cases = from_table(tmp_path, ("a", "b"))
    assert all(one.group == two.group for one, two in zip(cases[::2], cases[1::2], strict=True))
    assert sum(case.held_out for case in cases) == 8
    assert cases == from_table(tmp_path, ("a", "b"))


def test_axes_from_few_cases_are_those_from_the_features():
    """Principal axes span what the cases span, are orthonormal, and give the variances of the projected cases."""
    z = np.random.default_rng(3).normal(size=(12, 40))
    z -= z.mean(axis=0)
    variances, axes = _principal_axes(z, 11)
    assert axes.T @ axes == pytest.approx(np.eye(11), abs=1e-9)
    assert (z @ axes).var(axis=0, ddof=1) == pytest.approx(variances)
    assert z @ axes @ axes.T == pytest.approx(z, abs=1e-9)


def test_a_draw_without_positive_cases_does_not_spoil_the_interval():
    hit, positive = np.array([True, True, False, True]), np.array([True, False, False, False])
    found = estimate(lambda i: share_true(hit[i][positive[i]]), list("abcd"), repeats=50)
    assert (found.value, found.lower, found.upper) == (1, 1, 1)
    nowhere = estimate(lambda i: share_true(hit[i][~hit[i] & positive[i]]), list("abcd"), repeats=5)
    assert np.isnan([nowhere.value, nowhere.lower, nowhere.upper]).all()
