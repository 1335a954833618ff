"""Find the DICOM series in a folder."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnreadableImageError, UnsupportedImageError
from ..progress import Progress
from .header import Plane, is_dicom, planes, read_header

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Contents", "Series", "find_series", "looks_like_dicom", "only_series", "series_of_files"]

_MOST_FILES = 20_000
_MOST_NAMED = 6
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# Files written without preamble often have no suffix, or a number (a UID or a slice) in its place.
_NO_SUFFIX = re.compile(r"(\.\d*)?")


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one series: the header of one of them, and all planes."""

    header: Dataset
    planes: tuple[Plane, ...]

    @property
    def is_localizer(self) -> bool:
        """Tell whether all its images are localizers (scouts)."""
        return all(plane.localizer for plane in self.planes)

    def __str__(self) -> str:
        first = self.planes[0]
        kind = f"{self.header.get('Modality') or 'unknown modality'}{' localizer' if self.is_localizer else ''}"
        count = len(self.planes)
        return f"{kind} of {count} image{'s' * (count > 1)} {first.columns} x {first.rows} (e.g. '{first.path.name}')"


@dataclass(frozen=True)
class Contents:
    """What a folder holds.

    Parameters
    ----------
    series : tuple of Series
        With images, in the order of their first file.
    refused : tuple of str
        Why each DICOM file without an image that can be read was left out.
    foreign : int
        Number of files that are not DICOM.
    """

    series: tuple[Series, ...]
    refused: tuple[str, ...]
    foreign: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was ignored, in words."""
        notes = []
        if self.refused:
            notes.append(f"{len(self.refused)} DICOM file(s) without a usable image were ignored: {self.refused[0]}")
        if self.foreign:
            notes.append(f"{self.foreign} file(s) in the folder that are not DICOM were ignored.")
        return tuple(notes)


def find_series(folder: Path, progress: Progress = Progress()) -> Contents:  # noqa: B008  frozen
    """Read the headers of all files in `folder` and below.

    Raises
    ------
    UnreadableImageError
        If a DICOM file is empty, damaged or truncated: a volume without it would be wrong.
    """
    files = _files(folder)
    found: dict[str, tuple[Dataset, list[Plane]]] = {}
    refused: list[str] = []
    foreign = 0
    for index, file in enumerate(files):
        progress.step("Read headers", index / len(files))
        if not _may_be_dicom(file):
            foreign += 1
            continue
        try:
            header = read_header(file)
            new = planes(header, file)
        except UnsupportedImageError as error:
            refused.append(str(error))
            continue
        except UnreadableImageError:
            if is_dicom(file) or file.suffix.lower() in _DICOM_SUFFIXES:
                raise
            foreign += 1
            continue
        found.setdefault(new[0].series, (header, []))[1].extend(new)
    series = tuple(Series(header, tuple(members)) for header, members in found.values())
    return Contents(series, tuple(refused), foreign)


def only_series(folder: Path, progress: Progress) -> tuple[Series, tuple[str, ...]]:
    """Return the one series of a folder and warnings; a localizer series beside it is left out.

    Raises
    ------
    UnreadableImageError
        If there is none.
    UnsupportedImageError
        If there are several, each of which is named.
    """
    contents = find_series(folder, progress)
    if not contents.series:
        if contents.refused:
            raise UnsupportedImageError(f"'{folder.name}' holds no image that can be read: {contents.refused[0]}")
        raise UnreadableImageError(
            f"'{folder.name}' holds no DICOM images ({contents.foreign} other files). "
            "Give a folder with a DICOM series, or a single image file."
        )
    volumes = tuple(series for series in contents.series if not series.is_localizer) or contents.series
    if len(volumes) > 1:
        named = "; ".join(map(str, volumes[:_MOST_NAMED]))
        more = f"; and {len(volumes) - _MOST_NAMED} more" if len(volumes) > _MOST_NAMED else ""
        raise UnsupportedImageError(
            f"'{folder.name}' holds {len(volumes)} series: {named}{more}. "
            "Give a folder with only one of them, or one file."
        )
    left_out = len(contents.series) - len(volumes)
    notes = (f"{left_out} localizer series in the folder were left out.",) if left_out else ()
    return volumes[0], notes + contents.warnings


def looks_like_dicom(file: Path) -> bool:
    """Tell whether a file that is not empty is or may be DICOM, by its mark or its name."""
    suffix = file.suffix.lower()
    return suffix in _DICOM_SUFFIXES or is_dicom(file) or _NO_SUFFIX.fullmatch(suffix) is not None


def series_of_files(files: Sequence[Path], progress: Progress) -> Series:
    """Return the series that these files make; every one of them must belong to it.

    Raises
    ------
    UnreadableImageError, UnsupportedImageError
        If a file is damaged or not an image.
    UnsupportedImageError
        If they are of several series.
    """
    found: dict[str, tuple[Dataset, list[Plane]]] = {}
    for index, file in enumerate(files):
        progress.step("Read headers", index / len(files))
        header = read_header(file)
        new = planes(header, file)
        found.setdefault(new[0].series, (header, []))[1].extend(new)
    if len(found) > 1:
        raise UnsupportedImageError(
            f"The {len(files)} files are of {len(found)} series. Give the files of one of them."
        )
    ((header, members),) = found.values()
    return Series(header, tuple(members))


def _files(folder: Path) -> list[Path]:
    """Return all files below `folder` in a fixed order; links to folders are not followed."""
    found = [Path(root, name) for root, _, names in os.walk(folder) for name in names if not name.startswith(".")]
    files = sorted(file for file in found if file.is_file() and file.name.upper() != "DICOMDIR")
    if len(files) > _MOST_FILES:
        raise UnreadableImageError(
            f"'{folder.name}' holds {len(files)} files, more than any series ({_MOST_FILES}). "
            "Give the folder of one series."
        )
    return files


def _may_be_dicom(file: Path) -> bool:
    if file.stat().st_size == 0:
        siblings = Counter(other.suffix.lower() for other in file.parent.iterdir())
        # An empty file among others of its kind is a slice that was lost.
        if file.suffix.lower() in _DICOM_SUFFIXES or siblings[file.suffix.lower()] > 1:
            raise UnreadableImageError(f"'{file.name}' is empty (0 bytes). Export or copy the series again.")
        return False
    return looks_like_dicom(file)
