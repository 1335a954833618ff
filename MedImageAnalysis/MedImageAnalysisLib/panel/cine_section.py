"""The section "A heart in several phases" of the panel: a folder, one button; end-diastole and end-systole as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ctk
from slicer.i18n import tr as _

from ..analysis import Analysis
from .task_controls import Job, TaskControls

__all__ = ["CineSection"]


class CineSection:
    """Binds the widgets of the section to the logic.

    Parameters
    ----------
    ui : object
        Has the panel's widgets as attributes.
    logic : MedImageAnalysisLogic
    ensure_packages : callable
        Called before an analysis, to install what is missing.
    show : callable
        Takes the analysis of end-diastole and its nodes, and shows them as the panel's results.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        ensure_packages: Callable[[], None],
        show: Callable[[Analysis, Any], None],
    ) -> None:
        self.ui = ui
        self._logic, self._ensure_packages, self._show = logic, ensure_packages, show
        job = Job(
            text=_("Analyze the heartbeat"),
            tool_tip=_("Outline every phase, find end-diastole and end-systole, and measure the ejection fraction."),
            failed=_("The analysis of the heartbeat failed."),
            missing=lambda: "" if ui.cineFolderPathLineEdit.currentPath else _("Choose a folder first."),
            begin=self._begin,
            end=self._end,
        )
        bar, status = ui.cineProgressBar, ui.cineStatusLabel
        self.controls = TaskControls(job, ui.cineButton, bar, status, ui.cineInputsWidget)
        path = ui.cineFolderPathLineEdit
        path.filters = ctk.ctkPathLineEdit.Dirs
        path.connect("currentPathChanged(QString)", self.controls.update)
        self.controls.update()

    def _begin(self) -> Callable:
        self._ensure_packages()
        return self._logic.cineComputation(self.ui.cineFolderPathLineEdit.currentPath)

    def _end(self, phases: tuple[Analysis, Analysis]) -> None:
        end_diastole, _ = self._logic.createCineNodes(phases)
        self._show(phases[0], end_diastole)
