"""The results of a cohort: one table of all values, numbers to learn from, and what changed between two versions."""

import inspect
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from MedImageAnalysisLib.cohort.comparison import Tolerance, compare_stores
from MedImageAnalysisLib.cohort.dataset import current_records, read_dataset
from MedImageAnalysisLib.cohort.engines.serial import SerialEngine
from MedImageAnalysisLib.cohort.identity import Pseudonyms
from MedImageAnalysisLib.cohort.run import run_cohort
from MedImageAnalysisLib.cohort.source import open_source
from MedImageAnalysisLib.cohort.store import Store
from MedImageAnalysisLib.errors import InvalidSettingError

pytestmark = pytest.mark.usefixtures("same_program")
KEY = Pseudonyms(bytes(32))


@pytest.fixture
def table(images):
    """Ten cases of five patients, each with a benign and a malignant one; the last one cannot be read."""
    rows = [f"{n},image-{n}.nrrd,{('benign', 'malignant')[n % 2]},P{n // 2},{40 + n}\n" for n in range(10)]
    (images / "image-9.nrrd").write_bytes(b"NRRD0004\ntype: short\n")
    path = images / "cases.csv"
    path.write_text("id,image,label,patient,age\n" + "".join(rows))
    return path


@pytest.fixture
def make(table, tmp_path, simple_preset):
    def make_store(name="store", key=KEY):
        run_cohort(open_source(table, key).cases(), tmp_path / name, simple_preset, SerialEngine())
        return Store(tmp_path / name)

    return make_store


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "store"


@pytest.fixture
def done(make, kept, tmp_path):
    """Copies of the store of one run, for tests that only read or damage it: it is made by the first of them."""
    if not kept.exists():
        shutil.copytree(make("first").folder, kept)

    def copy(name="store"):
        return Store(shutil.copytree(kept, tmp_path / name))

    return copy


class TestTable:
    @pytest.fixture(autouse=True)
    def needs_pyarrow(self):
        pytest.importorskip("pyarrow", reason="the table of a store needs the extra 'cohort'")

    @pytest.fixture
    def rebuild(self):
        from MedImageAnalysisLib.cohort.derived import rebuild

        return rebuild

    def rows(self, store):
        import pyarrow.parquet as pq

        return pq.read_table(store.folder / "results.parquet").to_pylist()

    def test_it_holds_every_value_of_every_case_with_its_unit(self, done, rebuild):
        store = done()
        assert rebuild(store).cases == 10
        rows = self.rows(store)
        (record, *_) = (record for record in current_records(store) if record.status == "done")
        features = record.analysis["features"]
        own = {
            (row["group"], row["name"]): row["value"]
            for row in rows
            if (row["case"], row["kind"]) == (record.case, "feature")
        }
        names = [definition["name"] for definition in features["definitions"]]
        assert own == dict(zip([(features["segments"][0], n) for n in names], features["values"][0], strict=True))
        assert {row["value"] for row in rows if row["kind"] == "covariate"} == set(range(40, 50))

    def test_a_case_that_failed_has_one_row_that_says_why(self, done, rebuild):
        store = done()
        rebuild(store)
        (failed,) = (row for row in self.rows(store) if row["kind"] == "case" and row["name"] == "error")
        assert "damaged" in failed["text"]

    def test_a_rebuild_reads_only_what_changed(self, make, rebuild, table, images, write_image):
        store = make()
        assert rebuild(store).changed == 10
        assert rebuild(store).changed == 0
        write_image(images / "image-9.nrrd", 9)
        store = make()
        assert rebuild(store).changed == 1
        cases = [row["case"] for row in self.rows(store) if row["kind"] == "case"]
        assert len(cases) == len(set(cases)) == 10

    def test_small_parts_are_put_together(self, make, rebuild, images, write_image):
        for seed in range(12):
            write_image(images / "image-9.nrrd", 50 + seed)
            made = rebuild(make())
        assert made.parts <= 9
        cases = [row["case"] for row in self.rows(make()) if row["kind"] == "case"]
        assert len(cases) == len(set(cases)) == 10

    def test_a_part_that_a_crash_left_double_is_mended(self, done, rebuild):
        store = done()
        rebuild(store)
        (part,) = store.folder.glob("results.parquet/part-*")
        part.with_name("part-00007.parquet").write_bytes(part.read_bytes())
        rebuild(store)
        cases = [row["case"] for row in self.rows(store) if row["kind"] == "case"]
        assert len(cases) == len(set(cases)) == 10

    def test_a_part_of_another_version_is_made_again(self, done, rebuild):
        import pyarrow.parquet as pq

        store = done()
        rebuild(store)
        (part,) = store.folder.glob("results.parquet/part-*")
        pq.write_table(pq.read_table(part).replace_schema_metadata({"version": "0"}), part)
        assert rebuild(store).changed == 10

    @pytest.mark.parametrize("package", ["pandas", "duckdb"])
    def test_the_examples_of_the_documentation_run(self, package, done, rebuild, repository, monkeypatch, capsys):
        pytest.importorskip(package, reason=f"the example is for {package}")
        store = done("STORE")
        rebuild(store)
        text = (repository / "Docs" / "cohort.md").read_text(encoding="utf-8")
        blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
        (example,) = (block for block in blocks if f"import {package}" in block)
        monkeypatch.chdir(store.folder.parent)
        exec(compile(example, "Docs/cohort.md", "exec"), {})
        assert "benign" in capsys.readouterr().out

    @pytest.mark.skipif(shutil.which("bash") is None, reason="the examples for clusters are for bash")
    def test_the_examples_for_clusters_are_well_formed(self, repository):
        pytest.importorskip("typer", reason="the command line needs the extra 'cli'")
        from MedImageAnalysisLib.cli.cohort import cohort

        text = (repository / "Docs" / "cohort.md").read_text(encoding="utf-8")
        assert subprocess.run(["bash", "-n"], input=block(text, "bash"), text=True).returncode == 0
        yaml = pytest.importorskip("yaml", reason="a Kubernetes job is YAML")
        (container,) = yaml.safe_load(block(text, "yaml"))["spec"]["template"]["spec"]["containers"]
        assert subprocess.run([*container["command"][:1], "-n", "-c", *container["args"]]).returncode == 0
        known = {f"--{name.replace('_', '-')}" for name in inspect.signature(cohort).parameters} | {"--json"}
        commands = block(text, "bash").split("medimage ")[1] + container["args"][0] + block(text, "python\nPARTS")
        used = set(re.findall(r" (--[a-z-]+)", commands))
        assert {"--shard", "--workers", "--preset"} < used
        assert used <= known

    def test_the_documentation_names_every_column(self, repository):
        from MedImageAnalysisLib.cohort.rows import COLUMNS, VERSION

        text = (repository / "Docs" / "cohort.md").read_text(encoding="utf-8")
        assert f"version {VERSION}" in text
        assert all(f"| `{name}` |" in text for name, _, _ in COLUMNS)


