"""From a cohort to a model: `medimage train` and `medimage evaluate` read a store."""

import json

import numpy as np
import pytest

from MedImageAnalysisLib.cohort.learning import recorded_answers, training_rows
from MedImageAnalysisLib.cohort.store import CaseRecord, Entry, Store, record_key
from MedImageAnalysisLib.errors import InvalidModelError, InvalidSettingError
from MedImageAnalysisLib.recognition import load_model

DEFINITIONS = [{"name": "mean", "unit": "HU"}, {"name": "entropy", "unit": "bit"}]
MODEL = "chest-xray-pneumonia"


def an_analysis(mean, ratio, entropy=1.0, preset="simple", recognitions=()):
    """What a run keeps of a case, with two features, one measurement and what models said."""
    features = {"definitions": DEFINITIONS, "segments": ["Lung"], "values": [[mean, entropy]], "empty_cells": []}
    measurements = [{"name": "ratio", "value": ratio, "unit": "1", "reason": ""}]
    return {
        "segments": [{"key": "lung", "name": "Lung"}],
        "features": features,
        "measurements": measurements,
        "recognitions": list(recognitions),
        "quality": [],
        "provenance": {"preset": {"name": preset}},
    }


@pytest.fixture
def fill(tmp_path):
    """Writes cases, given as label, patient, covariates and analysis, to a store; returns its folder."""

    def write(cases, name="store"):
        store = Store(tmp_path / name, create=True)
        for number, (label, patient, covariates, analysis) in enumerate(cases):
            case = f"case-{number:03d}"
            key = record_key(case, "s", "c", case)
            record = CaseRecord(key, case, "done", patient, label, covariates, analysis=analysis)
            store.write(record)
            store.note(Entry(case, "f", "s", "c", key, "done", at=1.0))
        store.close()
        return store.folder

    return write


@pytest.fixture
def cases():
    """Eighty cases of forty patients; malignant ones have a higher mean and a larger ratio."""
    random = np.random.default_rng(3)
    found = []
    for number in range(80):
        malignant = number // 2 % 2
        values = malignant + random.normal(0, 0.3, 2)
        analysis = an_analysis(*(float(value) for value in values))
        grade = {"grade": "high" if malignant else "low"}
        found.append((("benign", "malignant")[malignant], f"patient-{number // 2}", grade, analysis))
    return found


@pytest.fixture
def command():
    pytest.importorskip("typer", reason="the command line needs the extra 'cli'")
    pytest.importorskip("matplotlib", reason="the plots need the extra 'train'")
    from MedImageAnalysisLib.cli import run

    return lambda *words: run([str(word) for word in words])


class TestTraining:
    def test_inputs_are_features_and_measurements_and_groups_are_patients(self, fill, cases):
        rows = training_rows(fill(cases)).rows
        assert {source.key for source in rows.inputs} == {"mean[Lung]", "entropy[Lung]", "ratio"}
        assert rows.x.shape == (80, 3)
        assert len(set(rows.groups)) == 40
        sides = dict(zip(rows.groups, rows.held_out, strict=True))
        assert [sides[group] for group in rows.groups] == rows.held_out.tolist()
        assert sum(sides.values()) == 8

    def test_a_column_can_be_the_label_and_another_one_the_split(self, fill, cases):
        for number, (_, _, covariates, _) in enumerate(cases):
            covariates["split"] = "val" if number < 20 else "train"
        rows = training_rows(fill(cases), label="grade").rows
        assert set(rows.labels) == {"high", "low"}
        assert rows.held_out.tolist() == [True] * 20 + [False] * 60

    def test_what_is_missing_is_left_out_and_told(self, fill, cases):
        for number, (_, patient, covariates, analysis) in enumerate(cases):
            if number < 10:
                analysis["features"]["values"][0][1] = None
            if number == 70:
                analysis["measurements"][0]["value"] = None
            if number == 71:
                cases[number] = ("", patient, covariates, analysis)
        found = training_rows(fill(cases))
        assert {source.key for source in found.rows.inputs} == {"mean[Lung]", "ratio"}
        assert len(found.rows.labels) == 78
        assert " ".join(found.notes) == (
            "Left out: 1 cases have no label. Left out: 1 values are missing in more than 5% of the cases. "
            "Left out: 1 cases lack one of the other values."
        )

    def test_values_of_several_presets_are_not_mixed(self, fill, cases):
        cases[0][3]["provenance"]["preset"]["name"] = "other"
        with pytest.raises(InvalidSettingError, match="several presets"):
            training_rows(fill(cases))

    def test_a_store_without_labels_is_refused(self, fill, cases):
        with pytest.raises(InvalidSettingError, match=r"No case .* has a label"):
            training_rows(fill([("", *rest) for _, *rest in cases]))

    def test_the_command_trains_and_the_model_is_judged_on_another_store(self, fill, cases, command, tmp_path, capsys):
        store, models = fill(cases), tmp_path / "models"
        assert command("train", store, "--model", "lump", "-o", models, "--folds", "2") == 0
        assert "AUC, not benign" in capsys.readouterr().out
        model = load_model(models / "lump")
        assert {source.key for source in model.spec.inputs} == {"mean[Lung]", "entropy[Lung]", "ratio"}
        assert "the preset simple" in model.training.data
        other = fill([*cases, ("benign", "p", {}, an_analysis(None, 0.1))], "other")
        assert command("evaluate", models / "lump", other) == 0
        told = capsys.readouterr()
        assert "80 cases" in told.out
        assert "1 cases were not assessed" in told.err

    def test_to_judge_on_a_label_is_asked_for_only_of_a_store(self, command, tmp_path, capsys):
        assert command("evaluate", "cardiomegaly-ctr", tmp_path, "--label", "grade") == 1
        assert "--label is for the store of a cohort" in capsys.readouterr().err


