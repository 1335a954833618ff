"""Ask image models of either kind about images, as `recognize` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from ...errors import InvalidModelError
from ..linear import describe
from ..model import Model
from ..network import run_network
from .conformal import cross_fitted_sets, set_thresholds
from .data import LabelledImage
from .judging import Answers, predicted

__all__ = ["check_judged_by_image", "image_answers", "with_sets"]


def image_answers(model: Model, images: Sequence[sitk.Image]) -> Answers:
    """Return what a model that looks at nothing but the image says of each of `images`.

    Raises
    ------
    InvalidModelError
        If the model needs more than the image.
    MissingPackageError
        If it is a network and the packages that run it are not installed.
    """
    check_judged_by_image(model)
    found = _from_network(model, images) if model.kind == "onnx" else _from_descriptors(model, images)
    return Answers(*found, model.spec.set_thresholds, model.spec.priors)


def check_judged_by_image(model: Model) -> None:
    """Refuse a model that looks at anything but the image, before any image is read.

    Raises
    ------
    InvalidModelError
        If it needs more.
    """
    if model.kind not in ("linear", "onnx") or model.spec.inputs:
        raise InvalidModelError(f"{model.name} needs segmented cases: evaluate it through the pipeline.")


def with_sets(answers: Answers, cases: Sequence[LabelledImage], coverage: float) -> Answers:
    """Return the answers on `cases` with thresholds of prediction sets that follow from these, and cross-fitted sets.

    For networks: their members learned from all other images, so that only those held out tell what all together say
    of images that none has seen.
    """
    y, groups = np.array([case.category for case in cases]), [case.group for case in cases]
    return replace(
        answers,
        set_thresholds=set_thresholds(answers.probabilities, y, coverage),
        sets=cross_fitted_sets(answers.probabilities, y, groups, coverage),
    )


def _from_descriptors(model: Model, images: Sequence[sitk.Image]) -> tuple[np.ndarray, np.ndarray]:
    return predicted(model, np.array([describe(model.spec.descriptors, image) for image in images]))


def _from_network(model: Model, images: Sequence[sitk.Image]) -> tuple[np.ndarray, np.ndarray]:
    spec, network = model.spec, model.weights()
    canvases = (spec.canvas_of(spec.shown(image)) for image in images)
    found = [run_network(network, canvas, spec.mirror, None) for canvas in canvases]
    limit = np.inf if spec.stranger_limit is None else spec.stranger_limit
    probabilities = np.array([output.probabilities(spec.temperature) for output in found])
    return probabilities, np.array([output.strangeness > limit for output in found])
