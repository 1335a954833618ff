"""The store of a cohort: one record per case, written all or nothing, named by the hash of all that determines it.

::

    STORE/store.json            format, version and the preset
    STORE/cases/ab/<key>.json   one record per case; key = hash of input bytes, settings and code
    STORE/artifacts/ab/<key>/   segmentation, picture
    STORE/journal/<driver>.jsonl    what each run did, append-only: one file per driver, so that no two write one file

Nothing is ever changed in place, so a killed process, a full disk or two drivers on one store cannot damage what is
there: a record is whole or it is not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidSettingError
from ..export.atomic import write_text

__all__ = ["FORMAT", "CaseRecord", "Entry", "Store", "record_key"]

FORMAT = 1


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
    """One line of a journal: which record stands for which state of a case's files."""

    case: str
    fingerprint: str
    settings: str
    code: str
    key: str
    status: str
    seconds: float = 0.0
    attempts: int = 1
    reason: str = ""


def record_key(input_sha256: str, settings_sha256: str, code: str, case: str) -> str:
    """Return the name of a record: the hash of input bytes, settings, code and the case it stands for."""
    return hashlib.sha256("\n".join((input_sha256, settings_sha256, code, case)).encode()).hexdigest()[:40]


class Store:
    """A folder that holds the results of a cohort.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    preset : mapping
        The preset of this run, as JSON values.

    Raises
    ------
    InvalidSettingError
        If the folder holds something else, or a store of another format.
    """

    def __init__(self, folder: Path, preset: Mapping[str, Any]) -> None:
        self.folder = folder
        self._journal: Any = None
        self._prepare(preset)

    def record_path(self, key: str) -> Path:
        """Return where the record `key` lies or would lie."""
        return self.folder / "cases" / key[:2] / f"{key}.json"

    def artifact_folder(self, key: str) -> Path:
        """Return where the artifacts of the record `key` lie or would lie."""
        return self.folder / "artifacts" / key[:2] / key

    def write(self, record: CaseRecord) -> None:
        """Write a record, all or nothing."""
        path = self.record_path(record.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": FORMAT, **asdict(record)}, sort_keys=True, ensure_ascii=False, allow_nan=False)
        write_text(path, text + "\n")

    def read(self, key: str) -> CaseRecord:
        """Read one record."""
        return _record(json.loads(self.record_path(key).read_text(encoding="utf-8")))

    def keys(self) -> set[str]:
        """Return the keys of all records; only folders are listed, no record is opened."""
        return {path.stem for path in self.folder.glob("cases/*/*.json")}

    def records(self) -> Iterator[CaseRecord]:
        """Yield all records, in order of their keys."""
        for key in sorted(self.keys()):
            yield self.read(key)

    def entries(self) -> Iterator[Entry]:
        """Yield the lines of all journals, the oldest first within each; a line cut off by a crash is passed over."""
        for path in sorted(self.folder.glob("journal/*.jsonl")):
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):
                        yield Entry(**json.loads(line))

    def note(self, entry: Entry) -> None:
        """Add a line to this driver's journal."""
        if self._journal is None:
            folder = self.folder / "journal"
            folder.mkdir(exist_ok=True)
            host = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
            self._journal = (folder / f"{host}-{os.getpid()}.jsonl").open("a", encoding="utf-8")
        self._journal.write(json.dumps(asdict(entry)) + "\n")
        self._journal.flush()

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _prepare(self, preset: Mapping[str, Any]) -> None:
        description = self.folder / "store.json"
        if description.exists():
            try:
                found = json.loads(description.read_text(encoding="utf-8"))["format"]
            except (OSError, ValueError, KeyError, TypeError) as problem:
                raise InvalidSettingError(f"{description} is damaged: {problem!r:.80}.") from problem
            if found != FORMAT:
                raise InvalidSettingError(
                    f"The store {self.folder.name} has format {found!r:.20}, this version writes {FORMAT}. "
                    "Choose another folder for the output."
                )
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise InvalidSettingError(f"The folder {self.folder.name} is not empty and not a store. Choose another.")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(description, json.dumps({"format": FORMAT, "preset": preset}, indent=1) + "\n")


def _record(data: dict[str, Any]) -> CaseRecord:
    if data.pop("format", None) != FORMAT:
        raise InvalidSettingError("A record of the store has another format than this version reads.")
    return CaseRecord(**{**data, "artifacts": tuple(data["artifacts"])})
