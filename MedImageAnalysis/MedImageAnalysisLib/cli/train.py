"""`medimage train` and `medimage evaluate`: a model from one's own labelled images, and figures for any model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidSettingError
from ..export.atomic import check_folder, filling
from .bar import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..progress import Progress
    from ..recognition import Model
    from ..recognition.training.feature_table import FeatureRows
    from ..recognition.training.judging import Answers, Judgement

__all__ = ["add_to"]

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder of 2D images with a table labels.csv (image,label and, if known, group and split) or with one "
        "subfolder per label; the same with a column segmentation, for images of any dimension; a CSV or TSV table of "
        "features (label, group, split, and one column per feature); or the store of a cohort.",
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
License = Annotated[str, typer.Option("--license", "--licence", help="License of the images.")]
Modality = Annotated[list[str] | None, typer.Option(help="DICOM modality that suits, e.g. US; may be repeated.")]
Copies = Annotated[int, typer.Option(min=0, max=20, help="Varied copies of each training image.")]
Mirror = Annotated[bool, typer.Option(help="Whether a mirrored image is as plausible as the original.")]
Folds = Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-validation.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed and data give the same model.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model (see 'medimage models') or a folder.")]
Label = Annotated[str, typer.Option(metavar="COLUMN", help="Of the table: take this column as the label.")]
StoreLabel = Annotated[str, typer.Option("--label", metavar="COLUMN", help="Of a cohort's table: its labels.")]
Group = Annotated[str, typer.Option(metavar="COLUMN", help="Of the table: what the cases of one patient share.")]
PresetName = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        help="For a table of cases with a column 'segmentation': the preset that prepares and measures the images.",
    ),
]
Plots = Annotated[Path | None, typer.Option("--plots", help="Also draw the plots into this folder.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(train)
    app.command()(evaluate)


def train(
    data: Data,
    model: Name,
    output: Output = None,
    label: Label = "",
    group: Group = "group",
    preset: PresetName = "",
    title: Title = "",
    intended_use: Use = "Research; not for diagnosis.",
    population: Population = "not stated",
    license_: License = "not stated",
    modality: Modality = None,
    copies: Copies = 1,
    mirror: Mirror = False,
    folds: Folds = 5,
    seed: Seed = 20240501,
) -> None:
    """Train a model on labelled images, segmented images, a table of features or the results of a cohort.

    Grouped cross-validation, calibration, prediction sets, and a card with plots. A training on images that was
    interrupted takes up its work when it is started again.
    """
    from ..preset import load_preset
    from ..recognition.library import USER_MODELS_VARIABLE
    from ..recognition.training.fitting import FitSettings
    from ..recognition.training.own_data import ModelWords, Purpose, model_place, train_model

    place = model_place(output or Path(os.environ.get(USER_MODELS_VARIABLE) or "."), model)
    words = ModelWords(title or model, intended_use, population, license_, tuple(modality or ()))
    chosen = load_preset(preset) if preset else None
    purpose = Purpose(label or "label", group, chosen, copies, mirror, FitSettings(folds=folds, seed=seed))
    learned_from, source = _cohort(data, label) if _is_store(data) else (data, "")
    with progress_bar() as progress:
        made = train_model(learned_from, place, words, purpose, progress, source)
    for row in made.performance:
        print(f"{row.measure:58} {row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})")
    print(f"\nModel: {place}")
    if os.environ.get(USER_MODELS_VARIABLE) != str(place.parent):
        print(f"To see it in the list of models: set {USER_MODELS_VARIABLE}={place.parent.resolve()}", file=sys.stderr)


def _is_store(data: Path) -> bool:
    return (data / "store.json").is_file()


def _cohort(store: Path, label: str) -> tuple[FeatureRows, str]:
    """Return the results of a cohort as rows of features, and what they are."""
    from ..cohort.learning import training_rows

    found = training_rows(store, label)
    _say(found.notes)
    return found.rows, f"{store.name}, the results of the preset {found.preset}"


def evaluate(model: ModelName, data: Data, label: StoreLabel = "", plots: Plots = None) -> None:
    """Judge a model on labelled images or the results of a cohort; the labels are the titles of its categories."""
    from ..recognition import load_model
    from ..recognition.training.judging import judge_answers
    from ..recognition.training.plots import draw_plots

    loaded = load_model(model)
    if plots is not None:
        check_folder(plots)
    with progress_bar() as progress:
        answers, y, groups = _answers(loaded, data, label, progress.part(0.0, 0.7))
        progress.step("Bootstrap the figures", 0.7)
        positive = range(1, len(loaded.classes))
        judgement = judge_answers(answers, y, groups, positive, f"not {loaded.classes[0].title}")
    titles = [category.title for category in loaded.classes]
    _tell(judgement, titles)
    if plots is not None:
        drawn = draw_plots(answers.probabilities, y, titles)
        with filling(plots) as aside:
            for name, content in drawn.items():
                (aside / name).write_bytes(content)
        for name in drawn:
            print(f"  {plots / name}")


def _answers(model: Model, data: Path, label: str, progress: Progress) -> tuple[Answers, Sequence[int], Sequence[str]]:
    """Return what a model says of labelled cases, their true categories and their groups."""
    if label and not _is_store(data):
        raise InvalidSettingError(f"--label is for the store of a cohort, which {data.name} is not.")
    if _is_store(data):
        from ..cohort.learning import recorded_answers

        found = recorded_answers(model, data, label)
        _say(found.notes)
        return found.answers, found.y, found.groups
    import numpy as np

    from ..recognition.training.table import answers_on_table

    answers, cases = answers_on_table(model, data, progress)
    return answers, np.array([case.category for case in cases]), [case.group for case in cases]


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(note, file=sys.stderr)


def _tell(judgement: Judgement, titles: list[str]) -> None:
    from .listings import print_table

    for name, found in judgement.figures.items():
        print(f"{name:58} {found}")
    rows = [(title, *map(str, row)) for title, row in zip(titles, judgement.confusion, strict=True)]
    print_table(f"{judgement.cases} cases: truth by row, most probable by column", ("", *titles), rows)
