"""Train and judge a model from one's own images: a folder with a table of cases, or with one subfolder per label.

The table, `labels.csv`, has the columns `image` (path within the folder), `label`, `group` (images of one patient
share it) and `split` ("train" or "val"; the images of "val" are kept for the figures). Without groups, near-duplicate
images form them; without splits, a fifth of the groups is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InvalidSettingError
from ...progress import Progress
from ..descriptors import ImageDescriptor
from ..descriptors.scattering import Scattering
from ..model import Model
from .answers import check_judged_by_image, image_answers
from .data import GROUP, HELD_OUT, SPLIT_SEED, TABLE, LabelledImage, from_folders, from_table, read_pixels, read_rows
from .fitting import FitSettings
from .images import Drawing, train
from .judging import Answers, Judgement, judge_answers
from .recipe import Recipe

__all__ = [
    "answers_on_table",
    "check_enough",
    "checked_labels",
    "described_model",
    "evaluate_on_table",
    "folder_labels",
    "judge_on_table",
    "labelled_cases",
    "train_from_table",
]


def train_from_table(
    folder: Path,
    output: Path,
    *,
    title: str,
    intended_use: str,
    population: str,
    licence: str,
    modalities: Sequence[str] = (),
    label: str = "label",
    group: str = GROUP,
    descriptors: tuple[ImageDescriptor, ...] = (Scattering(),),
    settings: FitSettings = FitSettings(),  # noqa: B008  frozen, so safe to share
    copies: int = 1,
    mirror: bool = False,
    draw: Drawing | None = None,
    progress: Progress = Progress(),  # noqa: B008
) -> Model:
    """Train a linear image model on the images of `folder` and write it to the folder `output`, whose name it takes.

    Parameters
    ----------
    title, intended_use, population, licence : str
        For the model card; say whose images they are and what may be done with them.
    modalities : sequence of str
        DICOM modalities that suit; empty = any.
    label, group : str
        Columns of the table that hold the label, and what images of one patient share.
    copies : int
        Augmented copies of each training image.
    mirror : bool
        Whether a mirrored image is as plausible as the original.
    draw : callable, optional
        Makes plots for the card, by file name, of the probabilities and true categories of the held-out images.

    Raises
    ------
    UnreadableImageError, InvalidSettingError
        If the table or an image does not fit, or there are too few groups of a category.
    """
    labels, cases = labelled_cases(folder, label, group)
    categories, groups, held_out = zip(*((case.category, case.group, case.held_out) for case in cases), strict=True)
    check_enough(categories, groups, held_out, labels, settings.folds)
    recipe = Recipe(
        description=described_model(
            output.name, folder.name, labels, title, intended_use, population, licence, modalities, dimensions=(2,)
        ),
        read=lambda _: cases,
        folder=folder.name,
        descriptors=descriptors,
        positive=tuple(range(1, len(labels))),
        question=f"not {labels[0]}",
        settings=settings,
        copies=copies,
        mirror=mirror,
    )
    work = output.parent / f".{output.name}-work"
    model = train(recipe, folder.parent, output, work, progress, draw)
    shutil.rmtree(work, ignore_errors=True)
    return model


def described_model(
    name: str,
    data: str,
    labels: Sequence[str],
    title: str,
    intended_use: str,
    population: str,
    licence: str,
    modalities: Sequence[str],
    dimensions: Sequence[int],
) -> dict[str, Any]:
    """Return the part of a model.json that the user knows before training."""
    return {
        "name": name,
        "version": "1.0.0",
        "title": title,
        "modalities": list(modalities),
        "body_parts": [],
        "population": {"description": population, "dimensions": list(dimensions)},
        "classes": [{"key": _key(label), "title": label, "code": None} for label in labels],
        "intended_use": intended_use,
        "training": {"data": data, "licence": licence},
        "references": [],
    }


def evaluate_on_table(
    model: Model,
    folder: Path,
    repeats: int = 1000,
    progress: Progress = Progress(),  # noqa: B008
) -> Judgement:
    """Return the figures of an image model on all images of a folder, see :func:`answers_on_table`.

    Raises
    ------
    InvalidModelError
        If the model needs more than the image.
    """
    return judge_on_table(model, *answers_on_table(model, folder, progress), repeats)


def judge_on_table(model: Model, answers: Answers, cases: Sequence[LabelledImage], repeats: int = 1000) -> Judgement:
    """Return the figures of what `model` says of the cases; every category but the first is positive."""
    y = np.array([case.category for case in cases])
    positive = range(1, len(model.classes))
    return judge_answers(answers, y, [case.group for case in cases], positive, f"not {model.classes[0].title}", repeats)


def answers_on_table(
    model: Model,
    folder: Path,
    progress: Progress = Progress(),  # noqa: B008
) -> tuple[Answers, tuple[LabelledImage, ...]]:
    """Return what `model` says of each image of a folder with a table or subfolders, and the cases.

    The labels are the titles of the model's categories.

    Raises
    ------
    InvalidModelError
        If the model needs more than the image.
    InvalidSettingError
        If a label is none of its categories.
    """
    check_judged_by_image(model)
    cases = _cases_of(folder, [category.title for category in model.classes])
    found = []
    for index, case in enumerate(cases):
        progress.step(f"Recognize image {index + 1} of {len(cases)}", index / len(cases))
        found.append(image_answers(model, [read_pixels(case.path)]))
    probabilities = np.concatenate([answers.probabilities for answers in found])
    strange = np.concatenate([answers.strange for answers in found])
    return replace(found[0], probabilities=probabilities, strange=strange), cases


def check_enough(
    categories: Sequence[int], groups: Sequence[str], held_out: Sequence[bool], labels: Sequence[str], folds: int
) -> None:
    """Refuse collections that cannot be cross-validated and judged.

    Raises
    ------
    InvalidSettingError
        If a category has fewer groups than folds, none is held out, or a group is on both sides.
    """
    found = set(zip(categories, groups, map(bool, held_out), strict=True))
    for index, label in enumerate(labels):
        fit, held = (sum(k == index and out == side for k, _, out in found) for side in (False, True))
        if fit < folds or held < 1:
            raise InvalidSettingError(
                f"The label '{label}' has {fit} groups (patients) to train on and {held} held out for the figures; at "
                f"least {folds} and 1 are needed. Add cases or change the column 'split'."
            )
    both = {group for _, group, out in found if out} & {group for _, group, out in found if not out}
    if both:
        raise InvalidSettingError(f"{len(both)} groups are on both sides of the split, e.g. {min(both)!r:.40}.")


def labelled_cases(
    folder: Path, label: str = "label", group: str = GROUP
) -> tuple[list[str], tuple[LabelledImage, ...]]:
    """Return the labels in alphabetical order, and the cases of a folder's table or, without one, of its subfolders.

    Raises
    ------
    InvalidSettingError
        If there is neither a table nor a subfolder of images for each of at least two labels.
    """
    labels = folder_labels(folder, label)
    return labels, _listed(folder, labels, label, group)


def _cases_of(folder: Path, labels: Sequence[str]) -> tuple[LabelledImage, ...]:
    """Return the cases of a folder, all of which must have one of the labels."""
    if not (folder / TABLE).is_file():
        unknown = set(folder_labels(folder)) - set(labels)
        if unknown:
            names, known = ", ".join(sorted(unknown))[:200], ", ".join(labels)
            raise InvalidSettingError(f"{folder} has subfolders that are none of the labels {known}: {names}.")
    return _listed(folder, labels)


def _listed(folder: Path, labels: Sequence[str], label: str = "label", group: str = GROUP) -> tuple[LabelledImage, ...]:
    if (folder / TABLE).is_file():
        return from_table(folder, labels, label=label, group=group)
    return from_folders(folder, labels, held_out=HELD_OUT, seed=SPLIT_SEED)


def folder_labels(folder: Path, label: str = "label") -> list[str]:
    """Return the labels of a folder in alphabetical order: those of its table, or the names of its subfolders."""
    table = folder / TABLE
    if table.is_file():
        return checked_labels((row.get(label, "") for row in read_rows(table)), table)
    names = [path.name for path in folder.glob("[!.]*") if path.is_dir() and any(path.glob("[!.]*.*"))]
    if len(names) < 2:
        raise InvalidSettingError(
            f"There is no table of cases {table}, nor a subfolder of images for each label. Make a table with the "
            "columns image,label,group,split, or put the images into subfolders such as normal and pneumonia."
        )
    return checked_labels(names, folder)


def checked_labels(found: Iterable[str], table: Path) -> list[str]:
    """Return the different labels in alphabetical order, or refuse them.

    Raises
    ------
    InvalidSettingError
        If there are not 2 to 50, or one is empty.
    """
    labels = sorted(set(found))
    if not 2 <= len(labels) <= 50 or "" in labels or len({_key(label) for label in labels}) != len(labels):
        raise InvalidSettingError(f"{table} must name 2 to 50 different labels, one for each case.")
    return labels


def _key(label: str) -> str:
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in label.lower()).split())[:64] or "x"
