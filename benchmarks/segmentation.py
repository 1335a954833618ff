"""Accuracy, speed, memory and responsiveness of every preset's segmentation, in one table.

    python benchmarks/segmentation.py [PRESET ...] [--cases 10] [--sheets FOLDER] [--data FOLDER] [--markdown FILE]

Stages 1 and 2 of each preset run on the real cases of the benchmarks per anatomy (segmentation_chest_xray.py,
segmentation_breast_ultrasound.py, segmentation_ct.py, segmentation_mri.py), each preset in a process of its own. Those
say where a reference comes from and whether its cases were seen while constants were chosen. Columns:

- Dice: mean and 5th percentile over cases; a structure that is not found counts 0.
- 95 % Hausdorff: mean over cases in which the structure was found, in mm (pixels where an image has no spacing).
- s: median wall seconds per case; CPU s: of all threads. peak MB: growth of the peak memory of the process,
  what is imported on the way included. gap: longest time between two chances to cancel, in CPU seconds.

`--sheets` writes the worst five cases (with no reference: the first five) of each preset as one picture: what was found
in color, the reference in yellow. `--markdown` writes the table with the date and the commit.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common import REPOSITORY
from common.data import add_data_option
from common.scoring import Case, contact_sheet, dice, hausdorff95, mask_of, overlay, square
from MedImageAnalysisLib.analysis import Segmentation
from MedImageAnalysisLib.errors import MedImageError
from MedImageAnalysisLib.imaging.pixels import mask_image
from MedImageAnalysisLib.preset import Preset, load_preset
from MedImageAnalysisLib.progress import Progress

HEADER = (
    "| preset | structure | cases | Dice mean / p5 | 95 % Hausdorff mm | s | CPU s | peak MB | gap CPU s |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
YELLOW = (1.0, 1.0, 0.0)
WORST = 5


def chest_xray(data: Path) -> Iterator[Case]:
    from segmentation_chest_xray import cases

    return cases(data)


def breast_ultrasound(data: Path) -> Iterator[Case]:
    from segmentation_breast_ultrasound import cases

    return cases(data)


def ct(preset: str) -> Callable[[Path], Iterator[Case]]:
    def found(data: Path) -> Iterator[Case]:
        from segmentation_ct import cases

        return cases(preset, data)

    return found


def mri(name: str) -> Callable[[Path], Iterator[Case]]:
    def found(data: Path) -> Iterator[Case]:
        import segmentation_mri

        return getattr(segmentation_mri, name)(data)

    return found


def bone_xray(data: Path) -> Iterator[Case]:
    from MedImageAnalysisLib.image import read_image

    yield Case("RG3", read_image(data / "dicom_misc" / "RG3_J2KR.dcm"), {})


CASES: dict[str, Callable[[Path], Iterator[Case]]] = {
    "chest-xray": chest_xray,
    "chest-ct": ct("chest-ct"),
    "bone-ct": ct("bone-ct"),
    "bone-xray": bone_xray,
    "brain-mri": mri("brain_cases"),
    "brain-ct": ct("brain-ct"),
    "cardiac-ct": ct("cardiac-ct"),
    "cardiac-mri": mri("cardiac_cases"),
    "breast-ultrasound": breast_ultrasound,
    "brain-tumor-mri": mri("tumor_cases"),
}


@dataclass(frozen=True, eq=False)
class Score:
    """What one case gave: per structure Dice and Hausdorff distance; a picture of it; costs."""

    name: str
    overlaps: dict[str, tuple[float, float]]
    seconds: float
    processor: float
    gap: float
    picture: np.ndarray
    problem: str = ""

    @property
    def quality(self) -> float:
        return float(np.mean([value for value, _ in self.overlaps.values()])) if self.overlaps else 0.0


class Clock:
    """Notes the longest processor time between two chances to cancel."""

    def __init__(self) -> None:
        self.longest, self.last = 0.0, time.process_time()

    def tick(self) -> bool:
        now = time.process_time()
        self.longest, self.last = max(self.longest, now - self.last), now
        return False


def segmented(preset: Preset, image: sitk.Image, progress: Progress) -> Segmentation | None:
    for step in preset.preprocessing:
        image = step(image, progress)
    found = None
    for method in preset.segmentation:
        found = method(image, found, progress)
    return found


def scored(preset: Preset, case: Case) -> Score:
    pixels = case.image.pixels
    clock, found, problem = Clock(), None, ""
    started, processor = time.perf_counter(), time.process_time()
    try:
        found = segmented(preset, pixels, Progress(cancelled=clock.tick))
    except MedImageError as refusal:
        problem = str(refusal)
    clock.tick()
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    spacing = pixels.GetSpacing()[::-1]
    overlaps = {}
    for key, truth in case.truth.items():
        mask = mask_of(found, key, truth.shape)
        overlaps[key] = dice(mask, truth), hausdorff95(mask, truth, spacing)
    return Score(case.name, overlaps, seconds, processor, clock.longest, picture(case, found), problem)


def picture(case: Case, found: Segmentation | None, size: int = 360) -> np.ndarray:
    """Draw a picture, or three axial slices of a volume, with what was found and the reference."""
    pixels = case.image.pixels
    values = upright(pixels)
    masks = [(upright(mask_image(truth, pixels)) > 0, YELLOW) for truth in case.truth.values()]
    for segment in found.segments if found else ():
        if not case.truth or segment.key in case.truth:
            masks.append((upright(found.layers[segment.layer]) == segment.label, segment.color))
    slices = [()] if values.ndim == 2 else [(level,) for level in levels(len(values), [mask for mask, _ in masks])]
    low, high = display_range(values, case.image.info.modality)
    tiles = []
    for index in slices:
        outlines = [(square(mask[index], size, order=0) > 0, color) for mask, color in masks]
        tiles.append(overlay(square(values[index].astype(np.float32), size), low, high, outlines))
    return np.vstack(tiles)


def upright(image: sitk.Image) -> np.ndarray:
    """Return the pixels; those of a volume as radiologists look at them, from the feet."""
    return sitk.GetArrayFromImage(image if image.GetDimension() == 2 else sitk.DICOMOrient(image, "LPS"))


def levels(count: int, masks: list[np.ndarray]) -> list[int]:
    """Return three slices spread over those that hold anything."""
    held = np.flatnonzero(np.any([mask.any(axis=(1, 2)) for mask in masks], axis=0)) if masks else np.arange(0)
    first, last = (held[0], held[-1]) if held.size else (0, count - 1)
    return [int(first + share * (last - first)) for share in (0.2, 0.5, 0.8)]


def display_range(values: np.ndarray, modality: str) -> tuple[float, float]:
    if modality == "CT":
        return (-20.0, 110.0) if np.percentile(values, 90) < 120 and values.shape[0] < 15 else (-1000.0, 500.0)
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high)


def peak_mb() -> float:
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024


def evaluate(name: str, options: argparse.Namespace) -> list[str]:
    """Run one preset in this process; return its rows."""
    preset, scores = load_preset(name), []
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = peak_mb()
    for case in chosen(CASES[name](options.data), options.cases):
        scores.append(scored(preset, case))
    memory = f"{peak_mb() - before:.0f}"
    if options.sheets:
        worst = sorted(scores, key=lambda score: score.quality)[:WORST]
        contact_sheet([score.picture for score in worst], options.sheets / f"{name}.png")
    return rows(name, scores, memory)


def chosen(cases: Iterator[Case], count: int | None) -> Iterator[Case]:
    return islice(cases, count) if count else cases


def rows(name: str, scores: list[Score], memory: str) -> list[str]:
    seconds, processor = (np.median([getattr(s, key) for s in scores]) for key in ("seconds", "processor"))
    costs = f"{seconds:.1f} | {processor:.1f} | {memory} | {max(s.gap for s in scores):.2f}"
    lines = []
    for key in dict.fromkeys(key for score in scores for key in score.overlaps):
        pairs = np.array([score.overlaps[key] for score in scores if key in score.overlaps])
        distances = pairs[np.isfinite(pairs[:, 1]), 1]
        distance = f"{distances.mean():.1f}" if len(distances) else "-"
        accuracy = f"{pairs[:, 0].mean():.3f} / {np.percentile(pairs[:, 0], 5):.3f}"
        lines.append(f"| {name} | {key} | {len(pairs)} | {accuracy} | {distance} | {costs} |")
    lines = lines or [f"| {name} | (no reference) | {len(scores)} | - | - | {costs} |"]
    return lines + [f"  {score.name}: {score.problem}" for score in scores if score.problem]


def apart(name: str, options: argparse.Namespace) -> list[str]:
    """Run one preset in a process of its own, so that memory is its own; return its rows."""
    command = [sys.executable, __file__, name, "--child", "--data", str(options.data)]
    command += ["--cases", str(options.cases)] if options.cases else []
    command += ["--sheets", str(options.sheets)] if options.sheets else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return [f"| {name} | failed with exit code {done.returncode} | - | - | - | - | - | - | - |"]
    return json.loads(done.stdout.splitlines()[-1])


def commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", metavar="PRESET", help=f"of {', '.join(CASES)}; all if none is given")
    add_data_option(parser)
    parser.add_argument("--cases", type=int, help="at most so many cases per preset")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the worst five cases of each preset")
    parser.add_argument("--markdown", type=Path, help="write the table with date and commit to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.presets) - set(CASES)
    if unknown:
        parser.error(f"no cases for {', '.join(sorted(unknown))}; there are some for {', '.join(CASES)}")
    if options.child:
        print(json.dumps(evaluate(options.presets[0], options)))
        return
    title = f"{datetime.date.today():%Y-%m-%d}, commit {commit()}"
    lines, printed = [HEADER], 1
    print(f"{title}\n\n{HEADER}", flush=True)
    for name in options.presets or CASES:
        lines += apart(name, options)
        print("\n".join(lines[printed:]), flush=True)
        printed = len(lines)
    if options.markdown:
        options.markdown.write_text(f"{title}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
