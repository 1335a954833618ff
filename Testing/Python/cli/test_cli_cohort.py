"""`medimage cohort` and `medimage compare`: what people type, what they are told, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("typer", reason="the command line needs the extra 'cli'")

import MedImageAnalysisLib
from MedImageAnalysisLib.cli import run
from MedImageAnalysisLib.cli.cohort_progress import CohortProgress
from MedImageAnalysisLib.cohort import run as driver
from MedImageAnalysisLib.cohort.run import Tally


@pytest.fixture(autouse=True)
def same_program(monkeypatch):
    """The program does not change during a test, whatever happens to its files."""
    monkeypatch.setattr(driver, "code_fingerprint", lambda: "0123456789abcdef")


@pytest.fixture
def archive(tmp_path):
    """A folder of three images, one of which is damaged, and a note."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).normal(100, 10, (24, 32)).astype(np.int16)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(folder / f"{number}.nrrd"))
    (folder / "2.nrrd").write_bytes(b"NRRD0004\ntype: short\n")
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def cohort(archive, tmp_path):
    def command(*more, preset="generic-2d", store="store"):
        return run(["cohort", str(archive), "-p", preset, "-o", str(tmp_path / store), "--workers", "1", *more])

    return command


def test_a_run_tells_what_became_of_the_cases_and_exits_with_3_if_some_failed(cohort, tmp_path, capsys):
    assert cohort() == 3
    told = capsys.readouterr()
    assert "2 done, 1 failed, 0 lost, 0 were in the store, 1 left out" in told.out
    assert "3 because: new" in told.out
    assert "failed: the file cannot be read" in told.err
    assert (tmp_path / "store" / "quarantine.tsv").read_text(encoding="utf-8").count("\n") == 2


def test_the_next_run_says_why_it_does_what_it_does(cohort, archive, capsys):
    cohort()
    (archive / "2.nrrd").unlink()
    (archive / "1.nrrd").write_bytes((archive / "0.nrrd").read_bytes())
    capsys.readouterr()
    assert cohort() == 0
    told = capsys.readouterr().out
    assert "1 done, 0 failed, 0 lost, 1 were in the store" in told
    assert "1 because: its files changed" in told


def test_json_for_programs_goes_to_standard_output_alone(cohort, capsys):
    assert cohort("--json") == 3
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert (facts["done"], facts["failed"], facts["lost"], facts["quarantined"]) == (2, 1, 0, 1)
    assert told.err == ""


def test_a_dry_run_lists_cases_and_what_is_left_out_and_leaves_nothing_behind(cohort, tmp_path, capsys):
    assert cohort("--dry-run", "--keep-ids") == 0
    told = capsys.readouterr().out
    assert "0.nrrd  1 file(s)  to do: new" in told
    assert "notes.txt  left out: It is not an image" in told
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}


@pytest.mark.parametrize(
    ("options", "preset", "words"),
    [
        ((), "generic-3d", "suits none of the first"),
        ((), "nonsense", "no preset 'nonsense'"),
        (("--engine", "shard"), "generic-2d", "needs --shard"),
        (("--shard", "0/4"), "generic-2d", "from 1/N to N/N"),
        (("--scheduler", "tcp://x:1"), "generic-2d", "--engine dask"),
    ],
)
def test_what_is_refused_is_explained_before_any_work(cohort, tmp_path, options, preset, words, capsys):
    assert cohort(*options, preset=preset) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_made_is_refused_and_leaves_no_key(archive, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert run(["cohort", str(archive), "-p", "generic-2d", "-o", str(tmp_path / "taken")]) == 1
    assert "taken is a file" in capsys.readouterr().err
    assert not (tmp_path / "taken.key").exists()


def test_a_store_may_lie_in_folders_that_do_not_exist_yet(archive, tmp_path):
    store = tmp_path / "new" / "deep" / "store"
    assert run(["cohort", str(archive), "-p", "generic-2d", "-o", str(store), "--workers", "1", "--json"]) == 3
    assert (store.parent / "store.key").is_file()


def test_parts_make_up_the_whole(cohort, capsys):
    done = 0
    for number in (1, 2):
        cohort("--engine", "shard", "--shard", f"{number}/2", "--json")
        facts = json.loads(capsys.readouterr().out)
        done += facts["done"] + facts["failed"]
    assert done == 3


def test_compare_says_what_changed_and_exits_with_3(cohort, tmp_path, capsys):
    cohort(store="a")
    cohort(store="b")
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    capsys.readouterr()
    assert run(["compare", *folders]) == 0
    assert "3 cases in both stores; 0 of" in capsys.readouterr().out
    record = next(
        path
        for path in (tmp_path / "b").glob("cases/*/*.json")
        if '"status": "done"' in path.read_text(encoding="utf-8")
    )
    data = json.loads(record.read_text(encoding="utf-8"))
    data["analysis"]["features"]["values"][0][0] = -5.0
    record.write_text(json.dumps(data))
    assert run(["compare", *folders]) == 3
    told = capsys.readouterr().out
    assert "changed in 1 of" in told
    assert "-> -5" in told
    assert run(["compare", *folders, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["values"][0]["changed"] == 1


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_leaves_a_store_that_goes_on(archive, tmp_path):
    for number in range(3, 60):
        (archive / f"{number}.nrrd").write_bytes((archive / "0.nrrd").read_bytes())
    store = tmp_path / "store"
    command = [sys.executable, "-m", "MedImageAnalysisLib", "cohort", str(archive), "-p", "generic-2d"]
    environment = {**os.environ, "PYTHONPATH": str(Path(MedImageAnalysisLib.__file__).parents[1])}
    process = subprocess.Popen(
        [*command, "-o", str(store), "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # Tests that run in the background ignore the signal, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while len(list(store.glob("cases/*/*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "run again to go on" in told
    assert "Traceback" not in told
    records = list(store.glob("cases/*/*.json"))
    assert 5 <= len(records) < 60
    assert all(json.loads(path.read_text(encoding="utf-8"))["case"] for path in records)


def test_progress_tells_speed_and_the_time_that_is_left(monkeypatch):
    clock = iter([0.0, 60.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = CohortProgress(total=100)
    line = progress.line(Tally(done=18, failed=1, lost=1, present=20))
    assert line == "40 of 100 (20 were there), 1 failed, 1 lost, 20 cases/min, 3 min 0 s left"
