"""The command line: what people type, what they get, and the exit codes that scripts rely on."""

import json
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("typer", reason="the command line needs the extra 'cli'")

from MedImageAnalysisLib import cli
from MedImageAnalysisLib.__main__ import main
from MedImageAnalysisLib.cli import run
from MedImageAnalysisLib.errors import Cancelled
from MedImageAnalysisLib.report import picture
from MedImageAnalysisLib.software import REQUIRED


@pytest.fixture
def discs_file(tmp_path):
    """A small NRRD image of two bright discs."""
    y, x = np.mgrid[:96, :128]
    pixels = 200 * (((y - 40) ** 2 + (x - 40) ** 2 < 400) | ((y - 50) ** 2 + (x - 95) ** 2 < 300))
    image = sitk.GetImageFromArray((pixels + np.random.default_rng(0).normal(20, 5, pixels.shape)).astype(np.int16))
    image.SetSpacing((0.8, 0.8))
    path = tmp_path / "discs.nrrd"
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def results(discs_file, tmp_path, capsys):
    """The folder that `medimage analyze` leaves."""
    folder = tmp_path / "results"
    assert run(["analyze", str(discs_file), "--preset", "generic-2d", "--output", str(folder)]) == 0
    return folder


def test_analyze_leaves_tables_segmentation_record_and_picture(results):
    names = {path.name for path in results.iterdir()}
    assert {"analysis.json", "features.tsv", "probabilities.tsv", "segmentation.seg.nrrd", "picture.png"} <= names
    assert not any(name.startswith(".") for name in names)


def test_cine_refuses_an_image_of_one_time_point(discs_file, tmp_path, capsys):
    assert run(["cine", str(discs_file), "-o", str(tmp_path / "r")]) == 1
    assert "one time point" in capsys.readouterr().err


def test_analyze_tells_what_was_not_assessed_and_where_to_look(discs_file, tmp_path, capsys):
    run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "r"), "--no-picture"])
    told = capsys.readouterr().out
    assert "not assessed" in told
    assert "analysis.json" in told
    assert "research use only" in told.lower()


def test_analyze_tells_what_quality_control_doubts_and_says_nothing_twice(discs_file, tmp_path, capsys):
    run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "r"), "--no-picture"])
    record = json.loads((tmp_path / "r" / "analysis.json").read_text(encoding="utf-8"))
    told = capsys.readouterr().out
    doubts = [finding for finding in record["quality"] if finding["level"] != "green"]
    assert f"Quality control: {doubts[0]['level'] if doubts else 'green'}" in told
    assert all(told.count(finding["reason"]) == 1 for finding in doubts)


def test_a_model_and_a_prevalence_can_be_stated(discs_file, tmp_path, capsys):
    arguments = ["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "r"), "--no-picture"]
    assert run([*arguments, "--model", "emphysema-extent", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["recognitions"][0]["model"] == "emphysema-extent"
    assert record["provenance"]["preset"]["model_choice"] == "exact"
    assert run([*arguments, "--model", "emphysema-extent", "--prevalence", "normal=0.9"]) == 1
    assert "no model that learned from data" in capsys.readouterr().err
    assert run([*arguments, "--prevalence", "normal"]) == 1
    assert "KEY=SHARE" in capsys.readouterr().err


def test_json_for_programs_goes_to_standard_output_alone(discs_file, tmp_path, capsys):
    assert run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "r"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["segments"]
    assert all((tmp_path / "r") in type(tmp_path)(path).parents for path in printed["files"])


def test_repeat_gives_the_same_tables_and_labels(results, discs_file, tmp_path):
    again = tmp_path / "again"
    assert run(["repeat", str(results / "analysis.json"), str(discs_file), "--output", str(again)]) == 0
    for name in ("features.tsv", "probabilities.tsv", "segmentation.seg.nrrd"):
        assert (again / name).read_bytes() == (results / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "chest-xry"], "no preset 'chest-xry'"),
        (["--preset", "generic-3d"], "for 3D images"),
        (["--preset", "auto"], "Choose one"),
    ],
)
def test_what_is_refused_is_explained_and_exits_with_1(arguments, words, discs_file, tmp_path, capsys):
    output = tmp_path / "results"
    assert run(["analyze", str(discs_file), *arguments, "--output", str(output)]) == 1
    assert words in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("place", ["taken", "taken/below"])
