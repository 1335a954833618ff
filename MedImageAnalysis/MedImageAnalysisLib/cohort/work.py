"""The work on one case, done in a worker process: read, analyze, write the record; the driver learns how it ended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..analysis import Analysis, MedicalImage, Segmentation
from ..errors import MedImageError
from ..export.atomic import replacing_folder
from ..export.record import analysis_to_json
from ..preset import Preset
from ..progress import Progress
from .case import CohortCase
from .claims import claimed
from .identity import without_file_names
from .settings import Settings
from .store import CaseRecord, Store, make_parent, record_key

__all__ = ["Task", "analyze_case", "failed_record", "read_case"]

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Task:
    """One case with all that its worker needs; small, since it travels between processes.

    Parameters
    ----------
    thumbnail : bool
        Whether to draw a small picture of the case; never done where a header says that text is burned in.
    wait : bool
        Whether to wait for another driver that works on the case.
    anew : bool
        Whether to compute the case even if its record seems to be there.
    """

    case: CohortCase
    store: Path
    settings: Settings
    thumbnail: bool = True
    wait: bool = False
    anew: bool = False


def analyze_case(task: Task) -> str:
    """Analyze one case and write its record; return the record's key, or "" if another driver is at work on it.

    If the result is there already (another driver wrote it, or only the file's date or the case's label changed),
    nothing is computed. Errors do not name files: their names may tell who the patient is.
    """
    try:
        return _analyze_case(task)
    except MedImageError as error:
        nameless = type(error)(without_file_names(str(error), task.case.all_files))
        raise nameless.with_traceback(error.__traceback__) from None


def _analyze_case(task: Task) -> str:
    store = Store(task.store)
    bytes_hash = input_hash(task.case)
    key = _key(task, bytes_hash)
    if _is_there(store, task, key):
        return key
    with claimed(task.store / "locks", key, task.wait) as mine:
        if not mine:
            return ""
        if _is_there(store, task, key):
            return key
        image, segmentation = read_case(task.case, task.settings.color)
        analysis = _analyze(image, task.settings.preset_for(image), segmentation)
        record = replace(
            _blank_record(task, key, "done", bytes_hash),
            artifacts=_write_artifacts(analysis, store.artifact_folder(key), task),
            analysis=_fit_to_keep(analysis_to_json(analysis), task.case),
        )
        store.write(record)
    return key


def failed_record(task: Task, status: str, reason: str, log: str) -> CaseRecord:
    """Return the record of a case that gave no result, with its reason."""
    try:
        bytes_hash = input_hash(task.case)
    except MedImageError:
        bytes_hash = ""
    return replace(_blank_record(task, _key(task, bytes_hash), status, bytes_hash), reason=reason, log=log)


def input_hash(case: CohortCase) -> str:
    """Return the hash of the bytes of all files of a case, without their names."""
    digest = hashlib.sha256()
    try:
        for path in case.all_files:
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
    except OSError as problem:
        raise MedImageError(f"A file of the case cannot be read: {problem.strerror}.") from problem
    return digest.hexdigest()


def read_case(case: CohortCase, color: str) -> tuple[MedicalImage, Segmentation | None]:
    """Read the image of a case and, if it has one, its segmentation."""
    from ..formats.plain_files import plain_format
    from ..image import read_image
    from ..segmentation_file import read_segmentation

    if case.folder:
        image = read_image(case.folder, color=color)
    else:
        first = case.files[0]
        # What follows a file of a plain format are the pixels that belong to it.
        image = read_image(first if plain_format(first) else case.files, color=color)
    return image, read_segmentation(case.segmentation, image) if case.segmentation else None


def _key(task: Task, bytes_hash: str) -> str:
    return record_key(bytes_hash, task.settings.sha256, task.settings.code, task.case.name)


def _fit_to_keep(analysis: dict[str, Any], case: CohortCase) -> dict[str, Any]:
    """Leave out timings, by which two equal runs differ, and names of files, by which a patient may be known."""
    files = case.all_files
    provenance = analysis["provenance"]
    steps = [{key: value for key, value in step.items() if key != "seconds"} for step in provenance["steps"]]
    warnings = [without_file_names(warning, files) for warning in provenance["warnings"]]
    info = analysis["image"]["info"]
    info = {**info, "warnings": [without_file_names(warning, files) for warning in info["warnings"]]}
    return {
        **analysis,
        "image": {**analysis["image"], "info": info},
        "provenance": {**provenance, "steps": steps, "warnings": warnings},
    }


def _is_there(store: Store, task: Task, key: str) -> bool:
    """Tell whether the result is in the store, and bring its label and covariates up to date."""
    record = None if task.anew else store.finished(key)
    if record is None:
        return False
    case = task.case
    current = replace(record, patient=case.patient, label=case.label, covariates=dict(case.covariates))
    if current != record:
        store.write(current)
    return True


def _analyze(image: MedicalImage, preset: Preset, segmentation: Segmentation | None) -> Analysis:
    from ..pipeline import run

    return run(image, preset, segmentation=segmentation, progress=Progress())


def _write_artifacts(analysis: Analysis, folder: Path, task: Task) -> tuple[str, ...]:
    from ..export.segmentation import write_segmentation
    from .thumbnail import says_burned_in, write_thumbnail

    with replacing_folder(make_parent(folder)) as aside:
        written = [write_segmentation(aside / "segmentation.seg.nrrd", analysis.segmentation, analysis.image)]
        if task.thumbnail and not says_burned_in(task.case.files[0]):
            written.append(write_thumbnail(analysis, aside / "thumbnail.png"))
    return tuple(path.name for path in written)


def _blank_record(task: Task, key: str, status: str, bytes_hash: str) -> CaseRecord:
    case = task.case
    return CaseRecord(
        key=key,
        case=case.name,
        status=status,
        patient=case.patient,
        label=case.label,
        covariates=dict(case.covariates),
        input_sha256=bytes_hash,
        settings_sha256=task.settings.sha256,
        code=task.settings.code,
    )
