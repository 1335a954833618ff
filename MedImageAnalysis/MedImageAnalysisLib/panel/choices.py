"""What the panel offers to choose from: presets, models, and a prevalence of the categories that they tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..choice import AUTO
from ..errors import MedImageError
from ..preset import Preset, available_presets
from ..recognition import Model, available_models
from .rich_text import prevalence_hint, steps_text

__all__ = ["Choices"]


class Choices:
    """Binds the lists and their explanations.

    Parameters
    ----------
    ui : object
        Has the panel's widgets as attributes.
    say : callable
        Told in words which model cannot be read.
    """

    def __init__(self, ui: Any, say: Callable[[str], None]) -> None:
        self.ui, self._say = ui, say
        self._presets: dict[str, Preset] = {}
        self._models: dict[str, Model] = {}

    def fill_presets(self) -> None:
        """Offer what the library has."""
        combo = self.ui.presetComboBox
        combo.addItem(_("Choose automatically"), AUTO)
        self._presets = {preset.name: preset for preset in available_presets()}
        for preset in self._presets.values():
            combo.addItem(preset.title, preset.name)
            combo.setItemData(combo.count - 1, preset.description, qt.Qt.ToolTipRole)

    def fill_models(self) -> None:
        """Offer the models that are here: those of the package, and the user's."""
        combo = self.ui.modelComboBox
        combo.blockSignals(True)
        combo.clear()
        combo.addItem(_("Those of the preset"), "")
        self._models = {model.name: model for model in available_models(self._tell)}
        for model in self._models.values():
            combo.addItem(model.title, model.name)
            combo.setItemData(combo.count - 1, model.intended_use, qt.Qt.ToolTipRole)
        combo.blockSignals(False)

    def show(self, preset_name: str, model_name: str) -> None:
        """Show the chosen preset with its steps, and the chosen model; none is shown if it is not here."""
        ui, preset = self.ui, self._presets.get(preset_name)
        index = ui.presetComboBox.findData(preset_name)
        ui.presetComboBox.setCurrentIndex(index)
        ui.modelComboBox.setCurrentIndex(ui.modelComboBox.findData(model_name))
        if preset:
            description = preset.description
        elif index >= 0:
            description = _("By the image's modality, body part and dimension; asks you when they do not tell.")
        else:
            description = _("The preset '{name}' is not installed here.").format(name=preset_name)
        ui.presetDescriptionLabel.text = description
        ui.stepsTextEdit.setPlainText(steps_text(preset) if preset else "")
        names = (model_name,) if model_name else preset.models if preset else ()
        models = [self._models[name] for name in names if name in self._models]
        hint = prevalence_hint(models)
        example = _("Example: {hint}").format(hint=hint) if hint else ""
        ui.prevalenceLineEdit.placeholderText = f"{_('Not stated.')} {example}".strip()

    def _tell(self, folder: Any, error: MedImageError) -> None:
        self._say(str(error))