class TestJudging:
    @pytest.fixture
    def judged_cases(self):
        """Forty cases about which the shipped model said something: three of four times the truth."""
        model = load_model(MODEL)
        titles = [category.title for category in model.classes]
        found = []
        for number in range(40):
            truth = number % len(titles)
            told = truth if number % 4 else (truth + 1) % len(titles)
            rest = 0.3 / (len(titles) - 1)
            categories = [
                {"category": title, "probability": 0.7 if place == told else rest, "in_prediction_set": place == told}
                | {"lower": 0.0, "upper": 1.0}
                for place, title in enumerate(titles)
            ]
            answer = {"model": MODEL, "version": model.version, "assessed": True, "reason": ""}
            analysis = an_analysis(0.0, 0.0, recognitions=[answer | {"categories": categories}])
            found.append((titles[truth], f"patient-{number}", {}, analysis))
        return found

    def test_what_a_model_said_in_the_run_is_judged(self, fill, judged_cases, command, capsys):
        assert command("evaluate", MODEL, fill(judged_cases)) == 0
        told = capsys.readouterr().out
        figures = dict(
            line.rsplit("  ", 1) for line in told.splitlines() if "categories  " in line or "Coverage" in line
        )
        accuracy = next(value for name, value in figures.items() if name.startswith("Accuracy"))
        coverage = next(value for name, value in figures.items() if name.startswith("Coverage"))
        assert accuracy.split()[0] == coverage.split()[0] == "0.750"

    def test_a_case_that_was_not_assessed_is_counted_but_not_judged(self, fill, judged_cases):
        judged_cases[0][3]["recognitions"][0].update(assessed=False, categories=[])
        found = recorded_answers(load_model(MODEL), fill(judged_cases))
        assert len(found.y) == len(found.groups) == 39
        assert found.notes == ("Left out: 1 cases were not assessed by the model.",)

    def test_keys_of_categories_are_labels_too(self, fill, judged_cases):
        model = load_model(MODEL)
        keys = {category.title: category.key for category in model.classes}
        by_key = fill([(keys[label], *rest) for label, *rest in judged_cases])
        assert recorded_answers(model, by_key).y.tolist() == [number % len(keys) for number in range(40)]

    def test_answers_of_another_version_are_not_taken_for_those_of_the_model(self, fill, judged_cases):
        text = json.dumps(judged_cases).replace(f'"version": "{load_model(MODEL).version}"', '"version": "0.0.1"')
        with pytest.raises(InvalidModelError, match="holds no answers of chest-xray-pneumonia"):
            recorded_answers(load_model(MODEL), fill(json.loads(text)))

    def test_labels_that_the_model_does_not_know_are_refused(self, fill, judged_cases):
        with pytest.raises(InvalidSettingError, match=r"no categories of chest-xray-pneumonia: square"):
            recorded_answers(load_model(MODEL), fill([("square", *rest) for _, *rest in judged_cases]))
