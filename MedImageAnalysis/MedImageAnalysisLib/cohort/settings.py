"""What is done with every case of a run: the preset, with every choice that depends on the machine, and the program.

The models and engines that a preset uses depend on what is installed. They are looked up once, where the run starts;
every worker does what was decided there, and the next run finds out if it would decide otherwise.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..analysis import MedicalImage
from ..choice import AUTO, choose_preset
from ..preset import Preset, available_presets

__all__ = ["Settings"]

PRESET_CHANGED = "the preset changed"
CHOICES_CHANGED = "the models or engines that the preset uses changed"


@dataclass(frozen=True)
class Settings:
    """What determines the results of a run beside the images.

    Parameters
    ----------
    text : str
        JSON: the preset that was asked for, or "auto"; the presets with their choices made; the hashes of their models.
    code : str
        Fingerprint of the program.
    """

    text: str
    code: str

    @classmethod
    def of(cls, preset: Preset | None, code: str) -> Settings:
        """Return the settings of a preset; None = the automatic choice.

        Raises
        ------
        MedImageError
            If a model is missing, damaged or cannot run here.
        """
        from ..pipeline import resolved

        runs = [resolved(each) for each in ((preset,) if preset else available_presets())]
        models = sorted({name for each in runs for name in each.models})
        values = {
            "asked": preset.to_json() if preset else AUTO,
            "runs": [each.to_json() for each in runs],
            "models": {name: _fingerprint(name) for name in models},
        }
        return cls(json.dumps(values, sort_keys=True), code)

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def color(self) -> str:
        """What reading does with color images."""
        values = _parsed(self.text)
        return "refuse" if values["asked"] == AUTO else values["runs"][0].color

    def preset_for(self, image: MedicalImage) -> Preset:
        """Return the preset for an image; UnsuitablePresetError if the automatic choice is not clear."""
        values = _parsed(self.text)
        if values["asked"] != AUTO:
            return values["runs"][0]
        name = choose_preset(image).preset.name
        return next(preset for preset in values["runs"] if preset.name == name)

    def change_since(self, before: str) -> str:
        """Return why these are other settings than those of an earlier text."""
        try:
            asked = json.loads(before)["asked"]
        except (ValueError, KeyError, TypeError):
            return PRESET_CHANGED
        return CHOICES_CHANGED if asked == json.loads(self.text)["asked"] else PRESET_CHANGED


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    values = json.loads(text)
    return values | {"runs": [Preset.from_json(each) for each in values["runs"]]}


def _fingerprint(model: str) -> str:
    """Return the hash of a model's description, which holds that of its weights; the weights are checked."""
    from ..recognition.library import load_model

    return hashlib.sha256((load_model(model).folder / "model.json").read_bytes()).hexdigest()
