"""The section "Train a model" of the panel: data, columns, name, folder, one button, figures."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctk
import slicer
from slicer.i18n import tr as _

from ..errors import MedImageError
from ..recognition import USER_MODELS_VARIABLE, Model
from .rich_text import model_html
from .task_controls import Job, TaskControls
from .training import Data, column_names, data_summary, models_folder

__all__ = ["TrainingSection"]

MODELS_SETTING = "MedImageAnalysis/ModelsFolder"


class TrainingSection:
    """Binds the widgets of the section to the logic.

    Parameters
    ----------
    ui : object
        Has the panel's widgets as attributes.
    logic : MedImageAnalysisLogic
    preset : callable
        Returns the name of the chosen preset: it measures images that come with segmentations.
    ensure_packages : callable
        Called before a training, to install what is missing.
    models_changed : callable
        Called when there may be other models than before.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        preset: Callable[[], str],
        ensure_packages: Callable[[], None],
        models_changed: Callable[[], None],
    ) -> None:
        self.ui = ui
        self._logic, self._preset = logic, preset
        self._ensure_packages, self._models_changed = ensure_packages, models_changed
        job = Job(
            text=_("Train"),
            tool_tip=_("Cross-validate, fit and judge a model; this takes from seconds to some minutes."),
            failed=_("The training failed."),
            missing=self._missing,
            begin=self._begin,
            end=self._end,
        )
        bar, status = ui.trainingProgressBar, ui.trainingStatusLabel
        self.controls = TaskControls(job, ui.trainButton, bar, status, ui.trainingInputsWidget)
        for edit in (ui.trainingFolderPathLineEdit, ui.modelsFolderPathLineEdit):
            edit.filters = ctk.ctkPathLineEdit.Dirs
        ui.modelsFolderPathLineEdit.currentPath = str(self._remembered_folder())
        ui.trainingFolderPathLineEdit.connect("currentPathChanged(QString)", self.show_data)
        ui.trainingTableSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.show_data)
        ui.labelColumnComboBox.connect("currentIndexChanged(int)", self.show_summary)
        ui.modelTitleLineEdit.connect("textChanged(QString)", self.controls.update)
        ui.modelsFolderPathLineEdit.connect("currentPathChanged(QString)", self.keep_models_folder)
        self.show_data()

    def data(self) -> Data | None:
        """Return what to learn from, or None if nothing is chosen."""
        from ..mrml import tableFromNode

        node = self.ui.trainingTableSelector.currentNode()
        if node:
            return tableFromNode(node)
        path = self.ui.trainingFolderPathLineEdit.currentPath
        return Path(path) if path else None

    def show_data(self) -> None:
        """Offer the columns of the chosen data."""
        ui, found = self.ui, self._columns()
        ui.trainingFolderPathLineEdit.enabled = not ui.trainingTableSelector.currentNode()
        for combo in (ui.labelColumnComboBox, ui.groupColumnComboBox):
            combo.blockSignals(True)
            combo.clear()
        if not found:
            ui.labelColumnComboBox.addItem(_("Names of the subfolders"), "label")
        ui.groupColumnComboBox.addItem(_("None: each case is a patient; similar images stay together"), "")
        for name in found:
            ui.labelColumnComboBox.addItem(name, name)
            ui.groupColumnComboBox.addItem(name, name)
        for combo, usual in ((ui.labelColumnComboBox, "label"), (ui.groupColumnComboBox, "group")):
            combo.setCurrentIndex(max(combo.findData(usual), 0))
            combo.enabled = bool(found)
            combo.blockSignals(False)
        self.show_summary()

    def show_summary(self) -> None:
        """Say how many cases of each label there are, or what is wrong with the data."""
        try:
            data = self.data()
            text = data_summary(data, self.ui.labelColumnComboBox.currentData) if data else ""
        except (MedImageError, OSError) as error:
            text = str(error)
        self.ui.trainingDataLabel.text = text
        self.ui.trainingDataLabel.visible = bool(text)
        self.controls.update()

    def keep_models_folder(self) -> None:
        """Remember the folder of models for the next time, and look into it."""
        folder = self.ui.modelsFolderPathLineEdit.currentPath
        os.environ[USER_MODELS_VARIABLE] = folder
        slicer.app.userSettings().setValue(MODELS_SETTING, folder)
        self._models_changed()
        self.controls.update()

    def _columns(self) -> list[str]:
        try:
            data = self.data()
            return column_names(data) if data else []
        except (MedImageError, OSError, UnicodeDecodeError):
            return []  # the summary says what is wrong

    def _remembered_folder(self) -> Path:
        """Return the folder of models; one that the environment names is not overruled."""
        remembered = slicer.app.userSettings().value(MODELS_SETTING)
        if remembered and not os.environ.get(USER_MODELS_VARIABLE):
            os.environ[USER_MODELS_VARIABLE] = str(remembered)
        folder = models_folder()
        os.environ[USER_MODELS_VARIABLE] = str(folder)
        return folder

    def _missing(self) -> str:
        if not (self.ui.trainingTableSelector.currentNode() or self.ui.trainingFolderPathLineEdit.currentPath):
            return _("Choose a folder of labelled images or a table first.")
        if not self.ui.modelTitleLineEdit.text.strip():
            return _("Give the model a name first.")
        if not self.ui.modelsFolderPathLineEdit.currentPath:
            return _("Choose a folder for the models first.")
        return ""

    def _begin(self) -> Callable:
        ui = self.ui
        self._ensure_packages()
        ui.trainedModelLabel.text = ""
        return self._logic.trainingComputation(
            ui.trainingTableSelector.currentNode() or ui.trainingFolderPathLineEdit.currentPath,
            ui.modelTitleLineEdit.text,
            ui.modelsFolderPathLineEdit.currentPath,
            labelColumn=ui.labelColumnComboBox.currentData,
            groupColumn=ui.groupColumnComboBox.currentData,
            preset=self._preset(),
        )

    def _end(self, model: Model) -> None:
        self.ui.trainedModelLabel.text = model_html(model)
        self._models_changed()
