"""A run over a cohort: what is done, what is done again and why, and that no engine changes a byte of the results."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from MedImageAnalysisLib import pipeline
from MedImageAnalysisLib.cohort import run as driver
from MedImageAnalysisLib.cohort.dataset import current_records
from MedImageAnalysisLib.cohort.engines.dask_cluster import DaskEngine
from MedImageAnalysisLib.cohort.engines.pool import PoolEngine
from MedImageAnalysisLib.cohort.engines.serial import SerialEngine
from MedImageAnalysisLib.cohort.identity import Pseudonyms
from MedImageAnalysisLib.cohort.run import dry_plan, run_cohort
from MedImageAnalysisLib.cohort.settings import Settings
from MedImageAnalysisLib.cohort.source import open_source
from MedImageAnalysisLib.cohort.store import Store
from MedImageAnalysisLib.errors import Cancelled, InvalidSettingError, UnreadableImageError, UnsuitablePresetError
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.recognition import load_model

pytestmark = pytest.mark.usefixtures("same_program")
KEY = Pseudonyms(bytes(32))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def run(images, store, simple_preset):
    """Runs the cohort in this process."""

    def run_once(preset=simple_preset, cases=None, **options):
        cases = open_source(images, KEY).cases() if cases is None else cases
        return run_cohort(cases, store, preset, SerialEngine(), **options)

    return run_once


def records(store):
    return {record.case: record for record in current_records(Store(store))}


class TestResume:
    def test_every_case_is_in_the_store_once(self, run, store):
        tally = run()
        assert (tally.done, tally.failed, tally.lost, tally.present) == (10, 0, 0, 0)
        assert tally.reasons == {"new": 10}
        assert len(list(Store(store).keys())) == len(records(store)) == 10
        assert {record.status for record in records(store).values()} == {"done"}

    def test_a_second_run_has_nothing_to_do(self, run, store):
        run()
        before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
        assert run().present == 10
        assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before

    def test_a_changed_file_is_done_again_for_that_reason(self, run, images, write_image):
        run()
        write_image(images / "image-3.nrrd", seed=99)
        tally = run()
        assert (tally.done, tally.present, tally.reasons) == (1, 9, {"its files changed": 1})

    def test_a_file_that_only_has_a_new_date_is_not_computed_again(self, run, images, store):
        run()
        computed = {path: path.stat().st_mtime_ns for path in store.glob("cases/*/*.json")}
        os.utime(images / "image-3.nrrd", (1, 1))
        assert run().reasons == {"its files changed": 1}
        assert {path: path.stat().st_mtime_ns for path in store.glob("cases/*/*.json")} == computed

    def test_another_preset_does_all_again_and_the_first_results_stay(self, run, store):
        run()
        first = set(Store(store).keys())
        assert run(load_preset("generic-2d")).reasons == {"the preset changed": 10}
        assert first < set(Store(store).keys())
        assert len(records(store)) == 10
        assert run().reasons == {"the preset changed": 10}
        assert {record.key for record in records(store).values()} == first

    def test_another_choice_of_models_or_engines_does_all_again(self, run, monkeypatch):
        run()
        monkeypatch.setattr(pipeline, "resolved", lambda preset: replace(preset, title="On an engine of its own"))
        assert run().reasons == {"the models or engines that the preset uses changed": 10}

    def test_a_model_that_was_trained_again_is_noticed(self, tmp_path, monkeypatch, simple_preset):
        shipped = load_model("chest-xray-pneumonia").folder
        own = shutil.copytree(shipped, tmp_path / "models" / "own")
        monkeypatch.setenv("MEDIMAGE_MODELS", str(own.parent))
        preset = replace(simple_preset, models=("own",))

        def settings(version):
            text = (shipped / "model.json").read_text(encoding="utf-8")
            described = json.loads(text) | {"name": "own", "version": version}
            (own / "model.json").write_text(json.dumps(described))
            return Settings.of(preset, "code")

        before, after = settings("1.0.0"), settings("1.0.1")
        assert before.sha256 != after.sha256
        assert after.change_since(before.text) == "the models or engines that the preset uses changed"

    def test_a_changed_program_does_all_again(self, run, monkeypatch):
        run()
        monkeypatch.setattr(driver, "code_fingerprint", lambda: "fedcba9876543210")
        assert run().reasons == {"the program changed": 10}

    def test_a_deleted_record_is_made_again(self, run, store):
        run()
        next(store.glob("cases/*/*.json")).unlink()
        assert run().reasons == {"its record is gone": 1}
        assert len(records(store)) == 10

    def test_a_record_that_was_cut_short_is_made_again(self, run, store):
        run()
        whole = {path: path.read_bytes() for path in store.glob("cases/*/*.json")}
        cut = next(iter(whole))
        cut.write_bytes(whole[cut][:-100])
        assert run().reasons == {"its record is damaged": 1}
        assert {path: path.read_bytes() for path in store.glob("cases/*/*.json")} == whole

    def test_a_record_that_somebody_changed_is_made_again(self, run, store):
        run()
        path = next(store.glob("cases/*/*.json"))
        whole = path.read_text(encoding="utf-8")
        path.write_text(whole.replace('"status": "done"', '"status":    "done"'))
        assert run().reasons == {"its record is damaged": 1}
        assert path.read_text(encoding="utf-8") == whole

    @pytest.mark.parametrize("what", ["*", "*/thumbnail.png"])
    def test_artifacts_that_are_gone_are_made_again_with_their_record(self, run, store, what):
        run()
        whole = {path: path.read_bytes() for path in store.glob("artifacts/*/*/*")}
        folder = next(iter(whole)).parent
        for path in folder.iterdir():
            if what == "*" or path.name == "thumbnail.png":
                path.unlink()
        if what == "*":
            folder.rmdir()
        else:
            # Only the folder is looked for each time; a file in it when the case is looked at for another reason.
            assert run().present == 10
            for journal in store.glob("journal/*"):
                journal.unlink()
        assert run().done > 0
        assert {path: path.read_bytes() for path in store.glob("artifacts/*/*/*")} == whole

    def test_files_that_do_not_belong_into_the_store_do_no_harm(self, run, store):
        run()
        folder = next(store.glob("cases/*"))
        (folder / "notes.json").write_text("{")
        (folder / ".DS_Store").write_bytes(b"\0")
        (store / "cases" / "readme.txt").write_text("")
        (store / "journal" / "other.jsonl").write_text('[1]\n{"case": 1}\nnull\n\0\0\0\n' + '{"case": "x"}\n')
        assert run().present == 10
        assert len(records(store)) == 10

    def test_results_are_found_without_any_journal(self, run, store):
        run()
        for journal in store.glob("journal/*"):
            journal.unlink()
        computed = {path: path.stat().st_mtime_ns for path in store.glob("cases/*/*.json")}
        assert run().done == 10
        assert {path: path.stat().st_mtime_ns for path in store.glob("cases/*/*.json")} == computed

    def test_a_failed_case_is_recorded_with_its_reason_and_done_again_only_if_asked(self, run, images, store):
        (images / "image-3.nrrd").write_bytes(b"NRRD0004\ntype: short\n")
        tally = run()
        assert (tally.done, tally.failed) == (9, 1)
        (failed,) = (record for record in records(store).values() if record.status == "error")
        assert "damaged" in failed.reason
        assert "image-3" not in failed.reason
        assert "read_image" in failed.log
        assert run().present == 10
        assert run(retry_failed=True).reasons == {"it failed before": 1}

    def test_stopping_leaves_a_store_that_goes_on(self, run, store):
        def stop_after_three(tally, planned, outcome):
            if tally.done == 3:
                raise KeyboardInterrupt

        with pytest.raises(Cancelled, match="run again"):
            run(report=stop_after_three)
        assert len(records(store)) == 3
        tally = run()
        assert (tally.present, tally.done) == (3, 7)

    def test_a_dry_run_tells_the_same_and_makes_nothing(self, run, images, store, simple_preset, write_image):
        planned = list(dry_plan(open_source(images, KEY).cases(), store, simple_preset))
        assert [each.why for each in planned] == ["new"] * 10
        assert not store.exists()
        run()
        write_image(images / "image-3.nrrd", seed=99)
        again = dry_plan(open_source(images, KEY).cases(), store, simple_preset)
        assert sorted(each.why for each in again) == [""] * 9 + ["its files changed"]

    def test_what_a_killed_process_left_half_written_is_swept_away(self, run, store):
        run()
        left = next(store.glob("cases/*")) / ".writing-abc"
        left.mkdir()
        os.utime(left, (1, 1))
        run()
        assert not left.exists()


class TestEngines:
    @pytest.fixture
    def results(self, images, tmp_path, simple_preset):
        """Runs an engine into a store of its own; returns the bytes of records and artifacts."""

        def run_engine(name, engine):
            folder = tmp_path / name
            run_cohort(open_source(images, KEY).cases(), folder, simple_preset, engine)
            files = (path for kind in ("cases", "artifacts") for path in (folder / kind).rglob("*") if path.is_file())
            return {str(path.relative_to(folder)): path.read_bytes() for path in files}

        return run_engine

    def test_all_engines_give_the_same_bytes(self, results):
        pytest.importorskip("distributed", reason="the dask engine needs the extra 'cohort'")
        serial = results("serial", SerialEngine())
        assert len(serial) == 30
        assert results("pool", PoolEngine(workers=2)) == serial
        assert results("dask", DaskEngine(workers=1)) == serial

    def test_analyze_gives_the_same(self, images, store, tmp_path, run):
        pytest.importorskip("typer", reason="the command line needs the extra 'cli'")
        from MedImageAnalysisLib.cli import run as command_line

        run(load_preset("generic-2d"))
        output = tmp_path / "one"
        image = images / "image-0.nrrd"
        command_line(["analyze", str(image), "-p", "generic-2d", "-o", str(output), "--no-picture"])
        (case,) = (case.name for case in open_source(image, KEY).cases())
        record = records(store)[case]
        alone = json.loads((output / "analysis.json").read_text(encoding="utf-8"))
        for step in alone["provenance"]["steps"]:
            del step["seconds"]
        assert record.analysis == alone
        artifact = Store(store).artifact_folder(record.key) / "segmentation.seg.nrrd"
        assert artifact.read_bytes() == (output / "segmentation.seg.nrrd").read_bytes()

    def test_parts_share_out_all_cases_and_no_case_twice(self, images, store, simple_preset):
        done = 0
        for number in (1, 2, 3):
            source = open_source(images, KEY)
            source.take_part(number, 3)
            tally = run_cohort(source.cases(), store, simple_preset, SerialEngine())
            assert tally.done == len(source)
            done += tally.done
        assert done == len(records(store)) == 10


class TestAutomaticPreset:
    def test_a_case_without_a_clear_preset_fails_with_what_could_be_chosen(self, run, store):
        assert run(None).failed == 10
        assert all("Choose one" in record.reason for record in records(store).values())


class TestSource:
    def test_a_preset_that_suits_no_case_is_refused_at_once(self, images):
        with pytest.raises(UnsuitablePresetError, match="none of the first cases"):
            open_source(images, KEY).check_suits(load_preset("generic-3d"))

    def test_a_preset_that_suits_is_accepted(self, images):
        open_source(images, KEY).check_suits(load_preset("generic-2d"))

    def test_an_empty_folder_is_refused(self, tmp_path):
        with pytest.raises(InvalidSettingError, match="holds no image"):
            open_source(tmp_path, KEY)

    def test_a_folder_without_images_is_refused_with_a_reason(self, tmp_path):
        (tmp_path / "notes.txt").write_text("no image")
        with pytest.raises(InvalidSettingError, match="It is not an image"):
            open_source(tmp_path, KEY)

    def test_a_missing_input_is_refused(self):
        with pytest.raises(UnreadableImageError, match="does not exist"):
            open_source(Path("nowhere"), KEY)

    def test_a_table_with_a_segmentation_skips_the_second_stage(self, images, store, simple_preset, run):
        run()
        (some, *_) = Store(store).folder.glob("artifacts/*/*/segmentation.seg.nrrd")
        labels = images / "labels.seg.nrrd"
        labels.write_bytes(some.read_bytes())
        table = images / "cases.csv"
        table.write_text("id,image,segmentation,label\nA,image-0.nrrd,labels.seg.nrrd,benign\n")
        (case,) = open_source(table, KEY).cases()
        assert run(cases=[case]).done == 1
        record = records(store)[case.name]
        assert record.label == "benign"
        assert record.analysis["provenance"]["segmentation_sha256"]

    def test_a_new_label_is_taken_over_without_computing(self, images, store, run):
        table = images / "cases.csv"
        for label in ("benign", "malignant"):
            table.write_text(f"id,image,label\nA,image-0.nrrd,{label}\n")
            assert run(cases=open_source(table, KEY).cases()).done == 1
        (record,) = records(store).values()
        assert record.label == "malignant"
        assert len(list(Store(store).keys())) == 1
