"""The only place where the four stages meet: run(image, preset) -> Analysis."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from .analysis import (
    Analysis,
    FeatureTable,
    Measurement,
    MedicalImage,
    Provenance,
    Recognition,
    Segmentation,
    StepRecord,
)
from .attended import attended
from .errors import GeometryError, InvalidSettingError, UnsupportedImageError
from .image import content_hash
from .imaging.geometry import describe_grid, resample_segmentation, same_grid, scaled
from .imaging.pixels import view
from .looks import looks_like_hounsfield
from .parameters import Configurable
from .preset import Preset, check_suits
from .progress import Progress
from .quality import QualityCase, assess
from .software import software_versions
from .terminology.wholes import with_wholes

__all__ = ["repeat", "resolved", "run", "run_phases", "segmentation_hash"]

Result = TypeVar("Result")
Step = TypeVar("Step")


def run(
    image: MedicalImage,
    preset: Preset,
    *,
    segmentation: Segmentation | None = None,
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
) -> Analysis:
    """Take an image through all four stages.

    Parameters
    ----------
    image : MedicalImage
        2D or 3D, as `read_image` or `volumeFromNode` return it. It is not changed.
    preset : Preset
    segmentation : Segmentation, optional
        An existing segmentation on the image's grid; it replaces stage 2.
    progress : Progress

    Returns
    -------
    Analysis
        The segmentation is on the grid of the input image. If the image's spacing is unknown, lengths are in pixels.

    Raises
    ------
    UnsuitablePresetError
        If the preset is not meant for this image.
    MissingPackageError
        If the preset names a network and the packages that run it are not installed.
    Cancelled
        If the user asked to stop.
    MedImageError
        If a stage refuses the image, with what, where and what to do.
    """
    return attended(partial(_run, image, preset, segmentation), progress, image.pixels.GetNumberOfPixels())


def _run(image: MedicalImage, preset: Preset, segmentation: Segmentation | None, progress: Progress) -> Analysis:
    doubts = check_suits(preset, image)
    preset = resolved(preset)
    image, taken_for = _with_unit(image, preset)
    stages = _Stages(image, preset)
    # Fractions are typical shares of the time, so that the bar moves evenly.
    to_nominal, from_nominal, assumption = _nominal_scale(image, preset)
    working = stages.preprocess(_scaled_to(image, to_nominal), progress.part(0.0, 0.35))
    if segmentation is None:
        found = stages.segment(working, progress.part(0.35, 0.7))
    else:
        found = _accepted(segmentation, image.pixels, to_nominal)
    processed = scaled(working, from_nominal) if from_nominal != 1 else working
    on_processed = _rescaled(found, from_nominal)
    on_input = resample_segmentation(on_processed, image.pixels)
    if preset.feature_image == "original":
        features = stages.extract(image.pixels, on_input, image.info.intensity_unit, progress.part(0.7, 0.9))
    else:
        on_processed = resample_segmentation(on_processed, processed)
        features = stages.extract(processed, on_processed, "", progress.part(0.7, 0.9))
    measurements = stages.measure(on_input, progress.part(0.9, 0.95))
    recognitions = stages.recognize(processed, on_input, features, measurements, progress.part(0.95, 0.98))
    judged = QualityCase(image, on_input, measurements, doubts, recognitions)
    quality = assess(judged, progress.part(0.98, 1.0))
    progress.step("Done", 1.0)
    provenance = Provenance(
        input_sha256=content_hash(image.pixels),
        preset=preset.to_json(),
        software=software_versions(),
        steps=tuple(stages.records),
        corrections=image.info.corrections,
        warnings=image.info.warnings + doubts + taken_for + assumption,
        segmentation_sha256=segmentation_hash(segmentation) if segmentation else "",
    )
    return Analysis(image, processed, on_input, features, measurements, recognitions, provenance, quality)


def run_phases(
    phases: Sequence[MedicalImage],
    preset: Preset,
    *,
    progress: Progress = Progress(),  # noqa: B008
) -> tuple[Analysis, Analysis]:
    """Find end-diastole and end-systole among the phases of a heartbeat, and analyze both.

    Every phase is segmented; the one with the largest and the one with the smallest left ventricle are taken, so that
    one bad outline does not decide (:func:`.features.clinical.cardiac_mri.end_phases`).

    Parameters
    ----------
    phases : sequence of MedicalImage
        One volume per phase in the order of time, on one grid, as `read_phases` returns them.
    preset : Preset
        One that outlines the left ventricle, such as ``cardiac-mri``.
    progress : Progress

    Returns
    -------
    tuple of Analysis
        Of end-diastole and of end-systole. That of end-diastole also has both volumes, the ejection fraction and the
        numbers of both phases, and its recognitions see them.

    Raises
    ------
    GeometryError
        If the phases do not lie on one grid.
    InvalidSettingError
        If the left ventricle was found in fewer than two phases.
    """
    from .features.clinical.cardiac_mri import end_phases, phase_measurements, two_phases

    if any(not same_grid(phase.pixels, phases[0].pixels) for phase in phases):
        raise GeometryError("The phases do not lie on one grid, so that they are not one heart. Read them again.")
    preset = resolved(preset)
    outlining = progress.part(0.0, 0.7, "Outline every phase")
    sizes = [
        _ventricle_voxels(image, preset, part) for image, part in zip(phases, outlining.parts(len(phases)), strict=True)
    ]
    ed, es = end_phases(sizes)
    first = run(phases[ed], preset, progress=progress.part(0.7, 0.85, "End-diastole"))
    second = run(phases[es], preset, progress=progress.part(0.85, 0.98, "End-systole"))
    both = two_phases((first.image, first.segmentation), (second.image, second.segmentation), progress)
    both += phase_measurements(sizes, (ed, es))
    names = {measurement.name for measurement in both}
    measurements = tuple(m for m in first.measurements if m.name not in names) + both
    recognitions = _Stages(first.image, preset).recognize(
        first.processed, first.segmentation, first.features, measurements, progress.part(0.98, 1.0)
    )
    note = (
        f"This is phase {ed + 1} (end-diastole) of {len(phases)}; the ejection fraction also rests on phase {es + 1} "
        "(end-systole). Repeating this record on this phase alone gives all else."
    )
    provenance = replace(first.provenance, warnings=(*first.provenance.warnings, note))
    return replace(first, measurements=measurements, recognitions=recognitions, provenance=provenance), second


def _scaled_to(image: MedicalImage, factor: float) -> sitk.Image:
    """Return the pixels with their spacing times a factor; the image's own where it is 1."""
    return scaled(image.pixels, factor) if factor != 1 else image.pixels


