"""The store of a cohort: one record per case, written all or nothing, named by the hash of all that determines it.

::

    STORE/store.json                format
    STORE/presets/<hash>.json       the settings of each run, whole
    STORE/cases/ab/<key>.json       one record per case; key = hash of input bytes, settings, code and case
    STORE/artifacts/ab/<key>/       segmentation, thumbnail; the folder is there as a whole or not at all
    STORE/journal/<driver>.jsonl    what each run did, append-only: one file per run, so that no two write one file
    STORE/quarantine.tsv            what the input held that is not a case, and why
    STORE/results.parquet/          all values in one table, derived from the records

Nothing is ever changed in place, so a killed process, a full disk or two drivers on one store cannot damage what is
there: a record is whole or it is not there.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from operator import itemgetter
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import ExportError, InvalidSettingError
from ..export.atomic import check_folder, replacing, write_text
from .case import Quarantined

__all__ = ["FORMAT", "CaseRecord", "Entry", "Store", "make_parent", "record_key"]

FORMAT = 1
_ASIDE = ".writing-"
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class CaseRecord:
    """What became of one case; holds no time and no path, so that equal work gives equal bytes.

    Parameters
    ----------
    key : str
        See :func:`record_key`.
    status : {"done", "error", "lost"}
    analysis : mapping or None
        What :func:`~MedImageAnalysisLib.export.record.analysis_to_json` returns, without timings.
    """

    key: str
    case: str
    status: str
    patient: str = ""
    label: str = ""
    covariates: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    log: str = ""
    input_sha256: str = ""
    settings_sha256: str = ""
    code: str = ""
    artifacts: tuple[str, ...] = ()
    analysis: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Entry:
    """One line of a journal: which record stands for which state of a case's files.

    Parameters
    ----------
    why : str
        Why the case was done.
    error : str
        Kind of the error, if it ended with one.
    at : float
        When it was noted, seconds since 1970; of several lines about one case the latest holds.
    size : int
        Bytes of the record, by which damage is found; 0 = not known.
    artifacts : bool
        Whether the record has a folder of artifacts.
    """

    case: str
    fingerprint: str
    settings: str
    code: str
    key: str
    status: str
    seconds: float = 0.0
    attempts: int = 1
    reason: str = ""
    why: str = ""
    error: str = ""
    at: float = 0.0
    size: int = 0
    artifacts: bool = False


_LATER_FIELDS = {part.name: part.default for part in fields(Entry) if part.default is not MISSING}
_TYPES = get_type_hints(Entry)


def record_key(input_sha256: str, settings_sha256: str, code: str, case: str) -> str:
    """Return the name of a record: the hash of input bytes, settings, code and the case it stands for."""
    return hashlib.sha256("\n".join((input_sha256, settings_sha256, code, case)).encode()).hexdigest()[:40]


class Store:
    """A folder that holds the results of a cohort.

    Parameters
    ----------
    folder : Path
    create : bool
        Whether to make it if it is missing.

    Raises
    ------
    InvalidSettingError
        If the folder is missing and is not to be made, holds something else, or a store of another format.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.folder = folder
        # A path is put together for each of a hundred thousand cases; texts cost a tenth of what Path costs.
        self._cases, self._artifacts = (os.path.join(folder, kind, "") for kind in ("cases", "artifacts"))
        self._journal: Any = None
        if not self._is_store():
            if not create:
                raise InvalidSettingError(f"There is no store in {folder.name}. Check the path.")
            self._make()

    def record_path(self, key: str) -> Path:
        """Return where the record `key` lies or would lie."""
        return self.folder / "cases" / key[:2] / f"{key}.json"

    def artifact_folder(self, key: str) -> Path:
        """Return where the artifacts of the record `key` lie or would lie."""
        return self.folder / "artifacts" / key[:2] / key

    def write(self, record: CaseRecord) -> None:
        """Write a record, all or nothing."""
        path = make_parent(self.record_path(record.key))
        text = json.dumps({"format": FORMAT, **asdict(record)}, sort_keys=True, ensure_ascii=False, allow_nan=False)
        write_text(path, text + "\n")

    def read(self, key: str) -> CaseRecord:
        """Read one record.

        Raises
        ------
        InvalidSettingError
            If it is damaged or of another format.
        """
        path = self.record_path(key)
        try:
            data = json.loads(path.read_bytes())
            if data.pop("format", None) != FORMAT:
                raise InvalidSettingError(f"The record {path.name} has another format than this version reads.")
            return CaseRecord(**{**data, "artifacts": tuple(data["artifacts"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise InvalidSettingError(
                f"The record {path.name} is damaged ({type(problem).__name__}). Delete it and run the cohort again."
            ) from problem

    def finished(self, key: str) -> CaseRecord | None:
        """Return a record if it is there, whole, of a case that is done, and has its artifacts; else None."""
        if not self.record_path(key).exists():
            return None
        try:
            record = self.read(key)
        except InvalidSettingError:
            return None
        folder = self.artifact_folder(key)
        is_whole = record.status == "done" and all((folder / name).is_file() for name in record.artifacts)
        return record if is_whole else None

    def measure(self, key: str) -> int:
        """Return the bytes of a record; 0 if there is none."""
        try:
            return os.stat(f"{self._cases}{key[:2]}/{key}.json").st_size
        except OSError:
            return 0

    def has_artifacts(self, key: str) -> bool:
        """Tell whether a record has a folder of artifacts."""
        return os.path.isdir(f"{self._artifacts}{key[:2]}/{key}")

    def keys(self) -> Iterator[str]:
        """Yield the keys of all records; only folders are listed, no record is opened."""
        for prefix in _listed_names(self.folder / "cases"):
            names = _listed_names(self.folder / "cases" / prefix)
            yield from (name.removesuffix(".json") for name in names if name.endswith(".json"))

    def keep_settings(self, settings: str, text: str) -> None:
        """Keep the settings of a run, JSON text, under their hash."""
        path = self.folder / "presets" / f"{settings}.json"
        if not path.exists():
            write_text(make_parent(path), text + "\n")

    def kept_settings(self, settings: str) -> str:
        """Return the settings of an earlier run by their hash; "" if they are not there any more."""
        try:
            return (self.folder / "presets" / f"{settings}.json").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def keep_quarantine(self, quarantined: Iterable[Quarantined]) -> int:
        """Write down what the input held that is not a case; return how much that was."""
        count = 0
        with replacing(self.folder / "quarantine.tsv") as aside, aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(("name", "reason"))
            for each in quarantined:
                writer.writerow((each.name, each.reason))
                count += 1
        return count

    def sweep(self) -> None:
        """Remove what killed processes left half written; what is younger than an hour may still be written."""
        for kind in ("cases", "artifacts"):
            for prefix in _listed_names(self.folder / kind):
                folder = self.folder / kind / prefix
                for name in _listed_names(folder):
                    if name.startswith(_ASIDE):
                        _remove_if_old(folder / name)

    def noted(self, names: Iterable[str]) -> Iterator[tuple]:
        """Yield these fields of all lines of all journals, the oldest line first within each.

        A line that a crash cut off or a disk damaged is passed over: its case is found again by its record.
        """
        names = tuple(names)
        wanted, types = itemgetter(*names), tuple(_TYPES[name] for name in names)
        decode = json.JSONDecoder().raw_decode
        for path in sorted(self.folder.glob("journal/*.jsonl")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    try:
                        values = wanted(_LATER_FIELDS | decode(line)[0])
                    except (ValueError, KeyError, TypeError, RecursionError):
                        continue
                    if tuple(map(type, values)) == types:
                        yield values

    def note(self, entry: Entry) -> None:
        """Add a line to this run's journal.

        Raises
        ------
        ExportError
            If the disk is full; what is there stays whole.
        """
        try:
            if self._journal is None:
                folder = self.folder / "journal"
                folder.mkdir(exist_ok=True)
                host = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
                # A name of its own for each run: a line that a crash cut off is the last one of its file.
                name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
                self._journal = (folder / name).open("x", encoding="utf-8")
            self._journal.write(json.dumps(asdict(entry)) + "\n")
            self._journal.flush()
        except OSError as problem:
            raise ExportError(f"The journal could not be written: {problem.strerror}.") from problem

    def close(self) -> None:
        """Close the journal."""
        journal, self._journal = self._journal, None
        if journal is not None:
            # On a full disk the buffer cannot be written; that error was raised when the line was.
            with contextlib.suppress(OSError):
                journal.close()

    def _is_store(self) -> bool:
        description = self.folder / "store.json"
        if not description.exists():
            return False
        try:
            found = json.loads(description.read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise InvalidSettingError(f"{description} is damaged: {problem!r:.80}.") from problem
        if found != FORMAT:
            raise InvalidSettingError(
                f"The store {self.folder.name} has format {found!r:.20}, this version writes {FORMAT}. "
                "Choose another folder for the output."
            )
        return True

    def _make(self) -> None:
        check_folder(self.folder)
        # Another driver may be making the same store at this moment: its file that is being written does not count.
        if self.folder.exists() and any(not name.startswith(_ASIDE) for name in os.listdir(self.folder)):
            if self._is_store():
                return
            raise InvalidSettingError(f"The folder {self.folder.name} is not empty and not a store. Choose another.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ExportError(f"The store {self.folder.name} cannot be made: {problem.strerror}.") from problem
        write_text(self.folder / "store.json", json.dumps({"format": FORMAT}) + "\n")


def make_parent(path: Path) -> Path:
    """Make the folder of a file; return the file's path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ExportError(f"{path.name} could not be written: {problem.strerror}.") from problem
    return path


def _listed_names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_if_old(folder: Path) -> None:
    # Another driver may sweep, too.
    with contextlib.suppress(FileNotFoundError):
        if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
