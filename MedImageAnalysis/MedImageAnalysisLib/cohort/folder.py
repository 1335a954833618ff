"""A cohort as a folder tree: DICOM files grouped to series by their headers; every other image a case of its own.

The index is a nameless SQLite database: it goes to a temporary file when it grows, so that memory stays flat, and
vanishes with its object, so that no identity is left on the disk.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..dicom.description import PROJECTIONS
from ..errors import MedImageError, MissingPackageError, UnreadableImageError
from ..formats.plain_files import detached_pixels, plain_format
from .case import CohortCase, Quarantined
from .identity import Pseudonyms, without_file_names

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["FolderIndex"]

# What tells patients and studies apart; only keyed hashes of these leave the index.
_IDENTITY = ("PatientID", "PatientName", "StudyInstanceUID")
_BATCH = 500
_TABLES = """
    CREATE TABLE files (
        identity TEXT, path BLOB, folder BLOB, patient TEXT, modality TEXT, slice INT, localizer INT, damage TEXT
    );
    CREATE TABLE quarantine (path BLOB, reason TEXT);
"""
# A slice of a damaged file whose series is unknown may be missing in the only series of its folder.
_SUSPECTS = """
    SELECT DISTINCT identity FROM files WHERE slice AND folder IN (
        SELECT folder FROM files WHERE slice AND folder IN (SELECT folder FROM files WHERE identity = '')
        GROUP BY folder HAVING COUNT(DISTINCT identity) = 1)