def block(text, start):
    """The first block of code of a page that starts so."""
    return text.split(f"```{start}")[1].split("```")[0]


class TestDataset:
    def test_it_gives_features_labels_and_groups(self, done):
        found = read_dataset(done().folder)
        assert found.x.shape == (9, len(found.columns))
        assert set(found.labels) == {"benign", "malignant"}
        assert len(set(found.groups)) == 5
        assert all(column.startswith("feature/") for column in found.columns)
        assert np.isfinite(found.x).any(axis=0).all()

    def test_a_covariate_can_be_a_column_or_the_label(self, done):
        found = read_dataset(done().folder, kinds=("covariate",), label="age")
        assert found.columns == ("covariate/age",)
        assert sorted(map(str, found.x[:, 0].astype(int))) == sorted(found.labels)

    def test_a_model_can_be_fitted_to_it(self, done):
        from MedImageAnalysisLib.recognition.training.fitting import FitSettings, fit_linear

        found = read_dataset(done().folder)
        y = np.array([label == "malignant" for label in found.labels], dtype=int)
        usable = np.isfinite(found.x).all(axis=0)
        settings = FitSettings(members=2, folds=2, penalties=(0.1,))
        fit = fit_linear(found.x[:, usable], y, found.groups, settings)
        assert fit.probabilities(found.x[:, usable]).shape == (9, 2)

    @pytest.mark.parametrize(("options", "words"), [({"kinds": ("shape",)}, "kind 'shape'"), ({"label": "x"}, "'x'")])
    def test_what_is_not_there_is_refused(self, done, options, words):
        with pytest.raises(InvalidSettingError, match=words):
            read_dataset(done().folder, **options)

    def test_a_folder_that_is_no_store_is_refused(self, tmp_path):
        with pytest.raises(InvalidSettingError, match="no store"):
            read_dataset(tmp_path / "nowhere")


class TestComparison:
    def test_stores_of_the_same_cases_are_equal_even_with_other_pseudonyms(self, make):
        found = compare_stores(make("a").folder, make("b", Pseudonyms(b"\1" * 32)).folder)
        assert found.is_equal
        assert found.compared == 10

    def test_it_names_value_and_case_beyond_the_tolerance(self, done):
        a, b = done("a"), done("b")
        changed = change_a_value(b, factor=1.01)
        found = compare_stores(a.folder, b.folder)
        (value,) = found.changed
        assert (value.changed, value.compared) == (1, 9)
        assert value.largest[0].case == changed.case
        assert value.largest[0].after == pytest.approx(1.01 * value.largest[0].before)
        assert compare_stores(a.folder, b.folder, Tolerance(relative=0.02)).is_equal

    def test_it_tells_cases_that_end_differently_or_are_missing(self, make, images, write_image):
        a = make("a")
        write_image(images / "image-9.nrrd", 9)
        found = compare_stores(a.folder, make("b").folder)
        assert len(found.only_before) == len(found.only_after) == 1
        assert not found.is_equal


def change_a_value(store, factor):
    record = next(record for record in current_records(store) if record.status == "done")
    analysis = json.loads(json.dumps(record.analysis))
    analysis["features"]["values"][0][0] *= factor
    store.write(replace(record, analysis=analysis))
    return record
