"""Similar training images: found by what the model sees, named by ids, and read without trust."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from recognition_cases import make_case, make_features, make_measurement

from MedImageAnalysisLib.errors import InvalidModelError
from MedImageAnalysisLib.recognition import load_model, recognize
from MedImageAnalysisLib.recognition.descriptors.scattering import Scattering
from MedImageAnalysisLib.recognition.exemplars import Exemplar, Exemplars
from MedImageAnalysisLib.recognition.linear import describe, project
from MedImageAnalysisLib.recognition.training.data import LabelledImage
from MedImageAnalysisLib.recognition.training.exemplars import EACH, add_exemplars, chosen_exemplars
from MedImageAnalysisLib.recognition.training.fitting import FitSettings, fit_linear
from MedImageAnalysisLib.recognition.training.folder import pack_weights, write_model
from MedImageAnalysisLib.recognition.training.images import described
from MedImageAnalysisLib.recognition.training.recipes import CHEST
from MedImageAnalysisLib.untrusted_file import sha256_of

IDS = ("left 1", "left 2", "right 1", "right 2")
PLACES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 10.0], [4.0, 10.0]])


def told(folder, places=PLACES, **changes):
    """Exemplars at these places in a folder, as model.json describes them."""
    content = pack_weights({"coordinates": np.asarray(places)})
    (folder / "exemplars.npz").write_bytes(content)
    cases = [{"id": name, "category": int(name.startswith("right"))} for name in IDS]
    return {"file": "exemplars.npz", "sha256": sha256_of(content), "cases": cases} | changes


def with_exemplars(folder, exemplars):
    path = folder / "model.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description["linear"]["exemplars"] = exemplars
    path.write_text(json.dumps(description))
    return load_model(folder)


@pytest.fixture
def exemplars(tmp_path):
    description = told(tmp_path)
    return Exemplars(
        description["file"], description["sha256"], tuple(Exemplar(**case) for case in description["cases"])
    )


def test_the_nearest_are_named_with_their_category_and_distance(exemplars, tmp_path):
    rows = exemplars.nearest(tmp_path, np.array([2.5, 3.0]), ["Left", "Right"])
    assert [row.title for row in rows] == [
        "Similar training image 1: left 2",
        "Similar training image 2: left 1",
        "Similar training image 3: right 2",
    ]
    assert [row.category for row in rows] == ["Left", "Left", "Right"]
    # Exemplars are 2, 2, 4 and 4 from the one nearest to them: 3 is usual.
    assert [row.value for row in rows] == pytest.approx(np.sqrt([9.25, 15.25, 51.25]) / 3)
    assert {row.contribution for row in rows} == {0.0}


def test_only_the_first_axes_count_where_exemplars_have_fewer(exemplars, tmp_path):
    rows = exemplars.nearest(tmp_path, np.array([0.0, 9.0, 1e6]), ["Left", "Right"])
    assert rows[0].title.endswith("right 1")


def test_a_model_shows_its_exemplars_below_what_speaks_for_the_category(linear_folder):
    model = with_exemplars(linear_folder, told(linear_folder))
    features = make_features(np.array([[4.0, -3.0], [6.0, 99.0]]), ("brightness", "width"))
    found = recognize(model, make_case(make_measurement("angle", 0.0), features=features))
    assert found.assessed, found.reason
    assert [row.feature for row in found.evidence][-3:] == ["exemplar[1]", "exemplar[2]", "exemplar[3]"]
    shares = [row.contribution for row in found.evidence]
    assert any(shares[:-3])
    assert shares[-3:] == [0.0] * 3


@pytest.mark.parametrize(
    ("places", "changes", "message"),
    [
        (PLACES, {"sha256": "0" * 64}, "SHA-256|checksum"),
        (PLACES, {"file": "../exemplars.npz"}, "must match"),
        (PLACES, {"cases": [{"id": "a", "category": 0}, {"id": "b", "category": 2}]}, "within 0 to 1"),
        (PLACES, {"cases": [{"id": "a/../../b", "category": 0}, {"id": "b", "category": 1}]}, "must match"),
        (PLACES, {"cases": [{"id": "a", "category": 0}, {"id": "b", "category": 1}]}, "2 exemplars"),
        (PLACES[:, :1].ravel(), {}, "4 exemplars"),
        (np.zeros((4, 40)), {}, "4 exemplars on 1 to"),
        (PLACES * np.nan, {}, "NaN"),
    ],
)
def test_exemplars_that_do_not_fit_are_refused(linear_folder, places, changes, message):
    with pytest.raises(InvalidModelError, match=message):
        with_exemplars(linear_folder, told(linear_folder, places, **changes))


def test_chosen_are_training_images_of_different_groups_evenly_from_all_categories():
    cases = [LabelledImage(Path(f"{i}.png"), i % 3, f"g{i // 6}", i % 5 == 0) for i in range(3000)]
    chosen = chosen_exemplars(cases, seed=1)
    assert not any(case.held_out for case in chosen)
    assert len({case.group for case in chosen}) == len(chosen)
    assert np.bincount([case.category for case in chosen]).tolist() == [EACH] * 3
    assert chosen_exemplars(cases[::-1], seed=1) == chosen


def test_images_are_described_as_the_model_does(tmp_path):
    random = np.random.default_rng(0)
    recipe = replace(CHEST, descriptors=(Scattering(size=32, grid=2, scales=2, orientations=2),))
    images = [sitk.GetImageFromArray(random.normal(size=(40, 40)).cumsum(i % 2)) for i in range(60)]
    x = np.array([describe(recipe.descriptors, image) for image in images])
    y = np.arange(60) % 3
    fit = fit_linear(x, y, [str(i) for i in range(60)], FitSettings(folds=2, members=2, maximum_axes=4))
    folder = tmp_path / "model"
    write_model(folder, described(recipe, fit, 60) | {"performance": []}, "# Model", fit.arrays)
    weights = (folder / "weights.npz").read_bytes()
    cases = []
    for i, image in enumerate(images):
        sitk.WriteImage(image, str(tmp_path / f"case {i}.nrrd"))
        cases.append(LabelledImage(tmp_path / f"case {i}.nrrd", int(y[i]), str(i), held_out=False))
    model = add_exemplars(folder, recipe, cases)
    assert (folder / "weights.npz").read_bytes() == weights
    place = [case.id for case in model.spec.exemplars.cases].index("case 7")
    _, u = project(model.weights(), x[7:8])
    assert model.spec.exemplars.coordinates(folder, 99)[place] == pytest.approx(u[0], rel=2e-3, abs=2e-3)
