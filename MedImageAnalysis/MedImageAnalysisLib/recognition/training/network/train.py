"""From a recipe and its data to a model folder with network, description and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ....progress import Progress
from ...model import Model
from ..answers import image_answers
from ..card import model_card, performance_rows
from ..data import LabelledImage, read_pixels
from ..folder import write_model
from ..judging import Answers, Judgement, judge_answers
from ..strangers import strangers
from .calibrate import Calibration, calibrate
from .canvases import Collection, collect
from .fit import restored
from .graph import to_onnx
from .members import LeftOut, left_out, member
from .recipe import NetworkRecipe
from .shift import SHIFTS, shifted

__all__ = ["train"]

_ARCHITECTURE = "He K et al. CVPR 2016:770. doi:10.1109/CVPR.2016.90 (residual networks)"
# Held-out images of which changed copies are judged, at most.
_CHANGED = 300
_METHOD = """\
Each member is a small residual network over the image, brought to a square and its pixels to ranks, with a mean
over all places before its last layer. It is trained from random weights on images that are turned, cut, bent, shaded,
blurred, covered in parts and mixed; categories as common as the priors say. Each member leaves out one part of the
training images; what it says of that part gives temperature, prediction sets and limit of strangeness. The
probabilities are the softmax of the mean score of all members; their interval is the range of the members."""


def train(recipe: NetworkRecipe, data: Path, output: Path, work: Path, progress: Progress) -> Model:
    """Train, judge and write the network of `recipe`; members that are stored in `work` are not trained again.

    Raises
    ------
    MissingPackageError
        If PyTorch is not installed.
    """
    collection = collect(recipe, data, work, progress.part(0.0, 0.05))
    share = 0.85 / recipe.members
    states = [
        member(recipe, collection, index, work, progress.part(0.05 + index * share, 0.05 + (index + 1) * share))
        for index in range(recipe.members)
    ]
    progress.step("Calibrate", 0.9)
    left = left_out(recipe, collection, states)
    calibration = calibrate(
        recipe, left, collection.categories[left.rows], [collection.cases[row].group for row in left.rows]
    )
    network = to_onnx([restored(recipe, state) for state in states], recipe.size)
    draft = _described(recipe, calibration, int((~collection.held_out).sum()))
    model = write_model(output, draft | {"performance": []}, f"# {draft['title']}", network=network)

    progress.step("Judge on held-out images", 0.92)
    held = [case for case in collection.cases if case.held_out]
    images = [read_pixels(case.path) for case in held]
    judgement = _judged(image_answers(model, images), held, recipe)
    sections = [
        *_left_out_section(recipe, collection, left, calibration),
        *_shift_section(recipe, model, held, images),
    ]
    flagged = {
        name: float(image_answers(model, others).strange.mean())
        for name, others in strangers(images[:100], data, recipe.base.folder)
    }
    final = draft | {"performance": performance_rows(judgement, f"held-out part of {recipe.base.folder}")}
    card = _card(recipe, final, judgement, sections, flagged, len(network))
    return write_model(output, final, card, network=network)


def _described(recipe: NetworkRecipe, calibration: Calibration, cases: int) -> dict[str, Any]:
    """Return the model.json, still without figures."""
    description = recipe.base.description
    return {
        "format": 1,
        "kind": "onnx",
        **description,
        "name": recipe.name,
        "title": f"{description['title']} (network)",
        "alternative_to": description["name"],
        "references": [text for text in description["references"] if not text.endswith("(features)")] + [_ARCHITECTURE],
        "training": description["training"] | {"cases": cases},
        "coverage": recipe.base.settings.coverage,
        "onnx": {
            "canvas": {"size": recipe.size, "fill_marks": recipe.fill_marks, "trim": recipe.trim},
            "inputs": [],
            "temperature": calibration.temperature,
            "set_thresholds": list(calibration.set_thresholds),
            "stranger_limit": calibration.stranger_limit,
            "priors": list(recipe.priors),
            "mirror": recipe.mirror,
            "gate": "",
        },
    }


def _judged(answers: Answers, cases: Sequence[LabelledImage], recipe: NetworkRecipe, repeats: int = 0) -> Judgement:
    y = np.array([case.category for case in cases])
    groups = [case.group for case in cases]
    base = recipe.base
    return judge_answers(answers, y, groups, base.positive, base.question, repeats or base.settings.repeats)


def _row(name: str, judgement: Judgement, recipe: NetworkRecipe) -> str:
    """Return one row of a table of figures without intervals."""
    question, classes = recipe.base.question, len(recipe.priors)
    wanted = (
        f"AUC, {question}",
        f"Accuracy, {question}",
        f"Sensitivity, {question}",
        f"Specificity, {question}",
        f"Accuracy, {classes} categories",
        "Share flagged as unlike the training data",
    )
    return f"| {name} | " + " | ".join(f"{judgement.figures[figure].value:.3f}" for figure in wanted) + " |"


def _table(recipe: NetworkRecipe) -> list[str]:
    titles = f"AUC | accuracy | sensitivity | specificity | accuracy, {len(recipe.priors)} categories | flagged"
    return [f"| images | {titles} |", "|---" * 7 + "|"]


def _left_out_section(
    recipe: NetworkRecipe, collection: Collection, left: LeftOut, calibration: Calibration
) -> list[str]:
    cases = [collection.cases[row] for row in left.rows]
    strange = left.strangeness > calibration.stranger_limit
    answers = Answers(calibration.probabilities, strange, calibration.set_thresholds, recipe.priors)
    return [
        "",
        "## Left-out parts of the training images",
        f"What each member says of the part that it has never seen ({recipe.parts_in_words}). These figures calibrate:",
        f"they are those of single members. Two classes: {recipe.base.question}.",
        "",
        *_table(recipe),
        _row(f"{len(cases)} left-out images", _judged(answers, cases, recipe, repeats=2), recipe),
    ]


def _shift_section(
    recipe: NetworkRecipe, model: Model, cases: Sequence[LabelledImage], images: Sequence[sitk.Image]
) -> list[str]:
    """Return figures on held-out images that were changed as by another machine; nothing is chosen by them."""
    every = -(-len(cases) // _CHANGED)
    cases, images = cases[::every], images[::every]
    rows = []
    for kind in ("unchanged", *SHIFTS):
        changed = [image if kind == "unchanged" else shifted(image, kind, seed) for seed, image in enumerate(images)]
        # What is flagged would not be assessed; the other figures are of all images.
        rows.append(_row(kind, _judged(image_answers(model, changed), cases, recipe, repeats=2), recipe))
    return [
        "",
        "## Held-out images, changed",
        f"{len(cases)} of them, as another machine or another export would have left them. Two classes: "
        f"{recipe.base.question}.",
        "",
        *_table(recipe),
        *rows,
    ]


def _card(
    recipe: NetworkRecipe,
    description: Mapping[str, Any],
    judgement: Judgement,
    sections: Sequence[str],
    flagged: Mapping[str, float],
    size: int,
) -> str:
    count = description["training"]["cases"]
    number = f"{recipe.members} members, together" if recipe.members > 1 else "1 member,"
    return model_card(
        description,
        judgement,
        features=f"{number} {size / 1e6:.1f} MB; canvas of {recipe.size} x {recipe.size} "
        f"pixels{', burned-in marks filled in' if recipe.fill_marks else ''}"
        f"{', empty margins cut off' if recipe.trim else ''}; mean over image and mirror image; "
        f"priors {', '.join(f'{prior:g}' for prior in recipe.priors)}.",
        split=f"{count} images train and calibrate. {judgement.cases} others, of other patients or groups, give the "
        "figures below.",
        command=f"python -m MedImageAnalysisLib.recognition.training.network {recipe.name} DATA "
        f"--output models/{recipe.name}",
        notes=recipe.base.data_notes,
        known_failures=recipe.known_failures,
        outliers=flagged,
        method=_METHOD,
        sections=sections,
    )
