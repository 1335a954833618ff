"""Stage 4: from a case and a model to a table of calibrated probabilities, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..analysis import CategoryProbability, ImageInfo, Recognition
from ..errors import InvalidModelError, InvalidSettingError, UnsupportedImageError
from ..percent import percent
from ..prevalence import checked_prevalence
from ..progress import Progress
from . import criterion, linear, network
from .assessment import Assessment
from .case import RecognitionCase
from .library import load_model
from .model import Model, Population

__all__ = ["RESEARCH_NOTICE", "recognize"]

RESEARCH_NOTICE = "For research use; not a diagnosis."


def recognize(
    model: Model,
    case: RecognitionCase,
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
    *,
    prevalence: Mapping[str, float] | None = None,
) -> Recognition:
    """Apply `model` to `case`.

    Parameters
    ----------
    model : Model
    case : RecognitionCase
    progress : Progress
    prevalence : mapping of category key to float, optional
        How common each category is where the image was taken; fills the column of prior-adjusted probabilities of
        models that learned from data.

    Returns
    -------
    Recognition
        Not assessed, with the reason, if the image is not one the model is meant for or an input is missing.

    Raises
    ------
    InvalidSettingError
        If `prevalence` does not name each category of the model, or cannot be one; see
        :func:`~MedImageAnalysisLib.prevalence.checked_prevalence`.
    """
    progress.step(f"Recognize: {model.title}")
    local = _prevalence(model, prevalence)
    assessment = _assessment(model, case, local)
    progress.step(fraction=1.0)
    return Recognition(
        model=model.name,
        version=model.version,
        title=model.title,
        assessed=not assessment.reason,
        reason=assessment.reason,
        categories=assessment.categories,
        coverage=model.coverage,
        evidence=assessment.evidence,
        evidence_map=assessment.evidence_map,
        summary=_summary(model, case.image.info, assessment),
        intended_use=model.intended_use,
        references=model.references,
    )


def _assessment(model: Model, case: RecognitionCase, local: Sequence[float] | None) -> Assessment:
    """Return what the model finds, or the reason why it should not or cannot look at this image."""
    reason = _unsuitable(model, case)
    if reason:
        return Assessment(reason=reason)
    try:
        reason = _stopped_at_gate(model, case)
        return Assessment(reason=reason) if reason else _assess(model, case, local)
    except UnsupportedImageError as error:
        return Assessment(reason=str(error))


def _assess(model: Model, case: RecognitionCase, local: Sequence[float] | None) -> Assessment:
    if model.kind == "criterion":
        return criterion.assess(model, case)
    kind = network if model.kind == "onnx" else linear
    return kind.assess(model, case, local)


def _stopped_at_gate(model: Model, case: RecognitionCase) -> str:
    """Return why the model that guards this one refuses the image, or ""."""
    if model.kind == "criterion" or not model.spec.gate:
        return ""
    gate = load_model(model.spec.gate)
    if gate.kind != "linear":
        raise InvalidModelError(f"{model.name}: the gate '{gate.name}' must be a linear model.")
    return _unsuitable(gate, case) or linear.unlike(gate, case)


def _prevalence(model: Model, prevalence: Mapping[str, float] | None) -> tuple[float, ...] | None:
    if prevalence is None:
        return None
    keys = [category.key for category in model.classes]
    shares = dict(checked_prevalence(prevalence))
    if set(shares) != set(keys):
        raise InvalidSettingError(f"Give the prevalence of each of {', '.join(keys)}, and of nothing else.")
    return tuple(shares[key] / sum(shares.values()) for key in keys)


def _unsuitable(model: Model, case: RecognitionCase) -> str:
    """Return why the model is not meant for this image, or ""; what the image does not say is no reason."""
    info, population = case.image.info, model.population
    dimension = case.image.pixels.GetDimension()
    if dimension not in population.dimensions:
        return f"The model is not for {dimension}D images."
    if info.modality and model.modalities and info.modality not in model.modalities:
        return f"The model is for {', '.join(model.modalities)} images, but this is {info.modality}."
    if info.body_part and model.body_parts and info.body_part not in model.body_parts:
        return f"The model is for {', '.join(model.body_parts)}, but the image shows {info.body_part}."
    known = not population.views or info.view in population.views or info.view in population.view_cautions
    if info.view and not known:
        return f"The model is for the view {', '.join(population.views)}, but this is {info.view}."
    return _unsuitable_age(population, info.patient_age_years)


def _unsuitable_age(population: Population, age: float | None) -> str:
    if age is None:
        return ""
    low, high = population.minimum_age_years, population.maximum_age_years
    if (low is not None and age < low) or (high is not None and age > high):
        return f"The model is for {population.description}, but the patient's age is {age:g} years."
    return ""


def _cautions(model: Model, info: ImageInfo) -> tuple[str, ...]:
    """Return what a reader should bear in mind about this image."""
    population = model.population
    found = []
    if population.views and info.view not in population.views and info.view in population.view_cautions:
        found.append(population.view_cautions[info.view])
    bounded = population.minimum_age_years is not None or population.maximum_age_years is not None
    if bounded and info.patient_age_years is None:
        found.append(f"The age is unknown; the model holds for {population.description}.")
    return tuple(found)


def _summary(model: Model, info: ImageInfo, assessment: Assessment) -> str:
    """Return the result in words, in one paragraph."""
    if assessment.reason:
        return f"{model.title}: not assessed. {assessment.reason}"
    top = max(assessment.categories, key=lambda row: row.probability)
    interval = f"{percent(top.lower)} to {percent(top.upper)}"
    parts = [f"{model.title}: {top.category}, probability {percent(top.probability)} (interval {interval})."]
    if assessment.remark:
        parts.append(f"{assessment.remark}.")
    parts.append(_set_in_words(assessment.categories, model.coverage))
    return " ".join((*parts, *_cautions(model, info), RESEARCH_NOTICE))


def _set_in_words(categories: tuple[CategoryProbability, ...], coverage: float) -> str:
    members = [row.category for row in categories if row.in_prediction_set]
    if not members:
        return f"No category is compatible at {percent(coverage)} coverage: the image is not typical of any."
    if len(members) == len(categories):
        return f"No category can be excluded at {percent(coverage)} coverage."
    return f"Compatible at {percent(coverage)} coverage: {', '.join(members)}."