"""
_SLICE_LOST = "A damaged DICOM file lies among the slices of this series and may be one of them."


@dataclass(frozen=True)
class _File:
    """One file of a case.

    Parameters
    ----------
    identity : str
        What its case is known by; "" for a damaged file that does not tell its series.
    slice : bool
        Whether it is one of several that make a volume.
    damage : str
        Why it cannot be read.
    """

    identity: str
    path: Path
    patient: str = ""
    modality: str = ""
    slice: bool = False
    localizer: bool = False
    damage: str = ""

    def row(self) -> tuple:
        path, folder = os.fsencode(self.path), os.fsencode(self.path.parent)
        flags = (int(self.slice), int(self.localizer), self.damage)
        return (self.identity, path, folder, self.patient, self.modality, *flags)


class FolderIndex:
    """What a folder tree holds: cases, and what is none of them, with reasons.

    Parameters
    ----------
    root : Path
        A folder, or a single file.
    pseudonyms : Pseudonyms
    keep_ids : bool
        Whether cases are called by series UID or path instead of a pseudonym.
    leave_out : Path, optional
        A folder that is not searched: the store.
    report : callable
        Called now and then with the number of files seen.
    """

    def __init__(
        self,
        root: Path,
        pseudonyms: Pseudonyms,
        *,
        keep_ids: bool = False,
        leave_out: Path | None = None,
        report: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._root = root if root.is_dir() else root.parent
        self._pseudonyms = pseudonyms
        self._keep_ids = keep_ids
        self._base = sqlite3.connect("")
        self._base.execute("PRAGMA cache_size = -4000")
        self._base.executescript(_TABLES)
        files = _walk(root, leave_out) if root.is_dir() else iter([root])
        self.files = 0
        while batch := list(itertools.islice(files, _BATCH)):
            self.files += len(batch)
            self._add(batch)
            report(self.files)
        self._quarantine_damaged()
        self._base.execute("CREATE INDEX by_identity ON files (identity, path)")

    def __len__(self) -> int:
        return self._base.execute("SELECT COUNT(DISTINCT identity) FROM files").fetchone()[0]

    def modalities(self) -> dict[str, int]:
        """Return how many cases have which modality; "" = not known."""
        found = self._base.execute("SELECT modality, COUNT(DISTINCT identity) FROM files GROUP BY modality")
        return dict(found.fetchall())

    def cases(self) -> Iterator[CohortCase]:
        """Yield the cases, one after the other, in an order that is the same each time."""
        rows = self._base.execute("SELECT identity, path, patient FROM files ORDER BY identity, path")
        for identity, members in itertools.groupby(rows, key=lambda row: row[0]):
            found = list(members)
            files = tuple(Path(os.fsdecode(path)) for _, path, _ in found)
            kind, _, word = identity.partition(" ")
            if kind == "file":
                files += detached_pixels(files[0])
            patient = found[0][2]
            if not self._keep_ids:
                patient = self._pseudonyms.patient(patient)
            yield CohortCase(word if self._keep_ids else self._pseudonyms.case(identity), files, patient=patient)

    def quarantined(self) -> Iterator[Quarantined]:
        """Yield what is not a case, and why."""
        for stored, reason in self._base.execute("SELECT path, reason FROM quarantine ORDER BY path"):
            path = Path(os.fsdecode(stored))
            if self._keep_ids:
                yield Quarantined(self._relative(path), reason)
            else:
                name = self._pseudonyms.case(f"file {self._relative(path)}")
                yield Quarantined(name, without_file_names(reason, [path]))

    def close(self) -> None:
        """Let the temporary file go."""
        self._base.close()

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix().encode("utf-8", "backslashreplace").decode()

    def _add(self, batch: Iterable[Path]) -> None:
        files, refused = [], []
        for path in batch:
            try:
                found = _classified(path, self._relative(path))
            except MissingPackageError:
                raise
            except (MedImageError, OSError) as problem:
                refused.append((os.fsencode(path), _reason(problem)))
                continue
            if found is not None:
                files.append(found.row())
        self._base.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", files)
        self._base.executemany("INSERT INTO quarantine VALUES (?, ?)", refused)

    def _quarantine_damaged(self) -> None:
        """Move damaged files, series with a damaged file, and localizers out of the cases."""
        base = self._base
        suspects = base.execute(_SUSPECTS).fetchall()
        base.executemany(
            "UPDATE files SET damage = ? WHERE identity = ?", [(_SLICE_LOST, name) for (name,) in suspects]
        )
        base.execute(
            "INSERT INTO quarantine SELECT path, damage FROM files WHERE identity = '' UNION ALL "
            "SELECT MIN(path), MAX(damage) FROM files WHERE identity <> '' GROUP BY identity HAVING MAX(damage) <> '' "
            "UNION ALL SELECT MIN(path), 'All images of this series are localizers (scouts).' FROM files "
            "WHERE identity <> '' GROUP BY identity HAVING MIN(localizer) = 1 AND MAX(damage) = ''"
        )
        base.execute(
            "DELETE FROM files WHERE identity IN "
            "(SELECT identity FROM files GROUP BY identity HAVING MAX(damage) <> '' OR MIN(localizer) = 1)"
        )


def _walk(root: Path, leave_out: Path | None) -> Iterator[Path]:
    """Yield all files below `root`; links to folders are not followed, hidden files and stores are passed over."""
    skipped = leave_out.resolve() if leave_out else None
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        if here.resolve() == skipped or ("store.json" in names and "journal" in folders):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (here / name for name in sorted(names) if not name.startswith(".") and name.upper() != "DICOMDIR")


def _classified(path: Path, relative: str) -> _File | None:
    """Return what a file is; None if it belongs to another one; MedImageError if it is no image."""
    from ..dicom.folder import looks_like_dicom

    if not path.is_file():
        raise UnreadableImageError("It is a broken link or a device, not a file.")
    if path.stat().st_size == 0:
        raise UnreadableImageError("It is empty (0 bytes). Export or copy it again.")
    if plain_format(path):
        if path.name.lower().endswith(".seg.nrrd"):
            raise UnreadableImageError("It is a segmentation, not an image. Name it in a case table beside its image.")
        return _File(f"file {relative}", path)
    if looks_like_dicom(path):
        return _dicom_file(path, relative)
    if any(path in detached_pixels(header) for header in _headers_beside(path)):
        return None
    raise UnreadableImageError("It is not an image: neither DICOM nor NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF.")


def _headers_beside(path: Path) -> Iterator[Path]:
    stem = path.name.split(".", 1)[0]
    return (header for suffix in (".mhd", ".nhdr") if (header := path.with_name(stem + suffix)).is_file())


def _dicom_file(path: Path, relative: str) -> _File | None:
    from ..dicom.header import is_dicom, read_header

    try:
        return _described(read_header(path, also=_IDENTITY), path, relative)
    except UnreadableImageError as problem:
        if not is_dicom(path):
            raise
        return _damaged(path, relative, _reason(problem))


def _described(header: Dataset, path: Path, relative: str, damage: str = "") -> _File:
    modality = str(header.get("Modality") or "").upper()
    placed = bool(header.get("ImagePositionPatient") or header.get("PerFrameFunctionalGroupsSequence"))
    # Radiographs of one series are images of their own; only what has a place in space can be a slice.
    is_slice = placed and modality not in PROJECTIONS
    series = f"{header.get('StudyInstanceUID', '')}/{header.get('SeriesInstanceUID') or ''}"
    instance = str(header.get("SOPInstanceUID") or "")
    identity = f"series {series}" if is_slice else f"instance {instance}" if instance else f"image {relative}"
    return _File(
        identity,
        path,
        patient=str(header.get("PatientID") or header.get("PatientName") or ""),
        modality=modality,
        slice=is_slice,
        localizer="LOCALIZER" in (header.get("ImageType") or ()),
        damage=damage,
    )


def _damaged(path: Path, relative: str, reason: str) -> _File:
    """Return a damaged DICOM file with the series that what is left of its header tells, if it does."""
    from pydicom import dcmread

    from ..dicom.header import damage_as_error

    wanted = ("Modality", "ImageType", "ImagePositionPatient", "SeriesInstanceUID", "SOPInstanceUID", *_IDENTITY)
    try:
        with damage_as_error(path):
            header = dcmread(path, stop_before_pixels=True, specific_tags=list(wanted))
            if header.get("SeriesInstanceUID"):
                return _described(header, path, relative, reason)
    except UnreadableImageError:
        pass
    return _File("", path, damage=reason)


def _reason(problem: Exception) -> str:
    return str(problem) if isinstance(problem, MedImageError) else f"It cannot be opened: {problem.strerror}."
