"""One case of a cohort: where its files are and what is known of it beside them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CohortCase", "Quarantined"]


@dataclass(frozen=True)
class CohortCase:
    """What one unit of work is about.

    Parameters
    ----------
    name : str
        Pseudonym, or the user's own id if the user asked to keep ids.
    files : tuple of Path
        One image file (and the file of its pixels, if they lie apart), or all files of one DICOM series.
    segmentation : Path or None
        An existing segmentation that replaces stage 2.
    label : str
        What is known of the case, e.g. its category; for training and evaluation.
    patient : str
        Pseudonym of the patient; cases of one patient stay together when data are split.
    covariates : tuple of (str, str)
        Further columns of the case table.
    folder : Path or None
        The folder that holds the files and is read as a whole.
    """

    name: str
    files: tuple[Path, ...]
    segmentation: Path | None = None
    label: str = ""
    patient: str = ""
    covariates: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The files of the image and of the segmentation."""
        return (*self.files, self.segmentation) if self.segmentation else self.files

    def fingerprint(self) -> str:
        """Return a cheap mark of the case: it changes when a file is written again or the case's columns change."""
        digest = hashlib.sha256(repr((self.label, self.patient, self.covariates)).encode())
        for path in self.all_files:
            status = os.stat(path)
            digest.update(os.fsencode(path) + b"\0%d\0%d\n" % (status.st_size, status.st_mtime_ns))
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Quarantined:
    """Something in the input that is not a case, and why."""

    name: str
    reason: str