def _ventricle_voxels(image: MedicalImage, preset: Preset, progress: Progress) -> float:
    """Return how many voxels the left ventricle has in one phase by a resolved preset, NaN if it was not found."""
    stages = _Stages(image, preset)
    to_nominal, _, _ = _nominal_scale(image, preset)
    working = stages.preprocess(_scaled_to(image, to_nominal), progress.part(0.0, 0.3))
    try:
        found = stages.segment(working, progress.part(0.3, 1.0))
    except UnsupportedImageError:
        return math.nan
    ventricle = found.find("left-ventricle")
    return float(np.count_nonzero(view(found.mask(ventricle)))) if ventricle else math.nan


def repeat(
    record: Provenance,
    image: MedicalImage,
    *,
    segmentation: Segmentation | None = None,
    progress: Progress = Progress(),  # noqa: B008
) -> Analysis:
    """Run again what a record describes, on the same image; with the same software the results are equal bit for bit.

    If code or libraries are other ones than those of the record, a warning in the result's provenance names them.

    Raises
    ------
    InvalidSettingError
        If the image (or the existing segmentation) is not the one of the record.
    MissingPackageError
        If the record was made with a network and the packages that run it are not installed.
    """
    if content_hash(image.pixels) != record.input_sha256:
        raise InvalidSettingError("This is not the image of the record: pixels or geometry differ.")
    given = segmentation_hash(segmentation) if segmentation else ""
    if given != record.segmentation_sha256:
        raise InvalidSettingError("This is not the existing segmentation of the record: give the same one again.")
    # Records from before there was a choice name the very models that they used.
    preset = Preset.from_json({"model_choice": "exact", **record.preset})
    analysis = run(image, preset, segmentation=segmentation, progress=progress)
    return replace(analysis, provenance=_with_drift(analysis.provenance, record))


