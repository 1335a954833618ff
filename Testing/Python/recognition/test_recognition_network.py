"""Models of the kind "onnx": probabilities, intervals, evidence, refusal, and when they take the place of others."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from recognition_cases import make_measurement

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.errors import (
    InvalidModelError,
    InvalidSettingError,
    MissingPackageError,
    UnknownNameError,
    UnsupportedImageError,
)
from MedImageAnalysisLib.export.record import analysis_to_json, provenance_from_json
from MedImageAnalysisLib.networks import network as room
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.pipeline import repeat, resolved, run
from MedImageAnalysisLib.preset import Preset, load_preset
from MedImageAnalysisLib.recognition import RecognitionCase, available_models, best_available, load_model, recognize
from MedImageAnalysisLib.recognition.training.folder import write_model
from tiny_network import SIZE, description_of, make_model, sides_network, value


def written(folder, network=None, name="sides-network", **changes):
    """A model folder with the network of sides; `changes` are those of the object "onnx"."""
    content = (network or sides_network()).SerializeToString()
    description = description_of(**changes) | {"name": name}
    return write_model(folder / name, description, "# Sides", network=content)


def image_of(pixels) -> MedicalImage:
    return MedicalImage(sitk.GetImageFromArray(np.asarray(pixels, dtype=np.float32)), ImageInfo())


def recognized(model, pixels, *measurements, **more):
    image = image_of(pixels)
    return recognize(model, RecognitionCase(image, image.pixels, measurements=measurements), **more)


# Brightness falls from left to right in every row: ranks are the column's.
RAMP = np.tile(np.linspace(1, 0, 64), (64, 1))


@pytest.fixture
def model(tmp_path):
    return written(tmp_path)


def scores_of_ramp(members=2):
    """Scores by hand: the mean rank of the left half less that of the right half is one half, times 8 / 2."""
    columns = np.repeat(np.linspace(1, 0, 32), 32)
    ranks = (np.argsort(np.argsort(columns, kind="stable"), kind="stable") // 32 * 32 + 15.5) / 1023
    left = 4 * (ranks.reshape(32, 32)[:16].mean() - ranks.reshape(32, 32)[16:].mean())
    return np.array([[left * (1 + 0.1 * m), -left * (1 + 0.1 * m)] for m in range(members)])


def test_probability_and_interval_are_those_of_the_members(model):
    rows = recognized(model, RAMP).categories
    scores = scores_of_ramp() / 2.0
    p = 1 / (1 + np.exp(-2 * scores.mean(axis=0)[0]))
    members = 1 / (1 + np.exp(-2 * scores[:, 0]))
    assert rows[0].probability == pytest.approx(p, abs=1e-5)
    assert rows[0].lower == pytest.approx(np.percentile(members, 2.5), abs=1e-5)
    assert rows[0].upper == pytest.approx(np.percentile(members, 97.5), abs=1e-5)
    assert rows[0].code.value == "7771000"
    assert [row.in_prediction_set for row in rows] == [True, False]


def test_frame_is_cut_off_where_the_model_asks_for_it(model, tmp_path):
    pixels = 1 + RAMP + np.random.default_rng(5).random(RAMP.shape)
    framed = np.pad(pixels, ((30, 10), (16, 48)))
    plain = recognized(model, pixels)
    canvas = {"size": SIZE, "fill_marks": False}
    cut = recognized(written(tmp_path, name="cut", canvas=canvas | {"cut_frame": True}), framed)
    assert cut.categories[0].probability == pytest.approx(plain.categories[0].probability, abs=1e-5)
    assert recognized(model, framed).categories[0].probability < cut.categories[0].probability - 0.05
    drawn = cut.evidence_map
    shift = np.subtract(drawn.GetOrigin(), plain.evidence_map.GetOrigin())
    np.testing.assert_allclose(shift, [16, 30])
    assert drawn.GetSpacing() == plain.evidence_map.GetSpacing()


@pytest.mark.parametrize("pixels", [np.ones((20, 80, 80)), np.ones((80, 80, 3))])
def test_what_is_no_slice_is_refused_before_its_frame_is_looked_for(tmp_path, pixels):
    model = written(tmp_path, canvas={"size": SIZE, "fill_marks": False, "cut_frame": True})
    image = sitk.GetImageFromArray(pixels, isVector=pixels.shape[-1] == 3)
    with pytest.raises(UnsupportedImageError):
        model.spec.shown(image)


def test_prevalence_fills_the_adjusted_column(model):
    rows = recognized(model, RAMP, prevalence={"left": 1.0, "right": 9.0}).categories
    odds = rows[1].probability / rows[0].probability
    assert rows[1].prior_adjusted / rows[0].prior_adjusted == pytest.approx(9 * odds)


def test_the_mirrored_image_counts_as_much_as_the_original(tmp_path):
    found = recognized(written(tmp_path, mirror=True), RAMP)
    left = found.categories[0]
    assert left.probability == pytest.approx(0.5, abs=1e-5)
    assert left.lower < 0.15
    assert left.upper > 0.85
    assert sitk.GetArrayFromImage(found.evidence_map) != pytest.approx(0.0)


def test_evidence_adds_up_to_the_log_odds_and_lies_where_it_should(model):
    found = recognized(model, RAMP)
    p = np.log([row.probability for row in found.categories])
    # The second member scores 1.1 times what the activation adds up to, so the mean is 1.05 times that.
    assert 1.05 * sum(row.contribution for row in found.evidence) == pytest.approx(p[0] - p.mean(), abs=1e-5)
    drawn = sitk.GetArrayFromImage(found.evidence_map)
    assert 1.05 * drawn.sum() == pytest.approx(p[0] - p.mean(), abs=1e-4)
    assert drawn[:, :40].min() > 0 > drawn[:, 56:].max()
    assert found.evidence[0].feature == "activation[1,1]"
    assert found.evidence_map.GetSpacing() == pytest.approx([64 / 96] * 2)


def test_an_image_that_the_network_finds_strange_is_not_assessed(model):
    found = recognized(model, RAMP.T[::-1])
    assert not found.assessed
    assert "unlike" in found.reason
    assert recognized(model, RAMP.T).assessed


def test_a_network_without_a_limit_refuses_nothing(tmp_path):
    assert recognized(written(tmp_path, stranger_limit=None), RAMP.T[::-1]).assessed


def test_an_unsuitable_image_is_not_assessed(model):
    image = sitk.Image([32, 32, 32], sitk.sitkFloat32)
    found = recognize(model, RecognitionCase(MedicalImage(image, ImageInfo()), image))
    assert "not for 3D" in found.reason


def test_measurements_are_the_second_input(tmp_path):
    model = written(tmp_path, sides_network(features=1), inputs=[{"measurement": "width"}])
    plain = recognized(model, RAMP, make_measurement("width", 0.0)).categories[0].probability
    wide = recognized(model, RAMP, make_measurement("width", 3.0)).categories[0].probability
    assert np.log(wide / (1 - wide)) - np.log(plain / (1 - plain)) == pytest.approx(3.0 / 2.0, abs=1e-4)
    assert "width" in recognized(model, RAMP).reason


def test_a_gate_refuses_what_the_guarding_model_does_not_know(tmp_path):
    found = recognized(written(tmp_path, gate="chest-xray-pneumonia"), RAMP)
    assert not found.assessed
    assert "children" in found.reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"canvas": {"size": 64, "fill_marks": False}}, "must take image"),
        ({"canvas": {"size": 32}}, "'fill_marks' is missing"),
        ({"inputs": [{"measurement": "width"}]}, "must take image"),
        ({"priors": [0.5, 0.6]}, "add up to 1"),
        ({"mirror": "yes"}, "true or false"),
        ({"temperature": 0}, "within"),
        ({"set_thresholds": [0.1]}, "list of 2"),
        ({"surprise": 1}, "unknown keys"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(InvalidModelError, match=message):
        written(tmp_path, **changes)


def test_a_network_with_other_outputs_is_refused(tmp_path):
    plain = sides_network()
    other = make_model(plain.graph.node, plain.graph.input, [value("scores", "batch", 2, 2)])
    other.graph.initializer.extend(plain.graph.initializer)
    with pytest.raises(InvalidModelError, match="must return scores"):
        written(tmp_path, other)


def test_listing_models_imports_nothing_that_runs_networks(tmp_path):
    written(tmp_path)
    code = (
        "import sys; from MedImageAnalysisLib.recognition import available_models, best_available;"
        "print([m.name for m in available_models()], best_available('cardiomegaly-ctr'));"
        "print([n for n in sys.modules if n.split('.')[0] in ('onnx', 'onnxruntime', 'google')])"
    )
    environment = os.environ | {"MEDIMAGE_MODELS": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    names, imported = printed.stdout.splitlines()
    assert "sides-network" in names
    assert imported == "[]"


def test_listing_models_reads_no_network(tmp_path, monkeypatch):
    written(tmp_path)
    (tmp_path / "sides-network" / "weights.onnx").unlink()
    monkeypatch.setenv("MEDIMAGE_MODELS", str(tmp_path))
    assert "sides-network" in [model.name for model in available_models()]


# When a network takes the place of another model.


@pytest.fixture
def rivals(tmp_path, monkeypatch):
    """The user's folder with a model `sides`, and a network that is the alternative to it."""
    written(tmp_path, name="sides", stranger_limit=None)
    written(tmp_path, stranger_limit=None)
    described = tmp_path / "sides-network" / "model.json"
    described.write_text(json.dumps(json.loads(described.read_text(encoding="utf-8")) | {"alternative_to": "sides"}))
    monkeypatch.setenv("MEDIMAGE_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def without_networks(monkeypatch):
    """A machine on which networks cannot be run."""
    monkeypatch.setattr(room, "find_spec", lambda name: None)


@pytest.fixture
def sides_preset():
    """A preset that applies the model `sides` to a radiograph."""
    return replace(load_preset("generic-2d"), models=("sides",))


def test_the_network_is_taken_where_it_can_run(rivals):
    assert load_model("sides-network").alternative_to == "sides"
    assert best_available("sides") == "sides-network"
    assert best_available("sides-network") == "sides-network"
    assert best_available("cardiomegaly-ctr") == "cardiomegaly-ctr"
    with pytest.raises(UnknownNameError):
        best_available("nothing")


@pytest.mark.usefixtures("without_networks")
def test_the_named_model_is_taken_where_networks_cannot_run(rivals, sides_preset):
    assert best_available("sides") == "sides"
    with pytest.raises(MissingPackageError, match=r"sides-network.*medimageanalysis\[onnx\]"):
        resolved(replace(sides_preset, models=("sides-network",)))


def test_a_user_network_never_takes_the_place_of_a_shipped_model(rivals):
    described = rivals / "sides-network" / "model.json"
    changed = json.loads(described.read_text(encoding="utf-8")) | {"alternative_to": "chest-xray-textbook"}
    described.write_text(json.dumps(changed))
    assert best_available("chest-xray-textbook") == "chest-xray-textbook"


def test_a_preset_chooses_the_best_or_exactly_what_it_names(rivals, sides_preset):
    assert resolved(sides_preset).models == ("sides-network",)
    assert resolved(replace(sides_preset, model_choice="exact")).models == ("sides",)
    assert Preset.from_json(sides_preset.to_json()).model_choice == "best"


def test_the_record_names_the_model_that_was_used_and_repeats_it(rivals, sides_preset, monkeypatch):
    image = chest_radiograph()
    first = run(image, sides_preset)
    assert first.recognitions[0].model == "sides-network"
    assert first.provenance.preset["models"] == ["sides-network"]
    assert first.provenance.software["onnxruntime"]
    record = provenance_from_json(analysis_to_json(first))
    again = repeat(record, image)
    assert again.recognitions[0].categories == first.recognitions[0].categories != ()
    exact = run(image, replace(sides_preset, model_choice="exact"))
    assert exact.recognitions[0].model == "sides"
    assert repeat(exact.provenance, image).recognitions[0].model == "sides"
    old = {key: value for key, value in exact.provenance.preset.items() if key != "model_choice"}
    assert repeat(replace(exact.provenance, preset=old), image).recognitions[0].model == "sides"
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="sides-network"):
        repeat(record, image)


def test_a_stated_prevalence_reaches_the_table_and_the_record(rivals, sides_preset):
    image = chest_radiograph()
    found = run(image, replace(sides_preset, prevalence=(("left", 3.0), ("right", 1.0))))
    left, right = found.recognitions[0].categories
    odds = right.probability / left.probability
    assert right.prior_adjusted / left.prior_adjusted == pytest.approx(odds / 3)
    again = repeat(provenance_from_json(analysis_to_json(found)), image)
    assert again.recognitions[0].categories == (left, right)
    assert "prevalence" in found.provenance.steps[-1].call


def test_a_prevalence_of_other_categories_is_refused_before_anything_runs(rivals, sides_preset):
    with pytest.raises(InvalidSettingError, match="sides-network: left, right"):
        resolved(replace(sides_preset, prevalence=(("top", 1.0), ("bottom", 2.0))))


@pytest.mark.parametrize("shares", [{"left": -1}, {"left": "half"}, {"left": 0, "right": 0}, ["left"]])
def test_a_prevalence_that_is_none_is_refused(sides_preset, shares):
    with pytest.raises(InvalidSettingError, match="prevalence"):
        Preset.from_json(sides_preset.to_json() | {"prevalence": shares})
