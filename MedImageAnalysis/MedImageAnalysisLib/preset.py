"""A preset: the validated description of one pipeline, and where presets are found.

A preset is one JSON file: plain values, no code. Files may come from strangers, so everything in them is checked
before use: size, keys, names of steps and methods, types and bounds of every parameter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .analysis import MedicalImage
from .errors import InvalidSettingError, UnknownNameError, UnsuitablePresetError
from .features.clinical import MEASURES, ClinicalMeasure
from .parameters import Configurable
from .preprocessing import STEPS, PreprocessingStep
from .prevalence import checked_prevalence
from .registry import Registry
from .segmentation import METHODS, SegmentationMethod

if TYPE_CHECKING:
    from .features import FeatureSettings
    from .features.filters import ImageFilter

__all__ = ["USER_PRESETS_VARIABLE", "Preset", "available_presets", "check_suits", "load_preset", "suits_modality"]

FORMAT = 1
MAXIMUM_FILE_BYTES = 1_000_000
MAXIMUM_STEPS = 100
USER_PRESETS_VARIABLE = "MEDIMAGE_PRESETS"

# DICOM has several names for plain radiography; a preset for one takes all.
_RADIOGRAPHY = frozenset({"CR", "DX", "DR", "RG", "PX"})


@dataclass(frozen=True)
class Preset:
    """One pipeline: its steps with all parameters, and the images it is meant for.

    Parameters
    ----------
    name, title, description : str
        Machine name, title and one sentence for people.
    modalities, body_parts : tuple of str
        DICOM terms of the images it suits; empty = any.
    dimensions : tuple of int
        2, 3 or both.
    preference : int
        Of several presets that suit an image, the automatic choice takes the one of the highest preference; presets for
        a question that only the user can ask, such as the search for a tumor, have a lower one.
    color : {"refuse", "luminance"}
        What reading does with color images.
    nominal_width_mm : float or None
        Width of the field of view assumed by stages 1 and 2 when an image has no spacing, in millimeters.
    feature_image : {"original", "processed"}
        Whose intensities stage 3 measures.
    filters : tuple of ImageFilter
        Filters whose responses get features too, beside those of the image itself.
    models : tuple of str
        Names of recognition models.
    model_choice : {"best", "exact"}
        Whether a network that is the alternative to a named model is taken where it can run, or just what is named.
    prevalence : tuple of (str, float)
        How common each category of a model is where the image was taken, by its key, for the column of prior-adjusted
        probabilities; it is applied to the models that have just these categories. Empty = not stated.
    """

    name: str
    title: str
    description: str
    preprocessing: tuple[PreprocessingStep, ...]
    segmentation: tuple[SegmentationMethod, ...]
    features: FeatureSettings
    filters: tuple[ImageFilter, ...] = ()
    measurements: tuple[ClinicalMeasure, ...] = ()
    models: tuple[str, ...] = ()
    model_choice: str = "best"
    prevalence: tuple[tuple[str, float], ...] = ()
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    dimensions: tuple[int, ...] = (2, 3)
    preference: int = 0
    color: str = "refuse"
    nominal_width_mm: float | None = None
    feature_image: str = "original"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preset:
        """Make a preset from the plain values of its JSON file, checking all of them."""
        from .features import FeatureSettings

        _check_keys(data)
        name = _text(data, "name")
        return cls(
            name=name,
            title=_text(data, "title"),
            description=_text(data, "description"),
            preprocessing=_steps(data, "preprocessing", "step", STEPS),
            segmentation=_steps(data, "segmentation", "method", METHODS),
            features=FeatureSettings.from_settings(_mapping(data.get("features", {}), "features")),
            filters=_filters(data),
            measurements=_steps(data, "measurements", "measure", MEASURES),
            models=_texts(data, "models"),
            model_choice=_choice(data, "model_choice", ("best", "exact")),
            prevalence=checked_prevalence(_mapping(data.get("prevalence", {}), "prevalence")),
            modalities=_texts(data, "modalities"),
            body_parts=_texts(data, "body_parts"),
            dimensions=_dimensions(data),
            preference=_preference(data),
            color=_choice(data, "color", ("refuse", "luminance")),
            nominal_width_mm=_width(data),
            feature_image=_choice(data, "feature_image", ("original", "processed")),
        )

    def with_choices(self, models: Sequence[str] = (), prevalence: Sequence[tuple[str, float]] = ()) -> Preset:
        """Return the preset with what its user chose: just these models, and this prevalence. Empty = the preset's own.

        A model that was named by its user is taken itself, not the network that is its alternative.
        """
        chosen = replace(self, prevalence=tuple(prevalence) or self.prevalence)
        return replace(chosen, models=tuple(models), model_choice="exact") if models else chosen

    def to_json(self) -> dict[str, Any]:
        """Return the preset as plain JSON values with every default written out; `from_json` makes an equal one."""
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "modalities": list(self.modalities),
            "body_parts": list(self.body_parts),
            "dimensions": list(self.dimensions),
            "preference": self.preference,
            "color": self.color,
            "nominal_width_mm": self.nominal_width_mm,
            "preprocessing": [{"step": step.name, **step.settings()} for step in self.preprocessing],
            "segmentation": [{"method": method.name, **method.settings()} for method in self.segmentation],
            "features": self.features.settings(),
            "feature_image": self.feature_image,
            "filters": [{"filter": image_filter.name, **image_filter.settings()} for image_filter in self.filters],
            "measurements": [{"measure": measure.name, **measure.settings()} for measure in self.measurements],
            "models": list(self.models),
            "model_choice": self.model_choice,
            "prevalence": dict(self.prevalence),
        }


def available_presets() -> tuple[Preset, ...]:
    """Return all presets that ship with the package, then those of the user's folder, each sorted by name.

    The user's folder is named by the environment variable ``MEDIMAGE_PRESETS``.
    """
    return tuple(_read(path) for path in _preset_files().values())


def load_preset(name_or_path: str | os.PathLike) -> Preset:
    """Return the preset of that name, or the one in that JSON file.

    Raises
    ------
    UnknownNameError
        If there is neither such a preset nor such a file.
    InvalidSettingError
        If the file is not a valid preset.
    """
    path = Path(name_or_path)
    if path.suffix == ".json" and path.is_file():
        return _read(path)
    files = _preset_files()
    if str(name_or_path) not in files:
        raise UnknownNameError(f"There is no preset {str(name_or_path)!r:.80}. Known: {', '.join(files)}.")
    return _read(files[str(name_or_path)])


def check_suits(preset: Preset, image: MedicalImage) -> tuple[str, ...]:
    """Refuse an image for which the preset is not meant; return warnings where the image does not say.

    Raises
    ------
    UnsuitablePresetError
        If modality or dimension is known and not among those of the preset.
    """
    dimension = image.pixels.GetDimension()
    if dimension not in preset.dimensions:
        meant = " or ".join(f"{d}D" for d in preset.dimensions)
        raise UnsuitablePresetError(f"The preset '{preset.name}' is for {meant} images, but this one is {dimension}D.")
    warnings = []
    modality = image.info.modality
    if preset.modalities and not modality:
        warnings.append(f"The image does not say its modality: taken for {' or '.join(preset.modalities)}.")
    elif not suits_modality(preset, modality):
        raise UnsuitablePresetError(
            f"The preset '{preset.name}' is for {', '.join(preset.modalities)}, but this image is {modality}. "
            "Choose another preset."
        )
    part = image.info.body_part
    if preset.body_parts and part and part not in preset.body_parts:
        warnings.append(f"The image says body part {part}, but the preset is for {', '.join(preset.body_parts)}.")
    return tuple(warnings)


def suits_modality(preset: Preset, modality: str) -> bool:
    """Tell whether the preset is meant for that DICOM modality; one name of plain radiography stands for all."""
    meant = preset.modalities
    return not meant or modality in meant or (modality in _RADIOGRAPHY and not _RADIOGRAPHY.isdisjoint(meant))


def _preset_files() -> dict[str, Path]:
    """Return preset files by name; a preset of the user may not take the name of one that ships."""
    folders = [Path(str(resources.files(f"{__package__}.presets")))]
    if user_folder := os.environ.get(USER_PRESETS_VARIABLE):
        folders.append(Path(user_folder))
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            files.setdefault(path.stem, path)
    return files


def _read(path: Path) -> Preset:
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise InvalidSettingError(f"{path.name} is larger than {MAXIMUM_FILE_BYTES} bytes: not a preset.")
        data = json.loads(path.read_text(encoding="utf-8"))
        return Preset.from_json(_mapping(data, "preset"))
    except (OSError, ValueError, RecursionError) as problem:
        raise InvalidSettingError(f"Preset file {path.name} cannot be read: {problem}") from problem
    except (InvalidSettingError, UnknownNameError) as problem:
        raise InvalidSettingError(f"Preset file {path.name}: {problem}") from problem


_REQUIRED = frozenset({"format", "name", "title", "description", "preprocessing", "segmentation"})
_KNOWN = _REQUIRED | frozenset(
    {
        "modalities",
        "body_parts",
        "dimensions",
        "preference",
        "color",
        "nominal_width_mm",
        "features",
        "feature_image",
        "filters",
        "measurements",
        "models",
        "model_choice",
        "prevalence",
    }
)


def _check_keys(data: Mapping[str, Any]) -> None:
    missing = sorted(_REQUIRED - set(data))
    if missing:
        raise InvalidSettingError(f"The preset lacks {', '.join(missing)}.")
    unknown = sorted(set(data) - _KNOWN)
    if unknown:
        raise InvalidSettingError(f"The preset has unknown entries: {', '.join(map(str, unknown)):.200}.")
    if data["format"] != FORMAT:
        raise InvalidSettingError(f"The preset's format is {data['format']!r:.20}; this version reads format {FORMAT}.")


def _steps(data: Mapping[str, Any], key: str, name_key: str, registry: Registry) -> tuple[Configurable, ...]:
    entries = data.get(key, [])
    if not isinstance(entries, list) or len(entries) > MAXIMUM_STEPS:
        raise InvalidSettingError(f"'{key}' must be a list of at most {MAXIMUM_STEPS} entries.")
    return tuple(_step(_mapping(entry, key), key, name_key, registry) for entry in entries)


def _step(entry: Mapping[str, Any], key: str, name_key: str, registry: Registry) -> Configurable:
    settings = dict(entry)
    name = settings.pop(name_key, None)
    if not isinstance(name, str):
        raise InvalidSettingError(f"Each entry of '{key}' needs '{name_key}': the name of a {registry.kind}.")
    return registry[name].from_settings(settings)


def _filters(data: Mapping[str, Any]) -> tuple[ImageFilter, ...]:
    if not data.get("filters"):
        return ()
    from .features.filters import FILTERS

    return _steps(data, "filters", "filter", FILTERS)


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidSettingError(f"'{key}' must hold names and values, but is {value!r:.40}.")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value.isprintable() or not value or len(value) > 2000:
        raise InvalidSettingError(f"'{key}' must be a text, but is {value!r:.40}.")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidSettingError(f"'{key}' must be a list of texts, but is {values!r:.80}.")
    return tuple(values)


def _dimensions(data: Mapping[str, Any]) -> tuple[int, ...]:
    values = data.get("dimensions", [2, 3])
    if values not in ([2], [3], [2, 3]):
        raise InvalidSettingError(f"'dimensions' must be [2], [3] or [2, 3], but is {values!r:.40}.")
    return tuple(values)


def _preference(data: Mapping[str, Any]) -> int:
    value = data.get("preference", 0)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 100:
        raise InvalidSettingError(f"'preference' must be a whole number from -100 to 100, but is {value!r:.40}.")
    return value


def _choice(data: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = data.get(key, choices[0])
    if value not in choices:
        raise InvalidSettingError(f"'{key}' must be one of {', '.join(choices)}, but is {value!r:.40}.")
    return value


def _width(data: Mapping[str, Any]) -> float | None:
    value = data.get("nominal_width_mm")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 10_000:
        raise InvalidSettingError(f"'nominal_width_mm' must be from 1 to 10000 mm, but is {value!r:.40}.")
    return float(value)
