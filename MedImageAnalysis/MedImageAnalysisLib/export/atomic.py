"""Write aside, then rename: a reader never sees a half-written file, and a failed write leaves the old one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExportError

__all__ = ["check_folder", "filling", "replacing", "replacing_folder", "write_text"]


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to, before long work is done for it; nothing is made.

    Raises
    ------
    ExportError
        If it, or what is above it, is no folder or not writable.
    """
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path())
    if not there.is_dir():
        raise ExportError(f"The folder {folder} cannot be made: {there} is a file. Choose another.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ExportError(f"The folder {folder} cannot be written: no permission in {there}. Choose another.")


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Give an empty folder aside; what is in it comes into `folder` when the block succeeds, else nothing does.

    A folder that is missing is made; files of other names in it stay.

    Raises
    ------
    ExportError
        If the folder cannot be made or written.
    """
    check_folder(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        with _in_words(f"The folder {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            with _aside(folder) as aside:
                yield aside
                for file in sorted(path for path in aside.rglob("*") if path.is_file()):
                    target = folder / file.relative_to(aside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(file, target)
    finally:
        for place in made:
            # What was filled stays: only empty folders can be removed.
            with contextlib.suppress(OSError):
                place.rmdir()


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`, with the same suffixes; rename it to `path` when the block succeeds.

    Raises
    ------
    ExportError
        If the folder is missing or not writable, or the disk is full.
    """
    target = Path(path)
    # A folder of its own keeps the file's name as it is: some writers choose the format, or refer to
    # companion files, by the name.
    with _in_words(target.name), _aside(target.parent) as folder:
        temporary = folder / target.name
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder aside; it takes the place of `folder`, whole, when the block succeeds.

    Raises
    ------
    ExportError
        If the folder above is missing or not writable, or the disk is full.
    """
    with _in_words(folder.name), _aside(folder.parent) as aside:
        # Made here and not by mkdtemp, which shuts out everybody else for good.
        fresh = aside / folder.name
        fresh.mkdir()
        yield fresh
        if folder.exists():
            os.replace(folder, aside / "old")
        os.replace(fresh, folder)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8 with Unix line ends, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Give a new folder in `folder`, which is gone afterwards."""
    aside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Tell what the operating system refuses as an ExportError about `what`."""
    try:
        yield
    except OSError as problem:
        raise ExportError(f"{what} could not be written: {problem.strerror or problem}.") from problem
