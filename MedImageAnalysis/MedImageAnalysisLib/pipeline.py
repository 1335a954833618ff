"""The only place where the four stages meet: run(image, preset) -> Analysis."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

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
from .errors import GeometryError, InvalidSettingError
from .geometry import describe_grid, resample_segmentation, same_grid, scaled
from .image import content_hash
from .parameters import Configurable
from .preset import Preset, check_suits
from .progress import Progress
from .quality import QualityCase, assess
from .software import software_versions

__all__ = ["repeat", "run", "segmentation_hash"]

Result = TypeVar("Result")


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
    Cancelled
        If the user asked to stop.
    MedImageError
        If a stage refuses the image, with what, where and what to do.
    """
    warnings = image.info.warnings + check_suits(preset, image)
    recorder = _Recorder()
    # Fractions are typical shares of the time, so that the bar moves evenly.
    to_nominal, from_nominal, assumption = _nominal_scale(image, preset)
    working = scaled(image.pixels, to_nominal) if to_nominal != 1 else image.pixels
    working = _preprocess(working, preset, recorder, progress.part(0.0, 0.35))
    if segmentation is None:
        found = _segment(working, preset, recorder, progress.part(0.35, 0.7))
    else:
        found = _accepted(segmentation, image.pixels, to_nominal)
    processed = scaled(working, from_nominal) if from_nominal != 1 else working
    on_processed = _rescaled(found, from_nominal)
    on_input = resample_segmentation(on_processed, image.pixels)
    features = _extract(image, processed, on_input, on_processed, preset, recorder, progress.part(0.7, 0.9))
    measurements = _measure(image, on_input, preset, recorder, progress.part(0.9, 0.95))
    recognitions = _recognize(
        image, processed, on_input, features, measurements, preset, recorder, progress.part(0.95, 1.0)
    )
    quality = assess(QualityCase(image, on_input, measurements))
    progress.step("Done", 1.0)
    provenance = Provenance(
        input_sha256=content_hash(image.pixels),
        preset=preset.to_json(),
        software=software_versions(),
        steps=tuple(recorder.records),
        corrections=image.info.corrections,
        warnings=warnings + assumption,
        segmentation_sha256=segmentation_hash(segmentation) if segmentation else "",
    )
    return Analysis(image, processed, on_input, features, measurements, recognitions, provenance, quality)


def repeat(
    record: Provenance,
    image: MedicalImage,
    *,
    segmentation: Segmentation | None = None,
    progress: Progress = Progress(),  # noqa: B008
) -> Analysis:
    """Run again what a record describes, on the same image; the results are equal bit for bit.

    Raises
    ------
    InvalidSettingError
        If the image (or the existing segmentation) is not the one of the record.
    """
    if content_hash(image.pixels) != record.input_sha256:
        raise InvalidSettingError("This is not the image of the record: pixels or geometry differ.")
    given = segmentation_hash(segmentation) if segmentation else ""
    if given != record.segmentation_sha256:
        raise InvalidSettingError("This is not the existing segmentation of the record: give the same one again.")
    return run(image, Preset.from_json(record.preset), segmentation=segmentation, progress=progress)


def segmentation_hash(segmentation: Segmentation) -> str:
    """Return one hash for the labelmaps and the meaning of their labels."""
    import hashlib

    digest = hashlib.sha256()
    for layer in segmentation.layers:
        digest.update(content_hash(layer).encode())
    for segment in segmentation.segments:
        digest.update(repr((segment.name, segment.label, segment.layer, segment.type, segment.modifier)).encode())
    return digest.hexdigest()


