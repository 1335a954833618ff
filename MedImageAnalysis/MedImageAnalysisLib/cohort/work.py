"""The work on one case, done in a worker process: read, analyze, write the record; the driver learns how it ended."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..analysis import Analysis, MedicalImage, Segmentation
from ..export.record import analysis_to_json
from ..preset import Preset
from ..progress import Progress
from .case import CohortCase
from .store import CaseRecord, Store, record_key

__all__ = ["Task", "analyze_case", "failed_record", "settings_hash"]

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Task:
    """One case with all that its worker needs; small, since it travels between processes.

    Parameters
    ----------
    preset : str
        The preset as JSON text.
    with_segmentation : bool
        Whether to keep the segmentation beside the record.
    """

    case: CohortCase
    store: Path
    preset: str
    code: str
    with_segmentation: bool = True


def settings_hash(preset_json: str) -> str:
    """Return the hash of a preset as JSON text."""
    return hashlib.sha256(preset_json.encode()).hexdigest()


def analyze_case(task: Task) -> str:
    """Analyze one case and write its record; return the record's key.

    If the result is there already (another driver wrote it, or only the file's date or the case's label changed),
    nothing is computed.
    """
    preset_values = json.loads(task.preset)
    store = Store(task.store, preset_values)
    case = task.case
    bytes_hash = input_hash(case)
    key = record_key(bytes_hash, settings_hash(task.preset), task.code, case.name)
    if _is_there(store, task, key):
        return key
    preset = Preset.from_json(preset_values)
    image, segmentation = _read(case, preset)
    analysis = _analyze(image, preset, segmentation)
    artifacts = _write_artifacts(analysis, store.artifact_folder(key)) if task.with_segmentation else ()
    store.write(
        replace(
            _blank_record(task, key, "done", bytes_hash),
            artifacts=artifacts,
            analysis=without_timings(analysis_to_json(analysis)),
        )
    )
    return key


def failed_record(task: Task, status: str, reason: str, log: str) -> CaseRecord:
    """Return the record of a case that gave no result, with its reason."""
    try:
        bytes_hash = input_hash(task.case)
    except OSError:
        bytes_hash = ""
    key = record_key(bytes_hash, settings_hash(task.preset), task.code, task.case.name)
    return replace(_blank_record(task, key, status, bytes_hash), reason=reason, log=log)


def input_hash(case: CohortCase) -> str:
    """Return the hash of the bytes of all files of a case, without their names."""
    digest = hashlib.sha256()
    for path in (*case.files, *([case.segmentation] if case.segmentation else [])):
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def without_timings(analysis: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs between two equal runs."""
    provenance = analysis["provenance"]
    steps = [{key: value for key, value in step.items() if key != "seconds"} for step in provenance["steps"]]
    return {**analysis, "provenance": {**provenance, "steps": steps}}


def _is_there(store: Store, task: Task, key: str) -> bool:
    """Tell whether the result is in the store, and bring its label and covariates up to date."""
    if not store.record_path(key).exists():
        return False
    record = store.read(key)
    if record.status != "done":
        return False
    case = task.case
    current = replace(record, patient=case.patient, label=case.label, covariates=dict(case.covariates))
    if current != record:
        store.write(current)
    return True


def _read(case: CohortCase, preset: Preset) -> tuple[MedicalImage, Segmentation | None]:
    from ..image import read_image
    from ..segmentation_file import read_segmentation

    image = read_image(case.files if len(case.files) > 1 else case.files[0], color=preset.color)
    return image, read_segmentation(case.segmentation, image) if case.segmentation else None


def _analyze(image: MedicalImage, preset: Preset, segmentation: Segmentation | None) -> Analysis:
    from ..pipeline import run

    return run(image, preset, segmentation=segmentation, progress=Progress())


def _write_artifacts(analysis: Analysis, folder: Path) -> tuple[str, ...]:
    from ..export.segmentation import write_segmentation

    folder.mkdir(parents=True, exist_ok=True)
    return (write_segmentation(folder / "segmentation.seg.nrrd", analysis.segmentation, analysis.image).name,)


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
        settings_sha256=settings_hash(task.preset),
        code=task.code,
    )
