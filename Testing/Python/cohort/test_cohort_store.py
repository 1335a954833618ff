"""The store, the case table and pseudonyms: whole or not there, checked before work begins, without identity."""

import json
import os
import stat
from dataclasses import replace

import pytest

from MedImageAnalysisLib.cohort.case_table import check_case_table, read_case_table
from MedImageAnalysisLib.cohort.identity import Pseudonyms, key_file_of
from MedImageAnalysisLib.cohort.store import CaseRecord, Entry, Store, record_key
from MedImageAnalysisLib.errors import InvalidSettingError


@pytest.fixture
def a_store(tmp_path):
    store = Store(tmp_path / "store", create=True)
    yield store
    store.close()


@pytest.fixture
def a_record():
    key = record_key("aa", "bb", "cc", "case-1")
    return CaseRecord(key=key, case="case-1", status="done", covariates={"age": "61"}, artifacts=("a.seg.nrrd",))


@pytest.fixture
def pseudonyms():
    return Pseudonyms(bytes(32))


class TestStore:
    def test_a_record_reads_back_as_it_was_written(self, a_store, a_record):
        a_store.write(a_record)
        assert a_store.read(a_record.key) == a_record
        assert list(a_store.keys()) == [a_record.key]

    def test_equal_records_have_equal_bytes(self, a_store, a_record):
        a_store.write(a_record)
        first = a_store.record_path(a_record.key).read_bytes()
        a_store.write(replace(a_record))
        assert a_store.record_path(a_record.key).read_bytes() == first

    def test_the_key_depends_on_input_settings_code_and_case(self):
        keys = {record_key(*words) for words in ("abcd", "xbcd", "axcd", "abxd", "abcx")}
        assert len(keys) == 5

    def test_a_line_cut_off_by_a_crash_is_passed_over(self, a_store):
        entry = Entry("case-1", "f", "s", "c", "k", "done")
        a_store.note(entry)
        a_store.close()
        (journal,) = a_store.folder.glob("journal/*.jsonl")
        with journal.open("a") as file:
            file.write('{"case": "case-2", "finger')
        assert list(a_store.noted(("case", "key"))) == [("case-1", "k")]

    def test_a_folder_with_other_things_is_refused(self, tmp_path):
        (tmp_path / "thesis.docx").write_text("precious")
        with pytest.raises(InvalidSettingError, match="not empty and not a store"):
            Store(tmp_path, create=True)

    def test_a_store_of_another_version_is_refused(self, a_store):
        (a_store.folder / "store.json").write_text(json.dumps({"format": 99}))
        with pytest.raises(InvalidSettingError, match="format 99"):
            Store(a_store.folder)


class TestPseudonyms:
    def test_a_name_says_nothing_and_is_the_same_each_time(self, pseudonyms):
        assert pseudonyms.case("Doe^John") == pseudonyms.case("Doe^John")
        assert "Doe" not in pseudonyms.case("Doe^John")
        assert pseudonyms.case("a") != Pseudonyms(b"\1" * 32).case("a")
        assert pseudonyms.patient("") == ""

    def test_the_key_file_is_made_once_beside_the_store_and_only_its_owner_reads_it(self, tmp_path):
        path = key_file_of(tmp_path / "store")
        first = Pseudonyms.from_file(path)
        assert Pseudonyms.from_file(path) == first
        assert path.parent == tmp_path
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @pytest.mark.parametrize("content", ["", "xyz", "00" * 8])
    def test_a_damaged_key_file_is_refused(self, tmp_path, content):
        (tmp_path / "k").write_text(content)
        with pytest.raises(InvalidSettingError, match="key"):
            Pseudonyms.from_file(tmp_path / "k")


class TestCaseTable:
    @pytest.fixture
    def a_table(self, tmp_path):
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(b"x")

        def write(text):
            path = tmp_path / "cases.csv"
            path.write_text(text, encoding="utf-8")
            return path

        return write

    def test_columns_become_label_patient_and_covariates(self, a_table, pseudonyms):
        path = a_table("id;image;label;patient;age\n1;a.png;benign;P1;61\n2;b.png;normal;P2;\n")
        assert check_case_table(path) == 2
        first, second = read_case_table(path, pseudonyms)
        assert (first.label, first.covariates) == ("benign", (("age", "61"),))
        assert first.files[0].name == "a.png"
        assert first.patient != second.patient
        assert "P1" not in first.patient

    def test_ids_are_kept_only_if_asked_for(self, a_table, pseudonyms):
        path = a_table("id,image\nMRN-7,a.png\n")
        assert next(read_case_table(path, pseudonyms, keep_ids=True)).name == "MRN-7"
        assert "MRN" not in next(read_case_table(path, pseudonyms)).name

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("image\na.png\n", "lacks the column 'id'. It has: image"),
            ("", "lacks the column 'id'. It has: none"),
            ("id,image\n", "has no cases"),
            ("id,image\n1,a.png\n1,b.png\n", "an id that was there before: line 3"),
            ("id,image\n,a.png\n", "no id: line 2"),
            ("id,image\n1,c.png\n", "'image' is not there: line 2"),
            ("id,image,segmentation\n1,a.png,s.nrrd\n", "'segmentation' is not there: line 2"),
            ("id,image\n1,a.png,extra\n", "line 2, has another number of cells"),
        ],
    )
    def test_faults_are_told_before_any_work(self, a_table, text, words):
        with pytest.raises(InvalidSettingError, match=words.replace(".", r"\.")):
            check_case_table(a_table(text))

    def test_all_faults_are_told_at_once(self, a_table):
        with pytest.raises(InvalidSettingError, match=r"before: line 3.*not there: line 4"):
            check_case_table(a_table("id,image\n1,a.png\n1,b.png\n2,c.png\n"))
