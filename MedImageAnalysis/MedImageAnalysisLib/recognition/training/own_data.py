"""A model from one's own data, whatever its form: what the command line and the panel share.

The data are a folder of labelled images, a folder of labelled images with segmentations, or a table of features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...errors import InvalidSettingError
from ...preset import Preset
from ...progress import Progress
from ...software import installed_version
from ..model import Model
from .data import GROUP, has_segmentations
from .feature_table import FeatureRows, read_feature_table, train_from_features
from .fitting import FitSettings
from .images import Drawing
from .segmented import segmented_rows
from .table import checked_labels, described_model, folder_labels, train_from_table

__all__ = ["ModelWords", "Purpose", "model_name", "model_place", "train_model"]

_NAME = r"[a-z0-9][a-z0-9-]{0,63}"


@dataclass(frozen=True)
class ModelWords:
    """What a model card says of the model that no data can tell."""

    title: str
    intended_use: str = "Research; not for diagnosis."
    population: str = "not stated"
    licence: str = "not stated"
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Purpose:
    """How the data are to be read and learned from.

    Parameters
    ----------
    label, group : str
        Columns of the label, and of what cases of one patient share.
    preset : Preset, optional
        For segmented images: how each is prepared and measured. Without one, it is chosen by the first image.
    copies : int
        Augmented copies of each training image, where whole images are learned from.
    mirror : bool
        Whether a mirrored image is as plausible as the original.
    fit : FitSettings
    """

    label: str = "label"
    group: str = GROUP
    preset: Preset | None = None
    copies: int = 1
    mirror: bool = False
    fit: FitSettings = FitSettings()  # noqa: RUF009  frozen, so safe to share


def model_name(title: str) -> str:
    """Return a name for a model with this title: small letters, digits and hyphens.

    Raises
    ------
    InvalidSettingError
        If nothing of the title is left.
    """
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:64].strip("-")
    if not name:
        raise InvalidSettingError("The model needs a name with letters or digits, e.g. Nodules of our hospital.")
    return name


def model_place(folder: Path, name: str) -> Path:
    """Return the folder of a model of this name.

    Raises
    ------
    InvalidSettingError
        If the name is none for a model, or the folder exists and is no model.
    """
    if not re.fullmatch(_NAME, name):
        raise InvalidSettingError(f"{name!r:.80} is no name for a model: use small letters, digits and hyphens.")
    place = folder / name
    if place.exists() and not (place / "model.json").is_file():
        raise InvalidSettingError(f"{place} exists and is not a model. Choose another name or folder.")
    return place


def train_model(
    data: Path | FeatureRows,
    place: Path,
    words: ModelWords,
    purpose: Purpose = Purpose(),
    progress: Progress = Progress(),  # noqa: B008
    source: str = "",
) -> Model:
    """Train a model, judge it on cases that are held out, and write it with its card to the folder `place`.

    Plots stand in the card if matplotlib is installed.

    Parameters
    ----------
    data : Path or FeatureRows
        A folder of images with a table `labels.csv` or one subfolder per label; if the table has a column
        `segmentation`, the model learns from the features of the segments. Or a table of features, as a file or read.
    place : Path
        Its name becomes the model's; see :func:`model_place`.
    source : str
        What rows that were read are, for the card.

    Raises
    ------
    InvalidSettingError, UnreadableImageError
        If the data do not fit, or there are too few cases.
    Cancelled
        If the user asked to stop; nothing is written then.
    """
    if isinstance(data, FeatureRows):
        return _train_on_rows(data, source or "a table of features", place, words, purpose, progress)
    if data.is_file():
        rows = read_feature_table(data, purpose.label, purpose.group)
        return _train_on_rows(rows, data.name, place, words, purpose, progress)
    labels = folder_labels(data, purpose.label)
    if has_segmentations(data):
        rows, notes = segmented_rows(data, purpose.preset, purpose.label, purpose.group, progress.part(0.0, 0.8))
        return _train_on_rows(rows, data.name, place, words, purpose, progress.part(0.8, 1.0), notes)
    return train_from_table(
        data,
        place,
        **asdict(words),
        label=purpose.label,
        group=purpose.group,
        settings=purpose.fit,
        copies=purpose.copies,
        mirror=purpose.mirror,
        draw=_drawing(labels),
        progress=progress,
    )


def _train_on_rows(
    rows: FeatureRows,
    source: str,
    place: Path,
    words: ModelWords,
    purpose: Purpose,
    progress: Progress,
    notes: Sequence[str] = (),
) -> Model:
    labels = checked_labels(rows.labels, source)
    description = described_model(place.name, source, labels, **asdict(words), dimensions=(2, 3))
    return train_from_features(rows, place, description, labels, purpose.fit, _drawing(labels), progress, notes)


def _drawing(labels: Sequence[str]) -> Drawing | None:
    """Return what draws the plots of the card, or None where matplotlib is missing, which Slicer does not bundle."""
    if not installed_version("matplotlib"):
        return None

    def draw(probabilities: np.ndarray, y: np.ndarray) -> Mapping[str, bytes]:
        from .plots import draw_plots

        return draw_plots(probabilities, y, labels)

    return draw
