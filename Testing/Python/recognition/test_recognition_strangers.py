"""Strangers: images that do not belong, how a model learns to tell them, and which of them it is judged by."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import InvalidModelError
from MedImageAnalysisLib.recognition.linear import project, score_of_whitened, stranger_score
from MedImageAnalysisLib.recognition.training import stranger_classifier
from MedImageAnalysisLib.recognition.training.data import spread
from MedImageAnalysisLib.recognition.training.fitting import FitSettings, fit_linear
from MedImageAnalysisLib.recognition.training.folder import write_model
from MedImageAnalysisLib.recognition.training.stranger_classifier import Strangers, fit_stranger_classifier
from MedImageAnalysisLib.recognition.training.strangers import spoiled, strangers


def test_a_sample_is_spread_over_all_items():
    assert spread("aabbbbccdd", 4) == ["a", "b", "c", "d"]
    assert spread("abc", 300) == ["a", "b", "c"]


def test_images_of_every_category_are_spoiled(tmp_path):
    own = [sitk.GetImageFromArray(np.full((16, 16), 1 + index // 200, np.uint8)) for index in range(800)]
    upside_down = dict(strangers(own, tmp_path, "none"))["own images, upside down"]
    values = [sitk.GetArrayFromImage(image).max() for image in upside_down]
    assert np.bincount(np.array(values, dtype=int)).tolist() == [0, 75, 75, 75, 75]


@pytest.mark.parametrize("units", [0, 8])
def test_spoiled_images_teach_what_does_not_belong(units):
    random = np.random.default_rng(12)
    own = random.normal(size=(400, 6)) * [1, 1, 1, 1, 1, 5]
    y = (own[:, 0] > 0).astype(int)
    # Strangers lie well within the spread of all coordinates together, so that the distance alone does not tell.
    strange = random.normal(size=(400, 6)) * [1, 1, 1, 1, 1, 1] + [0, 0, 2.2, 0, 0, 0]
    names = [str(i) for i in range(400)]
    strange = Strangers(strange, np.arange(400))
    settings = FitSettings(folds=4, members=2, stranger_flagged=0.05, stranger_units=units)
    plain, taught = (fit_linear(own, y, names, settings, strangers=extra) for extra in (None, strange))
    new = random.normal(size=(3000, 6)) + np.array([0, 0, 2.2, 0, 0, 0])
    fresh = random.normal(size=(3000, 6)) * [1, 1, 1, 1, 1, 5]
    scores = [stranger_score(taught.arrays, project(taught.arrays, rows)[1]) for rows in (new, fresh)]
    assert plain.stranger_limit is None
    assert (scores[0] > taught.stranger_limit).mean() > 2 * (plain.distances(new) > plain.outlier_range[1]).mean()
    assert (scores[0] > taught.stranger_limit).mean() > 0.5
    assert (scores[1] > taught.stranger_limit).mean() < 0.1


def test_hidden_units_find_strangers_on_two_sides():
    random = np.random.default_rng(13)
    own, sides = random.normal(size=(400, 4)), np.repeat([-3.0, 3.0], 200)
    strange = random.normal(size=(400, 4)) + sides[:, None] * [0, 0, 1, 0]
    fold, source = np.arange(400) % 4, np.arange(400)
    settings = {"penalty": 1e-3, "seed": 1}
    found = {units: fit_stranger_classifier(own, strange, fold, source, units=units, **settings) for units in (0, 8)}
    limits = {units: np.quantile(scores, 0.95) for units, (_, scores) in found.items()}
    shares = {u: (score_of_whitened(arrays, strange) > limits[u]).mean() for u, (arrays, _) in found.items()}
    assert shares[0] < 0.2
    assert shares[8] > 0.8


def test_what_was_made_from_an_image_is_not_learned_from_where_the_image_is_judged(monkeypatch):
    seen = []

    def remembered(v, y, *_):
        seen.append({tuple(row) for row in v[y == 1]})
        return np.zeros((1, 1)), np.zeros(1), np.zeros(1), 0.0

    monkeypatch.setattr(stranger_classifier, "hidden_regression", remembered)
    own = np.zeros((3, 1))
    strange = np.array([[0.0], [1.0], [2.0], [9.0]])
    fit_stranger_classifier(own, strange, np.arange(3), np.array([0, 1, 2, -1]), penalty=1e-3, units=1, seed=1)
    assert seen == [
        {(1.0,), (2.0,), (9.0,)},
        {(0.0,), (2.0,), (9.0,)},
        {(0.0,), (1.0,), (9.0,)},
        {(0.0,), (1.0,), (2.0,), (9.0,)},
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_spoiled_image_is_a_valid_image(seed):
    image = sitk.GetImageFromArray(np.random.default_rng(3).integers(0, 255, (40, 50), dtype=np.uint8))
    made = sitk.GetArrayFromImage(spoiled(image, np.random.default_rng(seed)))
    assert made.ndim == 2
    assert min(made.shape) >= 16
    assert np.isfinite(made).all()


@pytest.fixture
def hidden_folder(tmp_path, linear_description, cloud_fit):
    """A model folder whose classifier of strangers has two hidden units."""

    def written(units=2):
        axes = len(cloud_fit.arrays["variances"])
        hidden = {"stranger_hidden": np.ones((axes, units)), "stranger_hidden_intercept": np.zeros(2)}
        weights = {"stranger_weights": np.array([1.0, 1.0]), "stranger_intercept": np.array(-2.0)}
        linear = linear_description["linear"] | {"stranger_limit": 1.0}
        folder = tmp_path / f"hidden-{units}"
        return write_model(folder, linear_description | {"linear": linear}, "# C", cloud_fit.arrays | hidden | weights)

    return written


def test_a_model_with_hidden_units_is_read_and_asked(hidden_folder):
    model = hidden_folder()
    arrays = model.weights()
    assert stranger_score(arrays, np.sqrt(arrays["variances"])[None, :]) == pytest.approx(
        2 * len(arrays["variances"]) - 2
    )


def test_hidden_units_that_do_not_fit_one_another_are_refused(hidden_folder):
    with pytest.raises(InvalidModelError, match="stranger_hidden"):
        hidden_folder(units=3)
