"""A folder that is filled gets all of its files or none."""

import os

import pytest

from MedImageAnalysisLib.errors import ExportError
from MedImageAnalysisLib.export.atomic import check_folder, filling


@pytest.fixture
def folder(tmp_path):
    """A folder that is not there yet, in one that is not there either."""
    return tmp_path / "deep" / "results"


def fill(folder, text):
    """Put a file and one in a subfolder into a folder."""
    with filling(folder) as aside:
        (aside / "a.txt").write_text(text)
        (aside / "below").mkdir()
        (aside / "below" / "b.txt").write_text(text)


def fail_to_fill(folder):
    """Stop while files are put aside."""
    with filling(folder) as aside:
        (aside / "a.txt").write_text("half")
        raise RuntimeError("stop")


def test_what_was_put_aside_comes_into_the_folder_and_nothing_else(folder):
    fill(folder, "new")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "a.txt",
        "below",
        "below/b.txt",
    ]


def test_other_files_stay_and_those_of_the_same_name_are_replaced(folder):
    fill(folder, "old")
    (folder / "mine.txt").write_text("mine")
    fill(folder, "new")
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "below" / "b.txt").read_text() == "new"


def test_a_block_that_fails_leaves_no_folder(folder, tmp_path):
    with pytest.raises(RuntimeError, match="stop"):
        fail_to_fill(folder)
    assert not list(tmp_path.iterdir())


def test_a_block_that_fails_leaves_the_old_files(folder):
    fill(folder, "old")
    with pytest.raises(RuntimeError, match="stop"):
        fail_to_fill(folder)
    assert (folder / "a.txt").read_text() == "old"
    assert len(list(folder.iterdir())) == 2


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ExportError, match="taken is a file"):
        check_folder(tmp_path / "taken" / "below")


def test_a_folder_without_permission_is_refused_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ExportError, match="no permission"):
        check_folder(tmp_path / "results")
    assert not list(tmp_path.iterdir())
