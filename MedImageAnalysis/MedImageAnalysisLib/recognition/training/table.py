"""Train and judge a model from one's own images: a folder with a table of cases, `labels.csv`.

The table has the columns `image` (path within the folder), `label`, `group` (images of one patient share it) and
`split` ("train" or "val"; the images of "val" are kept for the figures).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import InvalidModelError, InvalidSettingError
from ...progress import Progress
from ..descriptors import ImageDescriptor
from ..descriptors.scattering import Scattering
from ..linear import describe
from ..model import Model
from .data import from_table, read_pixels
from .fitting import FitSettings
from .images import train
from .judging import Judgement, judge
from .recipe import Recipe

__all__ = ["evaluate_on_table", "train_from_table"]


def train_from_table(
    folder: Path,
    output: Path,
    *,
    title: str,
    intended_use: str,
    population: str,
    licence: str,
    modalities: Sequence[str] = (),
    descriptors: tuple[ImageDescriptor, ...] = (Scattering(),),
    settings: FitSettings = FitSettings(),  # noqa: B008  frozen, so safe to share
    copies: int = 1,
    mirror: bool = False,
    progress: Progress = Progress(),  # noqa: B008
) -> Model:
    """Train a linear image model on the images of `folder` and write it to the folder `output`, whose name it takes.

    Parameters
    ----------
    title, intended_use, population, licence : str
        For the model card; say whose images they are and what may be done with them.
    modalities : sequence of str
        DICOM modalities that suit; empty = any.
    copies : int
        Augmented copies of each training image.
    mirror : bool
        Whether a mirrored image is as plausible as the original.

    Raises
    ------
    UnreadableImageError, InvalidSettingError
        If the table or an image does not fit.
    """
    labels = _labels(folder)
    recipe = Recipe(
        description={
            "name": output.name,
            "version": "1.0.0",
            "title": title,
            "modalities": list(modalities),
            "body_parts": [],
            "population": {"description": population, "dimensions": [2]},
            "classes": [{"key": _key(label), "title": label, "code": None} for label in labels],
            "intended_use": intended_use,
            "training": {"data": folder.name, "licence": licence},
            "references": [],
        },
        read=lambda place: from_table(place, labels),
        folder=folder.name,
        descriptors=descriptors,
        positive=tuple(range(1, len(labels))),
        question=f"not {labels[0]}",
        settings=settings,
        copies=copies,
        mirror=mirror,
    )
    return train(recipe, folder.parent, output, output.parent / f".{output.name}-work", progress)


def evaluate_on_table(model: Model, folder: Path, repeats: int = 1000) -> Judgement:
    """Return the figures of a linear image model on all images of a folder with a table; the labels are its titles.

    Raises
    ------
    InvalidModelError
        If the model needs more than the image.
    """
    if model.kind != "linear" or model.spec.inputs:
        raise InvalidModelError(f"{model.name} needs segmented cases: evaluate it through the pipeline.")
    cases = from_table(folder, [category.title for category in model.classes])
    x = np.array([describe(model.spec.descriptors, read_pixels(case.path)) for case in cases])
    y = np.array([case.category for case in cases])
    positive = range(1, len(model.classes))
    return judge(model, x, y, [case.group for case in cases], positive, f"not {model.classes[0].title}", repeats)


def _labels(folder: Path) -> list[str]:
    table = folder / "labels.csv"
    if not table.is_file():
        raise InvalidSettingError(f"There is no table of cases {table}. Make one with: image,label,group,split.")
    with table.open(encoding="utf-8", newline="") as stream:
        labels = sorted({row.get("label") or "" for row in csv.DictReader(stream)})
    if not 2 <= len(labels) <= 50 or "" in labels or len({_key(label) for label in labels}) != len(labels):
        raise InvalidSettingError(f"{table} must name 2 to 50 different labels, one for each image.")
    return labels


def _key(label: str) -> str:
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in label.lower()).split())[:64] or "x"
