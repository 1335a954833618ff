"""Find model folders and read them, without running anything of them.

A folder holds `model.json`, `CARD.md` and, for models that learned from data, weights whose SHA-256 is in model.json.
Folders come with the package (`MedImageAnalysisLib/models`) and from the folder named by the environment variable
``MEDIMAGE_MODELS``; both are untrusted.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import InvalidModelError, MedImageError, MissingPackageError, UnknownNameError
from ..networks import networks_available
from ..untrusted_file import checked_file
from .criterion import CriterionSpec
from .linear import LinearSpec
from .model import Category, Model, Performance, Population, Training
from .network import NetworkSpec
from .schema import Fields, parse_json

__all__ = ["USER_MODELS_VARIABLE", "available_models", "best_available", "check_runnable", "find_model", "load_model"]

FORMAT = 1
MAXIMUM_JSON_BYTES = 1_000_000
USER_MODELS_VARIABLE = "MEDIMAGE_MODELS"
_NAME = r"[a-z0-9][a-z0-9-]{0,63}"
_SPECS = {"criterion": CriterionSpec, "linear": LinearSpec, "onnx": NetworkSpec}


def load_model(name_or_path: str | os.PathLike) -> Model:
    """Return the model of that name, or the one in that folder, with its weights checked.

    Raises
    ------
    UnknownNameError
        If there is neither such a model nor such a folder.
    InvalidModelError
        If the folder does not hold a valid model.
    """
    model = find_model(name_or_path)
    if model.weights_file:
        model.weights()
    return model


def find_model(name_or_path: str | os.PathLike) -> Model:
    """Return the model of that name, or the one in that folder, without reading its weights.

    Raises
    ------
    UnknownNameError, InvalidModelError
        As :func:`load_model`.
    """
    return _read(_folder_of(name_or_path))


def best_available(name: str) -> str:
    """Return the name of the model that is best used where `name` is asked for on this machine.

    That is the network that says it is the alternative to it, where the packages that run networks are installed, else
    `name` itself. A model of the user's folder never takes the place of one of the package.

    Raises
    ------
    UnknownNameError
        If there is no model of that name.
    """
    root = _folder_of(name).parent
    if not networks_available():
        return name
    rivals = (model for model in available_models() if model.folder.parent == root)
    return next((model.name for model in rivals if model.alternative_to == name), name)


def check_runnable(model: Model) -> None:
    """Check that the packages that a model needs are installed.

    Raises
    ------
    MissingPackageError
        If it is a network and the packages that run it are not installed.
    """
    if model.kind == "onnx" and not networks_available():
        raise MissingPackageError.of("onnx", "onnx", f"The model '{model.name}', a network,")


def available_models(on_invalid: Callable[[Path, MedImageError], None] | None = None) -> tuple[Model, ...]:
    """Return all models of the package, then those of the user's folder, each sorted by name; no weights are read.

    Parameters
    ----------
    on_invalid : callable, optional
        Called with folder and error for each folder of the user that holds no valid model; without it, a warning is
        given. Such a folder does not hide the others.
    """
    found = []
    for folder in _model_folders().values():
        try:
            found.append(_read(folder))
        except MedImageError as error:
            if on_invalid is None:
                warnings.warn(f"Model folder left out: {error}", stacklevel=2)
            else:
                on_invalid(folder, error)
    return tuple(found)


def _folder_of(name_or_path: str | os.PathLike) -> Path:
    """Return the folder of a model that is named, or the folder itself if it holds one."""
    folders = _model_folders()
    if str(name_or_path) in folders:
        return folders[str(name_or_path)]
    if (Path(name_or_path) / "model.json").is_file():
        return Path(name_or_path)
    raise UnknownNameError(f"There is no model {str(name_or_path)!r:.80}. Known: {', '.join(folders) or 'none'}.")


def _model_folders() -> dict[str, Path]:
    """Return the model folders by name; one of the user's never replaces one of the package."""
    roots = [Path(str(resources.files("MedImageAnalysisLib").joinpath("models")))]
    if os.environ.get(USER_MODELS_VARIABLE):
        roots.append(Path(os.environ[USER_MODELS_VARIABLE]))
    folders: dict[str, Path] = {}
    for root in roots:
        for path in sorted(root.glob("*/model.json")):
            folders.setdefault(path.parent.name, path.parent)
    return folders