def test_a_folder_that_cannot_be_made_is_refused_before_any_work(place, discs_file, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / place)]) == 1
    told = capsys.readouterr().err
    assert "taken is a file" in told
    assert "Read" not in told


def test_names_without_a_segmentation_are_refused(discs_file, tmp_path, capsys):
    arguments = ["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "r"), "--names", "names.csv"]
    assert run(arguments) == 1
    assert "--segmentation" in capsys.readouterr().err


def test_another_json_file_is_no_record(discs_file, tmp_path, capsys):
    (tmp_path / "list.json").write_text("[]")
    assert run(["repeat", str(tmp_path / "list.json"), str(discs_file), "-o", str(tmp_path / "r")]) == 1
    assert "not a record" in capsys.readouterr().err


def test_cancel_while_writing_leaves_nothing_behind(discs_file, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise Cancelled("Cancelled by the user. Nothing was changed.")

    monkeypatch.setattr(picture, "write_picture", interrupted)
    assert run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(tmp_path / "deep" / "results")]) == 130
    assert not (tmp_path / "deep").exists()


def test_a_new_analysis_takes_the_place_of_an_earlier_one(results, discs_file):
    for name in ("measurements.tsv", "mine.txt"):
        (results / name).write_text("of an earlier image")
    assert run(["analyze", str(discs_file), "-p", "generic-2d", "-o", str(results), "--no-picture"]) == 0
    assert not (results / "measurements.tsv").exists()
    assert not (results / "picture.png").exists()
    assert (results / "mine.txt").exists()


def test_ctrl_c_before_the_work_listens_is_told_without_a_traceback(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupted)
    assert main() == 130
    assert "Cancelled" in capsys.readouterr().err


def test_an_unreadable_image_is_explained_and_exits_with_1(tmp_path, capsys):
    (tmp_path / "notes.dcm").write_text("this is not an image")
    assert run(["analyze", str(tmp_path / "notes.dcm"), "-p", "generic-2d", "-o", str(tmp_path / "r")]) == 1
    assert "notes.dcm" in capsys.readouterr().err


def test_wrong_usage_exits_with_2():
    assert run(["analyze"]) == 2


@pytest.mark.parametrize("command", ["presets", "models", "steps", "features"])
def test_listings_are_for_people_and_for_programs(command, capsys):
    assert run([command]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 5
    assert run([command, "--json"]) == 0
    assert all(entry["name"] for entry in json.loads(capsys.readouterr().out))


def test_the_doctor_knows_what_is_installed_and_how_to_get_the_rest(capsys):
    assert run(["doctor", "--json"]) == 0
    packages = {entry["package"]: entry for entry in json.loads(capsys.readouterr().out)["packages"]}
    assert all(packages[name]["version"] for name in REQUIRED)
    assert all(entry["version"] or "pip install" in entry["how_to_get"] for entry in packages.values())


def test_the_doctor_reports_a_missing_requirement(monkeypatch, capsys):
    from MedImageAnalysisLib.cli import doctor

    monkeypatch.setattr(doctor, "installed_version", lambda name: "" if name == "scikit-image" else "1.0")
    assert run(["doctor"]) == 1
    assert "missing" in capsys.readouterr().out


def test_version_is_printed(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("medimage 0.")


def test_without_typer_it_says_how_to_get_it():
    code = "import sys; sys.modules['typer'] = None; from MedImageAnalysisLib.__main__ import main; sys.exit(main())"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert "medimageanalysis[cli]" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_existing_segmentation_replaces_stage_two(results, discs_file, tmp_path, capsys):
    again = tmp_path / "again"
    given = results / "segmentation.seg.nrrd"
    arguments = ["analyze", str(discs_file), "-p", "generic-2d", "-o", str(again), "--segmentation", str(given)]
    assert run(arguments) == 0
    assert (again / "features.tsv").read_bytes() == (results / "features.tsv").read_bytes()
