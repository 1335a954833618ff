"""A button that starts a computation and then cancels it, with a bar for its progress and a line of words.

The computing runs in a worker thread that touches neither Qt nor MRML; a timer asks it for news.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import Cancelled, MedImageError
from .background import BackgroundTask

__all__ = ["Job", "TaskControls"]

POLL_INTERVAL_MS = 50
POLL_WAIT_S = 0.02


@dataclass(frozen=True)
class Job:
    """What a button does.

    Parameters
    ----------
    text, tool_tip : str
        Of the button while nothing runs.
    failed : str
        Told if the job fails by a defect.
    missing : callable
        Returns what the user has to choose first, or "".
    begin : callable
        Reads the inputs on the main thread; returns a function of a Progress that computes in the worker thread.
    end : callable
        Takes what the computation returned, on the main thread.
    """

    text: str
    tool_tip: str
    failed: str
    missing: Callable[[], str]
    begin: Callable[[], Callable]
    end: Callable[[Any], None]


class TaskControls:
    """Binds a job to its widgets; `inputs` is a widget that is locked while it runs."""

    def __init__(self, job: Job, button: Any, progress_bar: Any, status_label: Any, inputs: Any) -> None:
        self.task: BackgroundTask | None = None
        self._job = job
        self._button, self._bar, self._label, self._inputs = button, progress_bar, status_label, inputs
        button.connect("clicked(bool)", self.press)

    @property
    def running(self) -> bool:
        """Whether a computation runs."""
        return self.task is not None

    def press(self) -> None:
        """Start, or cancel what runs."""
        if self.task is None:
            self.say("")
            with self.errors_shown():
                self.task = BackgroundTask(self._job.begin())
                qt.QTimer.singleShot(0, self._poll)
        else:
            self.task.cancel()
        self.update()

    def abandon(self) -> None:
        """Cancel what runs and forget it."""
        if self.task:
            self.task.cancel()
        self.task = None
        self.say("")
        self.update()

    def say(self, text: str) -> None:
        """Show a line of words below the bar, or none."""
        self._label.text = text
        self._label.visible = bool(text)

    def update(self) -> None:
        """Bring button, inputs and progress bar in line with what runs."""
        cancelling = self.running and self.task.cancelling
        missing = self._job.missing()
        idle = self._job.text
        self._button.text = _("Cancelling\u2026") if cancelling else _("Cancel") if self.running else idle
        self._button.enabled = not cancelling if self.running else not missing
        self._button.toolTip = missing or self._job.tool_tip
        self._inputs.enabled = not self.running
        self._bar.visible = self.running

    @contextlib.contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Show errors in words; whatever happens, the button is free for the next try."""
        # A defect of this package is shown with its traceback and raised again.
        with slicer.util.tryWithErrorDisplay(self._job.failed):
            try:
                yield
            except Cancelled:
                self.say(_("Cancelled. Nothing was changed."))
            except MedImageError as error:
                self.say(str(error))
                slicer.util.errorDisplay(str(error), windowTitle=_("Medical Image Analysis"))

    def _poll(self) -> None:
        """Show the progress of the task; when it has ended, hand on its result."""
        task = self.task
        if task is None:
            return  # abandoned
        if not task.wait(POLL_WAIT_S):
            message, fraction = task.progress
            self._bar.value = round(fraction * self._bar.maximum)
            self.say(_("Stops at the end of this step.") if task.cancelling else message)
            qt.QTimer.singleShot(POLL_INTERVAL_MS, self._poll)
            return
        self.task = None
        self.say("")
        self.update()
        with self.errors_shown():
            self._job.end(task.result())