def _read(folder: Path) -> Model:
    path = checked_file(folder, "model.json", (".json",))
    if path.stat().st_size > MAXIMUM_JSON_BYTES:
        raise InvalidModelError(f"{folder.name}/model.json is larger than {MAXIMUM_JSON_BYTES:,} bytes.")
    where = f"{folder.name}/model.json"
    fields = Fields(parse_json(path.read_bytes(), where), where)
    if fields.integer("format", 1, 10_000) != FORMAT:
        raise fields.refusal("format", f"must be {FORMAT}: this model needs another version of the program")
    kind = fields.choice("kind", tuple(_SPECS))
    classes = fields.list("classes", _category, least=2, most=50)
    if len({category.key for category in classes}) != len(classes):
        raise fields.refusal("classes", "must have different keys")
    weights_file, weights_sha256 = _weights(fields, _SPECS[kind].suffix)
    model = Model(
        folder=folder,
        kind=kind,
        name=fields.text("name", pattern=_NAME),
        version=fields.text("version", pattern=r"\d{1,6}(\.\d{1,6}){0,3}"),
        title=fields.text("title"),
        modalities=fields.texts("modalities"),
        body_parts=fields.texts("body_parts"),
        population=_population(fields.object("population")),
        classes=classes,
        intended_use=fields.text("intended_use"),
        training=_training(fields.object("training")),
        performance=fields.list("performance", _performance),
        references=fields.texts("references"),
        coverage=fields.number("coverage", 0.5, 0.999),
        spec=_SPECS[kind].read(fields.object(kind), len(classes)),
        weights_file=weights_file,
        weights_sha256=weights_sha256,
        alternative_to=fields.text("alternative_to", "", pattern=f"{_NAME}|") if kind == "onnx" else "",
    )
    fields.done()
    return model


def _category(item: Any, place: str) -> Category:
    fields = Fields(item, place)
    category = Category(fields.text("key", pattern=_NAME), fields.text("title"), fields.code("code"))
    fields.done()
    return category


def _population(fields: Fields) -> Population:
    cautions = fields.object("view_cautions", None)
    texts = cautions.rest() if cautions else {}
    for view, text in texts.items():
        if not isinstance(text, str):
            raise cautions.refusal(view, "must be a text", text)
    population = Population(
        description=fields.text("description"),
        minimum_age_years=fields.number("minimum_age_years", 0, 150, None),
        maximum_age_years=fields.number("maximum_age_years", 0, 150, None),
        dimensions=tuple(int(value) for value in fields.list("dimensions", _dimension, [2, 3], least=1, most=2)),
        views=fields.texts("views", ()),
        view_cautions=texts,
    )
    fields.done()
    return population


def _dimension(item: Any, place: str) -> int:
    return Fields({"dimension": item}, place).integer("dimension", 2, 3)


def _training(fields: Fields) -> Training:
    training = Training(fields.text("data"), fields.text("licence"), fields.integer("cases", 0, 10**9, 0))
    fields.done()
    return training


def _performance(item: Any, place: str) -> Performance:
    fields = Fields(item, place)
    performance = Performance(
        fields.text("measure"),
        fields.number("value"),
        fields.number("lower", default=None),
        fields.number("upper", default=None),
        fields.text("data"),
    )
    fields.done()
    return performance


def _weights(fields: Fields, suffix: str) -> tuple[str, str]:
    weights = fields.object("weights", None)
    if weights is None:
        if suffix:
            raise fields.refusal("weights", "is missing")
        return "", ""
    if not suffix:
        raise fields.refusal("weights", "has no place in a model that uses none")
    pattern = r"[A-Za-z0-9_-]{1,64}" + re.escape(suffix)
    found = weights.text("file", pattern=pattern), weights.text("sha256", pattern=r"[0-9a-f]{64}")
    weights.done()
    return found
