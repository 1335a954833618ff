"""From a recipe and its data to a model folder with network, description and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ....progress import Progress
from ...model import Model
from ..answers import image_answers, with_sets
from ..card import model_card, performance_rows
from ..data import LabelledImage, read_pixels, spread
from ..folder import write_model
from ..judging import Answers, Judgement, judge_answers, judge_pair
from ..strangers import strangers
from .calibrate import Calibration, calibrate
from .canvases import collect
from .fit import restored
from .graph import to_onnx
from .members import LeftOut, left_out, member
from .recipe import NetworkRecipe
from .shift import SHIFTS, shifted

__all__ = ["train", "write_network"]

# Held-out images of which changed copies are judged, at most.
_CHANGED = 300

_SETS = """\
All members together are better than each alone, so prediction sets are calibrated on the held-out images: the threshold
of a category is what {} % of its images reach. The coverage in the table is cross-fitted: that of each tenth of the
groups, by thresholds from the others."""


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
    network = to_onnx([restored(recipe, state) for state in states], recipe.size)
    left = left_out(recipe, collection, states)
    return write_network(recipe, data, output, collection.cases, network, left, progress.part(0.9, 1.0))


def write_network(
    recipe: NetworkRecipe,
    data: Path,
    output: Path,
    cases: Sequence[LabelledImage],
    network: bytes,
    left: LeftOut,
    progress: Progress,
) -> Model:
    """Calibrate a network by what its members say of cases they have never seen, judge it, and write its folder.

    Parameters
    ----------
    output : Path
        The model folder.
    cases : sequence of LabelledImage
        All cases of the collection; those that are held out give the figures.
    network : bytes
        The ONNX file.
    left : LeftOut
        Its rows count in `cases`.
    """
    asked = [cases[row] for row in left.rows]
    categories, groups = np.array([case.category for case in asked]), [case.group for case in asked]
    calibration = calibrate(recipe, left, categories, groups)
    held = [case for case in cases if case.held_out]
    draft = _described(recipe, calibration, len(cases) - len(held))
    model = write_model(output, draft | {"performance": []}, f"# {draft['title']}", network=network)

    progress.step("Judge on held-out images", 0.2)
    images = [read_pixels(case.path) for case in held]
    answers = with_sets(image_answers(model, images), held, recipe.base.settings.coverage)
    draft["onnx"]["set_thresholds"] = list(answers.set_thresholds)
    judgement = _judged(answers, held, recipe)
    sections = [
        *_pair_section(
            recipe,
            draft,
            {"held-out": (answers.probabilities, held)} | {"left-out": (calibration.probabilities, asked)},
        ),
        *_left_out_section(recipe, asked, left, calibration),
        *_shift_section(recipe, model, held, images),
    ]
    flagged = {
        name: float(image_answers(model, others).strange.mean())
        for name, others in strangers(images, data, recipe.base.folder)
    }
    final = draft | {"performance": performance_rows(judgement, f"held-out part of {recipe.base.folder}")}
    card = _card(recipe, final, judgement, sections, flagged, len(network))
    return write_model(output, final, card, network=network)


def _described(recipe: NetworkRecipe, calibration: Calibration, cases: int) -> dict[str, Any]:
    """Return the model.json, still without figures and thresholds of the prediction sets."""
    description = recipe.base.description
    return {
        "format": 1,
        "kind": "onnx",
        **description,
        "name": recipe.name,
        "title": f"{description['title']} (network)",
        "alternative_to": description["name"],
        "references": [text for text in description["references"] if not text.endswith("(features)")]
        + [recipe.words.reference],
        "training": description["training"] | {"cases": cases},
        "coverage": recipe.base.settings.coverage,
        "onnx": {
            "canvas": {"size": recipe.size, "fill_marks": recipe.fill_marks, "cut_frame": recipe.cut_frame},
            "inputs": [],
            "temperature": calibration.temperature,
            "set_thresholds": [0.0] * len(recipe.priors),
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


def _pair_section(
    recipe: NetworkRecipe,
    description: Mapping[str, Any],
    told: Mapping[str, tuple[np.ndarray, Sequence[LabelledImage]]],
) -> list[str]:
    """Return how well the pair of categories is told apart; `told` are probabilities and cases by the kind of image."""
    pair = recipe.base.pair
    if pair is None:
        return []
    rows = []
    for kind, (p, cases) in told.items():
        found = judge_pair(p, np.array([case.category for case in cases]), [case.group for case in cases], pair)
        rows.append(f"| {found.cases} {kind} | {found.auc} | {found.balanced_accuracy} |")
    first, second = (description["classes"][category]["title"] for category in pair)
    return [
        "",
        f"## {second} against {first.lower()}",
        "Images of these two categories only; those left out by single members.",
        "",
        "| images | AUC | balanced accuracy |",
        "|---|---|---|",
        *rows,
    ]


def _left_out_section(
    recipe: NetworkRecipe, cases: Sequence[LabelledImage], left: LeftOut, calibration: Calibration
) -> list[str]:
    strange = left.strangeness > calibration.stranger_limit
    answers = Answers(calibration.probabilities, strange, (0.0,) * len(recipe.priors), recipe.priors)
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
    cases, images = spread(cases, _CHANGED), spread(images, _CHANGED)
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
        "; mean over image and mirror image; "
        f"priors {', '.join(f'{prior:g}' for prior in recipe.priors)}.",
        split=f"{count} images train and calibrate. {judgement.cases} others, of other patients or groups, give the "
        "figures below and the thresholds of the prediction sets.",
        command=recipe.words.command.format(name=recipe.name),
        notes=recipe.base.data_notes,
        known_failures=recipe.known_failures,
        outliers=flagged,
        method=f"{recipe.words.method}\n{_SETS.format(round(100 * description['coverage']))}",
        sections=sections,
    )
