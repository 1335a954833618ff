"""Where a cohort comes from: a folder tree or a table of cases, behind one face."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import InvalidSettingError, MedImageError, UnreadableImageError, UnsuitablePresetError
from ..preset import Preset, check_suits, suits_modality
from .case import CohortCase, Quarantined
from .case_table import check_case_table, identifying_columns, read_case_table
from .folder import FolderIndex
from .identity import Pseudonyms
from .work import read_case

__all__ = ["Source", "open_source"]

_TABLES = (".csv", ".tsv")
_PROBED = 5


class Source:
    """The cases of a run; each look at them starts anew, so that none need be kept in memory.

    Parameters
    ----------
    cases : callable
        Gives an iterator over all cases.
    count : int
    index : FolderIndex, optional
    left_out : tuple of Quarantined
        What is left out of a table.
    """

    def __init__(
        self,
        cases: Callable[[], Iterator[CohortCase]],
        count: int,
        index: FolderIndex | None = None,
        left_out: tuple[Quarantined, ...] = (),
    ) -> None:
        self._cases = cases
        self._count = count
        self._index = index
        self._left_out = left_out
        self._part = (1, 1)

    def __len__(self) -> int:
        return self._count

    def cases(self) -> Iterator[CohortCase]:
        """Yield the cases of this part."""
        number, parts = self._part
        return (case for case in self._cases() if _part_of(case, parts) == number)

    def quarantined(self) -> Iterator[Quarantined]:
        """Yield what is not a case, and why."""
        yield from self._left_out
        if self._index:
            yield from self._index.quarantined()

    def take_part(self, number: int, parts: int) -> None:
        """Keep to one of several parts (from 1 on), the same ones on every machine: they follow from the names."""
        if parts > 1:
            self._part = (number, parts)
            self._count = sum(1 for _ in self.cases())

    def check_suits(self, preset: Preset) -> None:
        """Refuse a preset that suits none of the cases, by the modalities of the headers or by a look at some images.

        Raises
        ------
        UnsuitablePresetError
        """
        known = self._index.modalities() if self._index else {"": self._count}
        suited = [modality for modality in known if modality and suits_modality(preset, modality)]
        if "" not in known and not suited:
            raise UnsuitablePresetError(
                f"The preset '{preset.name}' is for {', '.join(preset.modalities)}, but the {self._count} cases are "
                f"{', '.join(sorted(known))}. Choose another preset."
            )
        if suited and preset.modalities:
            return
        answers = (_refusal(case, preset) for case in itertools.islice(self._cases(), _PROBED))
        refusals = [answer for answer in answers if answer is not None]
        if refusals and all(refusals):
            raise UnsuitablePresetError(f"The preset suits none of the first cases. {refusals[0]}")

    def close(self) -> None:
        """Let the index go."""
        if self._index:
            self._index.close()


def open_source(
    path: Path,
    pseudonyms: Pseudonyms,
    *,
    keep_ids: bool = False,
    leave_out: Path | None = None,
    report: Callable[[int], None] = lambda count: None,
) -> Source:
    """Index a folder tree, or check a table of cases as a whole; see :class:`FolderIndex` for the parameters.

    Raises
    ------
    UnreadableImageError
        If there is no such file or folder, or no image in it.
    InvalidSettingError
        If the table has faults.
    """
    if not path.exists():
        raise UnreadableImageError(f"'{path}' does not exist. Check the path.")
    if path.suffix.lower() in _TABLES and path.is_file():
        count = check_case_table(path)
        names = () if keep_ids else identifying_columns(path)
        notes = tuple(
            Quarantined(f"column '{name}'", "By its name it identifies a person. --keep-ids keeps it.")
            for name in names
        )
        return Source(lambda: read_case_table(path, pseudonyms, keep_ids), count, left_out=notes)
    index = FolderIndex(path, pseudonyms, keep_ids=keep_ids, leave_out=leave_out, report=report)
    if not len(index):
        first = next(index.quarantined(), None)
        index.close()
        why = f" The first of {index.files} files: {first.reason}" if first else " It is empty."
        raise InvalidSettingError(f"'{path.name}' holds no image.{why}")
    return Source(index.cases, len(index), index)


def _part_of(case: CohortCase, parts: int) -> int:
    return 1 + int.from_bytes(hashlib.sha256(case.name.encode()).digest()[:8], "big") % parts


def _refusal(case: CohortCase, preset: Preset) -> str | None:
    """Return why the preset does not suit, "" if it does, None if the case cannot be read."""
    try:
        image, _ = read_case(case, preset.color)
        check_suits(preset, image)
    except UnsuitablePresetError as problem:
        return str(problem)
    except MedImageError:
        return None
    return ""
