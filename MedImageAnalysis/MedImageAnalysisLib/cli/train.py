"""`medimage train` and `medimage evaluate`: a model from one's own labelled images, and figures for any model."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InvalidSettingError
from .bar import progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from ..recognition import Model
    from ..recognition.training.fitting import FitSettings
    from ..recognition.training.judging import Judgement

__all__ = ["add_to"]

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder of 2D images with a table labels.csv (image,label and, if known, group and split), or a CSV or "
        "TSV table of features (label, group, split, and one column per feature).",
    ),
]
Name = Annotated[str, typer.Option("--model", "-m", help="Name of the new model: small letters, digits, hyphens.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder that holds models; default: $MEDIMAGE_MODELS, else the current one."),
]
Title = Annotated[str, typer.Option(help="Title for people; default: the name.")]
Use = Annotated[str, typer.Option("--intended-use", help="What the model is for, in the card.")]
Population = Annotated[str, typer.Option(help="Whose images these are, e.g. 'adults, frontal radiographs'.")]
Licence = Annotated[str, typer.Option(help="Licence of the images.")]
Modality = Annotated[list[str] | None, typer.Option(help="DICOM modality that suits, e.g. US; may be repeated.")]
Copies = Annotated[int, typer.Option(min=0, max=20, help="Varied copies of each training image.")]
Mirror = Annotated[bool, typer.Option(help="Whether a mirrored image is as plausible as the original.")]
Folds = Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-validation.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed and data give the same model.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model (see 'medimage models') or a folder.")]
Plots = Annotated[Path | None, typer.Option("--plots", help="Also draw the plots into this folder.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(train)
    app.command()(evaluate)


def train(
    data: Data,
    model: Name,
    output: Output = None,
    title: Title = "",
    intended_use: Use = "Research; not for diagnosis.",
    population: Population = "not stated",
    licence: Licence = "not stated",
    modality: Modality = None,
    copies: Copies = 1,
    mirror: Mirror = False,
    folds: Folds = 5,
    seed: Seed = 20240501,
) -> None:
    """Train a model on labelled images or a table of features.

    Grouped cross-validation, calibration, prediction sets, and a card with plots. A training on images that was
    interrupted takes up its work when it is started again.
    """
    from ..recognition.library import USER_MODELS_VARIABLE
    from ..recognition.training.fitting import FitSettings
    from ..recognition.training.plots import draw_plots
    from ..recognition.training.table import table_labels, train_from_table

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", model):
        raise InvalidSettingError(f"{model!r:.80} is no name for a model: use small letters, digits and hyphens.")
    place = (output or Path(os.environ.get(USER_MODELS_VARIABLE) or ".")) / model
    if place.exists() and not (place / "model.json").is_file():
        raise InvalidSettingError(f"{place} exists and is not a model. Choose another name or folder.")
    words = {"title": title or model, "intended_use": intended_use, "population": population, "licence": licence}
    words["modalities"] = tuple(modality or ())
    settings = FitSettings(folds=folds, seed=seed)
    if data.is_file():
        made = _train_on_features(data, place, words, settings)
    else:
        labels = table_labels(data)

        def draw(probabilities: np.ndarray, y: np.ndarray) -> Mapping[str, bytes]:
            return draw_plots(probabilities, y, labels)

        with progress_bar() as progress:
            made = train_from_table(
                data, place, settings=settings, copies=copies, mirror=mirror, draw=draw, progress=progress, **words
            )
    for row in made.performance:
        print(f"{row.measure:58} {row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})")
    print(f"\nModel: {place}")
    if os.environ.get(USER_MODELS_VARIABLE) != str(place.parent):
        print(f"To see it in the list of models: set {USER_MODELS_VARIABLE}={place.parent.resolve()}", file=sys.stderr)


def _train_on_features(table: Path, place: Path, words: dict[str, Any], settings: FitSettings) -> Model:
    """Train on a table of features; the model is for images of two and three dimensions."""
    from ..recognition.training.feature_table import read_feature_table, train_from_features
    from ..recognition.training.plots import draw_plots
    from ..recognition.training.table import checked_labels, described_model

    rows = read_feature_table(table)
    labels = checked_labels(rows.labels, table)
    description = described_model(place.name, table.name, labels, dimensions=(2, 3), **words)

    def draw(probabilities: np.ndarray, y: np.ndarray) -> Mapping[str, bytes]:
        return draw_plots(probabilities, y, labels)

    with progress_bar() as progress:
        return train_from_features(rows, place, description, labels, settings, draw, progress)


def evaluate(model: ModelName, data: Data, plots: Plots = None) -> None:
    """Judge a model on a folder of labelled images; the labels are the titles of its categories."""
    import numpy as np

    from ..recognition import load_model
    from ..recognition.training.plots import draw_plots
    from ..recognition.training.table import answers_on_table, judge_on_table

    loaded = load_model(model)
    with progress_bar() as progress:
        answers, cases = answers_on_table(loaded, data, progress.part(0.0, 0.7))
        progress.step("Bootstrap the figures", 0.7)
        judgement = judge_on_table(loaded, answers, cases)
    titles = [category.title for category in loaded.classes]
    _tell(judgement, titles)
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        truth = np.array([case.category for case in cases])
        for name, content in draw_plots(answers.probabilities, truth, titles).items():
            (plots / name).write_bytes(content)
            print(f"  {plots / name}")


def _tell(judgement: Judgement, titles: list[str]) -> None:
    from .listings import print_table

    for name, found in judgement.figures.items():
        print(f"{name:58} {found}")
    rows = [(title, *map(str, row)) for title, row in zip(titles, judgement.confusion, strict=True)]
    print_table(f"{judgement.cases} cases: truth by row, most probable by column", ("", *titles), rows)
