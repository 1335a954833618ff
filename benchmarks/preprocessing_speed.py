"""Print the time that each preprocessing step and generic segmentation method takes on images of clinical size.

    python benchmarks/preprocessing_speed.py [--case xray|mri|ct] [NAME ...]

The images are phantoms: a radiograph of 2048 x 2048 (uint16, 0.2 mm), a T1 volume of 256 x 256 x 180 (int16, 1 mm)
and a CT of 512 x 512 x 300 (int16, 0.8 x 0.8 x 1 mm). Beside the seconds stand the seconds of all processors together,
which tell more on a busy machine, and the longest time between two chances to cancel.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import SimpleITK as sitk

import common  # noqa: F401  finds the package
from MedImageAnalysisLib.errors import MedImageError
from MedImageAnalysisLib.parameters import Configurable
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.preprocessing.normalize import HistogramMatch, NyulNormalize
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation import METHODS
from MedImageAnalysisLib.segmentation.generic.scalar_method import ScalarMethod


def phantom(size: tuple[int, ...], spacing: tuple[float, ...], kind: type) -> sitk.Image:
    """Return nested balls of four intensities with a slow bias and noise; `size` is along x, y (, z)."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in reversed(size)]
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    radius = sum(axis**2 for axis in grid)
    pixels = np.digitize(-radius, (-0.8, -0.5, -0.2)).astype(np.float32)
    pixels *= 300
    pixels *= 1 + 0.2 * grid[-1]
    pixels += 20 * np.random.default_rng(0).standard_normal(pixels.shape, dtype=np.float32) + 100
    image = sitk.GetImageFromArray(pixels.clip(0).astype(kind))
    image.SetSpacing(spacing)
    return image


CASES: dict[str, Callable[[], sitk.Image]] = {
    "xray": lambda: phantom((2048, 2048), (0.2, 0.2), np.uint16),
    "mri": lambda: phantom((256, 256, 180), (1.0, 1.0, 1.0), np.int16),
    "ct": lambda: phantom((512, 512, 300), (0.8, 0.8, 1.0), np.int16),
}


class Clock:
    """Notes the longest time between two chances to cancel."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.longest = 0.0

    def tick(self) -> bool:
        """Answer that nobody cancelled."""
        now = time.perf_counter()
        self.longest = max(self.longest, now - self.last)
        self.last = now
        return False


def entries(image: sitk.Image, names: Sequence[str] = ()) -> Iterator[tuple[str, Configurable, tuple]]:
    """Yield the name, the step or method, and the arguments between image and progress; all if no name is given."""
    learned = {
        "nyul": lambda: NyulNormalize.trained_on([image]),
        "histogram-match": lambda: HistogramMatch.to_image(image),
    }
    for name in STEPS:
        if not names or name in names:
            yield name, learned.get(name, STEPS[name])(), ()
    methods = [method for method in METHODS.values() if issubclass(method, ScalarMethod)]
    methods = [method for method in methods if not names or method.name in names]
    previous = METHODS["multi-otsu"]()(image, None, Progress()) if methods else None
    for method in methods:
        yield method.name, method(), (previous,)


def measure(step: Configurable, image: sitk.Image, arguments: tuple) -> tuple[float, float, float]:
    """Return wall and processor seconds of one run, and the longest time without a chance to cancel."""
    clock = Clock()
    started, processor = time.perf_counter(), time.process_time()
    step(image, *arguments, Progress(cancelled=clock.tick))
    clock.tick()
    return time.perf_counter() - started, time.process_time() - processor, clock.longest


def main() -> None:
    """Print one table per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="steps or methods; all if none is given")
    parser.add_argument("--case", choices=tuple(CASES), action="append", help="which image (default: xray and mri)")
    options = parser.parse_args()
    for case in options.case or ("xray", "mri"):
        image = CASES[case]()
        print(f"\n{case}: {' x '.join(map(str, image.GetSize()))} {image.GetPixelIDTypeAsString()}")
        print(f"{'step or method':28s} {'seconds':>8s} {'CPU':>8s} {'cancel within':>14s}")
        for name, step, arguments in entries(image, options.names):
            try:
                seconds, processor, longest = measure(step, image, arguments)
            except MedImageError as refusal:
                print(f"{name:28s} {refusal}")
                continue
            print(f"{name:28s} {seconds:8.2f} {processor:8.2f} {longest:12.2f} s", flush=True)


if __name__ == "__main__":
    main()