def resolved(preset: Preset) -> Preset:
    """Return the preset with every choice made that depends on this machine, so that its record repeats the run.

    These are the models (a network where it can run, else the model it is an alternative to) and the engines of
    segmentation methods.

    Raises
    ------
    MissingPackageError
        If one of the models is a network and the packages that run it are not installed.
    InvalidSettingError
        If a prevalence is stated and none of the models has just its categories.
    """
    preset = replace(preset, segmentation=tuple(method.resolved() for method in preset.segmentation))
    if not preset.models:
        return preset
    from .recognition.library import best_available, check_runnable, find_model

    named = preset.models
    names = tuple(map(best_available, named)) if preset.model_choice == "best" else named
    models = [find_model(name) for name in names]
    for model in models:
        check_runnable(model)
    if preset.prevalence and not any(model.states_prevalence_of(dict(preset.prevalence)) for model in models):
        known = "; ".join(f"{model.name}: {', '.join(c.key for c in model.classes)}" for model in models)
        raise InvalidSettingError(
            f"The prevalence is that of {', '.join(key for key, _ in preset.prevalence)}, but no model that learned "
            f"from data has just these categories ({known})."
        )
    return replace(preset, models=names, model_choice="exact")


def _with_drift(now: Provenance, then: Provenance) -> Provenance:
    """Warn of software that differs from that of the record."""
    names = sorted(set(now.software) | set(then.software))
    changed = [name for name in names if now.software.get(name) != then.software.get(name)]
    if not changed:
        return now
    words = ", ".join(
        f"{name} {then.software.get(name, 'none')} then, {now.software.get(name, 'none')} now" for name in changed
    )
    return replace(
        now, warnings=(*now.warnings, f"The record was made with other software: {words}. Results may differ.")
    )


def segmentation_hash(segmentation: Segmentation) -> str:
    """Return one hash for the labelmaps and the meaning of their labels."""
    digest = hashlib.sha256()
    for layer in segmentation.layers:
        digest.update(content_hash(layer).encode())
    for segment in segmentation.segments:
        digest.update(repr((segment.name, segment.label, segment.layer, segment.type, segment.modifier)).encode())
    return digest.hexdigest()