class _Recorder:
    """Times each step and keeps the call that repeats it."""

    def __init__(self) -> None:
        self.records: list[StepRecord] = []

    def __call__(self, stage: str, step: Configurable, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - started
        name = step.name or type(step).__name__
        self.records.append(StepRecord(stage, name, repr(step), step.settings(), seconds))
        return result


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


def _preprocess(image: sitk.Image, preset: Preset, recorder: _Recorder, progress: Progress) -> sitk.Image:
    parts = progress.parts(max(len(preset.preprocessing), 1))
    for step, part in zip(preset.preprocessing, parts, strict=False):
        part.step(f"Preprocess: {step.title}")
        image = recorder("preprocess", step, lambda step=step, part=part, image=image: step(image, part))
    return image


def _segment(image: sitk.Image, preset: Preset, recorder: _Recorder, progress: Progress) -> Segmentation:
    if not preset.segmentation:
        raise InvalidSettingError(f"The preset '{preset.name}' has no segmentation method: give a segmentation.")
    found: Segmentation | None = None
    parts = progress.parts(len(preset.segmentation))
    for method, part in zip(preset.segmentation, parts, strict=True):
        part.step(f"Segment: {method.title}")
        found = recorder("segment", method, lambda method=method, part=part, found=found: method(image, found, part))
    return found


def _accepted(segmentation: Segmentation, pixels: sitk.Image, factor: float) -> Segmentation:
    """Check that an existing segmentation lies on the image's grid."""
    for layer in segmentation.layers:
        if not same_grid(layer, pixels):
            raise GeometryError(
                f"The segmentation does not lie on the image's grid. Segmentation: {describe_grid(layer)}. "
                f"Image: {describe_grid(pixels)}. Resample it onto the image first."
            )
    return _rescaled(segmentation, factor)


def _rescaled(segmentation: Segmentation, factor: float) -> Segmentation:
    if factor == 1:
        return segmentation
    return replace(segmentation, layers=tuple(scaled(layer, factor) for layer in segmentation.layers))


def _extract(
    image: MedicalImage,
    processed: sitk.Image,
    on_input: Segmentation,
    on_processed: Segmentation,
    preset: Preset,
    recorder: _Recorder,
    progress: Progress,
) -> FeatureTable:
    from .features import extract
    from .features.filters import extract_filtered, side_by_side

    progress.step("Extract features")
    original = preset.feature_image == "original"
    pixels = image.pixels if original else processed
    segmentation = on_input if original else resample_segmentation(on_processed, processed)
    unit = image.info.intensity_unit if original else ""

    length = image.info.length_unit
    first, *others = progress.parts(1 + len(preset.filters))

    def plain() -> FeatureTable:
        return extract(pixels, segmentation, preset.features, first, length_unit=length, intensity_unit=unit)

    tables = [recorder("features", preset.features, plain)]
    for image_filter, part in zip(preset.filters, others, strict=True):

        def filtered(filters: tuple = (image_filter,), part: Progress = part) -> FeatureTable:
            return extract_filtered(pixels, segmentation, filters, preset.features, part, length)

        tables.append(recorder("features", image_filter, filtered))
    return side_by_side(tables)


def _measure(
    image: MedicalImage, segmentation: Segmentation, preset: Preset, recorder: _Recorder, progress: Progress
) -> tuple[Measurement, ...]:
    measured: list[Measurement] = []
    for measure, part in zip(preset.measurements, progress.parts(max(len(preset.measurements), 1)), strict=False):
        part.step(f"Measure: {measure.title}")
        found = recorder("measure", measure, lambda measure=measure, part=part: measure(image, segmentation, part))
        measured.extend(found)
    return tuple(measured)


def _recognize(
    image: MedicalImage,
    processed: sitk.Image,
    segmentation: Segmentation,
    features: FeatureTable,
    measurements: tuple[Measurement, ...],
    preset: Preset,
    recorder: _Recorder,
    progress: Progress,
) -> tuple[Recognition, ...]:
    if not preset.models:
        reason = f"The preset '{preset.name}' measures, but no recognition model exists for it."
        return (Recognition("", "", "No recognition model", assessed=False, reason=reason),)
    from .recognition import RecognitionCase, load_model, recognize

    case = RecognitionCase(image, processed, segmentation, features, measurements)
    recognitions = []
    for name, part in zip(preset.models, progress.parts(len(preset.models)), strict=True):
        model = load_model(name)
        part.step(f"Recognize: {model.title}")
        started = time.perf_counter()
        recognitions.append(recognize(model, case, part))
        seconds = time.perf_counter() - started
        settings = {"model": model.name, "version": model.version}
        recorder.records.append(StepRecord("recognize", model.name, f"recognize({model.name!r})", settings, seconds))
    return tuple(recognitions)
