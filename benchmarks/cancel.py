"""How long each step, method and CT preset is deaf on 512 x 512 x 300 voxels: progress, cancel, and what goes on after.

    python benchmarks/cancel.py [--limit 20] [--image CT] [NAME ...]

Each runs for at most `--limit` seconds, or else once more until half of its time; then it is cancelled. The table shows
the longest time in which nothing was reported and cancel not looked for (and the processor time that was used in it;
far less means that other programs had the machine), how long after the wish to cancel the call had ended, and how long
after that its thread and memory were gone (and the processor time that was spent until then for nothing). Steps and
methods work on a phantom; presets on a drawn chest, or on `--image`, resampled. NAME is a step, method or preset; all
if none is given.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import SimpleITK as sitk

import common  # noqa: F401  finds the package
from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.errors import Cancelled, MedImageError
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import Preset, load_preset
from MedImageAnalysisLib.progress import Progress
from preprocessing_speed import CASES, entries
from segmentation_ct import HU, large_chest

SIZE = (512, 512, 300)
PRESETS = ("chest-ct", "bone-ct", "cardiac-ct", "brain-ct", "generic-3d")
Work = Callable[[Progress], object]


class Listener:
    """Notes the longest time between two looks for cancel, and wishes to cancel after some seconds."""

    def __init__(self, cancel_after: float) -> None:
        self.started = self.last = time.perf_counter()
        self.wish = self.started + cancel_after
        self.processor = time.process_time()
        # Seconds by the clock, and of the processor.
        self.longest = (0.0, 0.0)

    def cancelled(self) -> bool:
        now, processor = time.perf_counter(), time.process_time()
        self.longest = max(self.longest, (now - self.last, processor - self.processor))
        self.last, self.processor = now, processor
        return now > self.wish


def works(names: list[str], image: Path | None) -> Iterator[tuple[str, Work]]:
    """Yield what is measured: each name, and the work that takes a progress."""
    if not names or set(names) - set(PRESETS):
        phantom = CASES["ct"]()
        for name, step, arguments in entries(phantom, names):
            yield name, partial(_stepped, step, phantom, arguments)
    if not names or set(names) & set(PRESETS):
        ct = resampled(image) if image else large_chest()
        for name in PRESETS:
            if not names or name in names:
                yield f"preset {name}", partial(_run, ct, load_preset(name))


def _stepped(step: Callable, image: sitk.Image, arguments: tuple, progress: Progress) -> object:
    return step(image, *arguments, progress)


def _run(image: MedicalImage, preset: Preset, progress: Progress) -> object:
    return run(image, preset, progress=progress)


def resampled(path: Path) -> MedicalImage:
    """Return a CT on a grid of SIZE over the same field of view."""
    image = sitk.ReadImage(str(path), sitk.sitkInt16)
    grid = sitk.Image(SIZE, sitk.sitkInt16)
    grid.SetSpacing([n * s / new for n, s, new in zip(image.GetSize(), image.GetSpacing(), SIZE, strict=True)])
    grid.SetOrigin(image.GetOrigin())
    grid.SetDirection(image.GetDirection())
    return MedicalImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, -1000), HU)


def measure(work: Work, limit: float) -> tuple[str, tuple[float, float], float | None, tuple[float, float]]:
    """Return how long the work took (in words), the longest deaf times, and the times after the wish to cancel.

    The third is None if the work was done before cancel was looked for.
    """
    listener = Listener(limit)
    took, after, left = attempt(work, listener)
    if after is None:
        second = Listener(took / 2)
        _, after, left = attempt(work, second)
        return f"{took:.1f}", max(listener.longest, second.longest), after, left
    return f"> {limit:g}", listener.longest, after, left


def attempt(work: Work, listener: Listener) -> tuple[float, float | None, tuple[float, float]]:
    """Run work; return seconds, how long after the wish it had ended (None: it was done), and its thread after that.

    The last are seconds by the clock, and of the processor.
    """
    after = None
    try:
        work(Progress(cancelled=listener.cancelled))
        listener.cancelled()
    except Cancelled:
        after = time.perf_counter() - listener.wish
    ended, processor = time.perf_counter(), time.process_time()
    while threading.active_count() > 1:
        time.sleep(0.01)
    left = time.perf_counter() - ended, time.process_time() - processor
    return ended - listener.started, after, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds after which a run is cancelled")
    parser.add_argument("--image", type=Path, help="a CT for the presets, instead of the drawn chest")
    options = parser.parse_args()
    print(f"load at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| step, method or preset | seconds | longest silence | cancelled after | thread gone after |")
    print("|---|---|---|---|---|")
    for name, work in works(options.names, options.image):
        try:
            took, longest, after, left = measure(work, options.limit)
        except MedImageError as refusal:
            print(f"| {name} | {refusal} | | | |", flush=True)
            continue
        raised = "-" if after is None else f"{after:.2f}"
        silence = f"{longest[0]:.2f} ({longest[1]:.2f} CPU)"
        print(f"| {name} | {took} | {silence} | {raised} | {left[0]:.1f} ({left[1]:.1f} CPU) |", flush=True)


if __name__ == "__main__":
    main()