class _Stages:
    """The four stages of one run; each step is timed and recorded with the call that repeats it."""

    def __init__(self, image: MedicalImage, preset: Preset) -> None:
        self.image = image
        self.preset = preset
        self.records: list[StepRecord] = []

    def preprocess(self, pixels: sitk.Image, progress: Progress) -> sitk.Image:
        """Stage 1: apply the steps one after the other."""
        for step, part in _with_parts(self.preset.preprocessing, progress):
            part.step(f"Preprocess: {step.title}")
            pixels = self._record("preprocess", step, partial(step, pixels, part))
        return pixels

    def segment(self, pixels: sitk.Image, progress: Progress) -> Segmentation:
        """Stage 2: each method refines what the one before it found."""
        if not self.preset.segmentation:
            raise InvalidSettingError(
                f"The preset '{self.preset.name}' has no segmentation method: give a segmentation."
            )
        found: Segmentation | None = None
        for method, part in _with_parts(self.preset.segmentation, progress):
            part.step(f"Segment: {method.title}")
            found = self._record("segment", method, partial(method, pixels, found, part))
        return found

    def extract(self, pixels: sitk.Image, segmentation: Segmentation, unit: str, progress: Progress) -> FeatureTable:
        """Stage 3: features of the image, then of each filter's response to it."""
        from .features import extract
        from .features.filters import extract_filtered, side_by_side

        settings, length = self.preset.features, self.image.info.length_unit
        first, *others = progress.parts(1 + len(self.preset.filters))
        first.step("Extract features")
        work = partial(extract, pixels, segmentation, settings, first, length_unit=length, intensity_unit=unit)
        tables = [self._record("features", settings, work)]
        for image_filter, part in zip(self.preset.filters, others, strict=True):
            part.step(f"Extract features: {image_filter.title}")
            work = partial(extract_filtered, pixels, segmentation, (image_filter,), settings, part, length)
            tables.append(self._record("features", image_filter, work))
        return side_by_side(tables)

    def measure(self, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Stage 3, clinical measurements."""
        measured: list[Measurement] = []
        for measure, part in _with_parts(self.preset.measurements, progress):
            part.step(f"Measure: {measure.title}")
            measured += self._record("measure", measure, partial(measure, self.image, segmentation, part))
        return tuple(measured)

    def recognize(
        self,
        processed: sitk.Image,
        segmentation: Segmentation,
        features: FeatureTable,
        measurements: tuple[Measurement, ...],
        progress: Progress,
    ) -> tuple[Recognition, ...]:
        """Stage 4: one recognition per model; without a model, one that says so."""
        if not self.preset.models:
            reason = f"There is no recognition model for the preset '{self.preset.name}': it only measures."
            return (Recognition("", "", "No recognition model", assessed=False, reason=reason),)
        from .recognition import RecognitionCase, load_model, recognize

        case = RecognitionCase(self.image, processed, segmentation, features, measurements)
        recognitions = []
        for name, part in _with_parts(self.preset.models, progress):
            model = load_model(name)
            part.step(f"Recognize: {model.title}")
            started = time.perf_counter()
            stated = dict(self.preset.prevalence)
            prevalence = stated if model.states_prevalence_of(stated) else None
            recognitions.append(recognize(model, case, part, prevalence=prevalence))
            settings = {"model": model.name, "version": model.version}
            call = f"recognize({model.name!r})"
            if prevalence:
                settings["prevalence"], call = prevalence, f"recognize({model.name!r}, prevalence={prevalence!r})"
            self.records.append(StepRecord("recognize", model.name, call, settings, time.perf_counter() - started))
        return tuple(recognitions)

    def _record(self, stage: str, step: Configurable, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        result = work()
        name = step.name or type(step).__name__
        self.records.append(StepRecord(stage, name, repr(step), step.settings(), time.perf_counter() - started))
        return result


def _with_parts(steps: Sequence[Step], progress: Progress) -> Iterator[tuple[Step, Progress]]:
    """Pair each step with its part of the progress."""
    return zip(steps, progress.parts(len(steps)), strict=True) if steps else iter(())


def _with_unit(image: MedicalImage, preset: Preset) -> tuple[MedicalImage, tuple[str, ...]]:
    """Return the image known to be in Hounsfield units if the preset is for CT and its values look so, and a warning.

    A file without a header of its own, such as NIfTI, does not say the unit; without one nothing could be measured.
    """
    info = image.info
    if info.modality or info.intensity_unit or preset.modalities != ("CT",) or not looks_like_hounsfield(image.pixels):
        return image, ()
    words = "The image does not say its unit: its values were taken for Hounsfield units, since they look so."
    return replace(image, info=replace(info, intensity_unit="HU")), (words,)


def _nominal_scale(image: MedicalImage, preset: Preset) -> tuple[float, float, tuple[str, ...]]:
    """Return the factors to and from the nominal unit of length, and the warning that names the assumption."""
    if image.info.spacing_source or preset.nominal_width_mm is None:
        return 1.0, 1.0, ()
    spacing = preset.nominal_width_mm / image.pixels.GetWidth()
    warning = (
        f"Spacing unknown: a field of view {preset.nominal_width_mm:g} mm wide is assumed to scale the filters; "
        "results are in pixels."
    )
    return spacing, 1 / spacing, (warning,)


def _accepted(segmentation: Segmentation, pixels: sitk.Image, factor: float) -> Segmentation:
    """Check that an existing segmentation lies on the image's grid; add structures that it holds in parts."""
    for layer in segmentation.layers:
        if not same_grid(layer, pixels):
            raise GeometryError(
                f"The segmentation does not lie on the image's grid. Segmentation: {describe_grid(layer)}. "
                f"Image: {describe_grid(pixels)}. Resample it onto the image first."
            )
    return _rescaled(with_wholes(segmentation), factor)


def _rescaled(segmentation: Segmentation, factor: float) -> Segmentation:
    if factor == 1:
        return segmentation
    return replace(segmentation, layers=tuple(scaled(layer, factor) for layer in segmentation.layers))
