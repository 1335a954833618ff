"""Progress and cancel: one small object passed down to everything that takes time.

The GUI, the command line and a batch worker each bring their own sink; the work only calls
:meth:`Progress.step` often enough (at least about once a second) and lets :class:`Cancelled` through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import SimpleITK as sitk

from .errors import Cancelled

__all__ = ["Progress", "run_filter"]

Sink = Callable[[str, float], None]


def _ignore(message: str, fraction: float) -> None:
    """Sink that shows nothing."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Progress:
    """Where progress is reported and whether the user asked to stop.

    Parameters
    ----------
    report : callable
        Called with (message, fraction of the whole, 0 to 1).
    cancelled : callable
        Returns True once the user asked to stop.
    start, stop : float
        The part of the whole, as fractions, that the holder of this object covers.
    """

    report: Sink = field(default=_ignore, repr=False)
    cancelled: Callable[[], bool] = field(default=_never, repr=False)
    start: float = 0.0
    stop: float = 1.0
    message: str = ""

    def step(self, message: str = "", fraction: float = 0.0) -> None:
        """Report `fraction` (0 to 1) of this part as done; raise :class:`Cancelled` if asked to stop."""
        if self.cancelled():
            raise Cancelled("Cancelled by the user. Nothing was changed.")
        done = min(max(float(fraction), 0.0), 1.0)
        self.report(message or self.message, self.start + done * (self.stop - self.start))

    def part(self, start: float, stop: float, message: str = "") -> Progress:
        """Return a progress that covers the fractions `start` to `stop` of this one."""
        width = self.stop - self.start
        return replace(
            self,
            start=self.start + start * width,
            stop=self.start + stop * width,
            message=message or self.message,
        )

    def parts(self, count: int) -> tuple[Progress, ...]:
        """Split this progress into `count` equal parts, in order."""
        return tuple(self.part(i / count, (i + 1) / count) for i in range(count))


def run_filter(image_filter: sitk.ImageFilter, *images: sitk.Image, progress: Progress) -> sitk.Image:
    """Execute a SimpleITK filter, reporting its progress and aborting it when the user cancels.

    Parameters
    ----------
    image_filter : SimpleITK filter with an ``Execute`` method
    images : sitk.Image
        Passed on to ``Execute``.
    progress : Progress

    Returns
    -------
    sitk.Image

    Raises
    ------
    Cancelled
        If the user asked to stop, within one progress event of the filter.
    """
    stopped: list[Cancelled] = []
    furthest = 0.0

    def on_progress() -> None:
        nonlocal furthest
        # Filters made of several passes start again from zero: what is shown never goes back.
        furthest = max(furthest, image_filter.GetProgress())
        try:
            progress.step(fraction=furthest)
        except Cancelled as cancelled:
            # An exception cannot cross ITK's C++ frames: abort the filter, raise after it has returned.
            stopped.append(cancelled)
            image_filter.Abort()

    progress.step()
    image_filter.AddCommand(sitk.sitkProgressEvent, on_progress)
    try:
        result = image_filter.Execute(*images)
    except RuntimeError:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        image_filter.RemoveAllCommands()
    if stopped:
        raise stopped[0]
    return result
