"""Training as the panel offers it, without Qt: what there is to learn from, in words, and the computation.

What trains is imported when it is needed: opening the panel costs nothing more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ..choice import AUTO
from ..errors import InvalidSettingError, MedImageError
from ..export.tables import Table
from ..preset import load_preset
from ..progress import Progress
from ..recognition import USER_MODELS_VARIABLE, Model, available_models

__all__ = ["Data", "column_names", "data_summary", "models_folder", "training"]

Data = Path | Table


def models_folder() -> Path:
    """Return the folder of the user's own models: that of the environment variable, else one in the home folder."""
    return Path(os.environ.get(USER_MODELS_VARIABLE) or Path.home() / "MedImageAnalysis models")


def column_names(data: Data) -> list[str]:
    """Return the columns of a table, or of the table of cases in a folder; none if the folder has no table."""
    from ..recognition.training.data import TABLE, read_rows

    if isinstance(data, Table):
        return [column.name for column in data.columns]
    rows = read_rows(data / TABLE) if (data / TABLE).is_file() else []
    return list(rows[0]) if rows else []


def data_summary(data: Data, label: str) -> str:
    """Return in words how many cases of each label there are, and what the model would learn from.

    Raises
    ------
    InvalidSettingError
        If there are no labels.
    """
    from ..recognition.training.data import TABLE, has_segmentations, read_rows
    from ..recognition.training.table import folder_labels

    if isinstance(data, Table):
        values = next((column.values for column in data.columns if column.name == label), ())
        return _counted(map(str, values), "Learns from the other columns of the table.")
    labels = folder_labels(data, label)
    if (data / TABLE).is_file():
        source = "the segments' features" if has_segmentations(data) else "the whole images"
        return _counted((row[label] for row in read_rows(data / TABLE)), f"Learns from {source}.")
    names = [name for name in labels for _ in (data / name).glob("[!.]*.*")]
    return _counted(names, "Learns from the whole images; their labels are the names of the subfolders.")


def _counted(labels: Sequence[str], source: str) -> str:
    counts = Counter(labels)
    parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())[:8])
    more = ", …" if len(counts) > 8 else ""
    return f"{sum(counts.values())} cases: {parts}{more}. {source}"


def training(
    data: Data, title: str, folder: Path, label: str = "label", group: str = "group", preset: str = AUTO
) -> Callable[[Progress], Model]:
    """Check what can be checked at once, and return the function that trains; it may run in another thread.

    Parameters
    ----------
    data : Path or Table
        A folder of labelled images, or a table with a row per case.
    title : str
        Of the model; its name is made of it.
    folder : Path
        Where models are kept.
    label, group : str
        Columns of the label, and of what the cases of one patient share; "" for none.
    preset : str
        For segmented images: name of the preset that measures them, or "auto".

    Raises
    ------
    InvalidSettingError
        If there is a model of that name, or the data do not fit.
    """
    from ..recognition.training.feature_table import feature_rows
    from ..recognition.training.own_data import ModelWords, Purpose, model_name, model_place, train_model

    name = model_name(title)
    place = model_place(folder, name)
    taken = {model.name for model in available_models(_ignore)}
    if place.exists() or name in taken:
        raise InvalidSettingError(f"There is a model called '{name}' already. Choose another name for the new one.")
    source = ""
    if isinstance(data, Table):
        source = f"the table '{data.title}'"
        columns = {column.name: column.values for column in data.columns}
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        data = feature_rows(rows, f"The table '{data.title}'", label, group)
    elif not data.is_dir():
        raise InvalidSettingError(f"There is no folder {data}. Choose the folder of the labelled images.")
    purpose = Purpose(label, group, None if preset == AUTO else load_preset(preset))
    return lambda progress: train_model(data, place, ModelWords(title.strip()), purpose, progress, source)


def _ignore(folder: Path, error: MedImageError) -> None:
    """A broken model of the user has no name that could be taken."""
