"""Accuracy and speed of the preset `breast-ultrasound` on the held-out part of breast_ultrasound_busi.

    python benchmarks/segmentation_breast_ultrasound.py [--engine network] [--cases 40] [--sheet cases.png]

Both engines are judged, the network only where onnx and onnxruntime are installed.
No group of near-duplicates has pictures in both parts, so nothing was fitted on those tested here. A lesion that is not
found counts with Dice 0. The 95 % Hausdorff distance is in pixels (the pictures have no spacing) and over found lesions
only. Overlays show the truth in yellow and what was found in red.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from common.scoring import Case, contact_sheet, dice, hausdorff95, overlay
from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage
from MedImageAnalysisLib.networks import networks_available
from MedImageAnalysisLib.preprocessing.speckle import SpeckleDiffusion
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.data import read_pixels
from MedImageAnalysisLib.segmentation.breast_ultrasound import method as breast_ultrasound
from MedImageAnalysisLib.segmentation.breast_ultrasound.classifier import read_classifier

HEADER = (
    "| engine | kind | cases | Dice mean | median | p5 | 95 % Hausdorff px | shown | hit (Dice > 0.3) | s |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
HIT = 0.3
ENGINES = ("classical", "network")
TRUTH, FOUND = (1, 1, 0), (1, 0, 0.3)


@dataclass(frozen=True, eq=False)
class Score:
    """What one picture gave; `dice` is NaN for normal pictures, `hausdorff` also where nothing was found."""

    name: str
    kind: str
    pixels: np.ndarray
    truth: np.ndarray
    found: np.ndarray
    dice: float
    hausdorff: float
    seconds: float


def scored(folder: Path, row: dict[str, str], method: breast_ultrasound.BreastUltrasound) -> Score:
    image = sitk.Cast(read_pixels(folder / row["image"]), sitk.sitkFloat32)
    truth = sitk.GetArrayFromImage(read_pixels(folder / row["mask"])) > 0
    started = time.perf_counter()
    segmentation = method(SpeckleDiffusion()(image, Progress()), None, Progress())
    seconds = time.perf_counter() - started
    found = sitk.GetArrayFromImage(segmentation.labelmap) > 0
    fit, distance = (dice(found, truth), hausdorff95(found, truth, 1.0)) if truth.any() else (np.nan, np.nan)
    return Score(row["image"], row["label"], sitk.GetArrayFromImage(image), truth, found, fit, distance, seconds)


def row_of(engine: str, kind: str, scores: list[Score]) -> str:
    fits = np.array([s.dice for s in scores])
    shown = np.mean([s.found.any() for s in scores])
    seconds = f"{np.median([s.seconds for s in scores]):.2f}"
    if np.isnan(fits).all():
        return f"| {engine} | {kind} | {len(scores)} | - | - | - | - | {shown:.0%} | - | {seconds} |"
    mean, median, low = fits.mean(), np.median(fits), np.percentile(fits, 5)
    distance = np.nanmean([s.hausdorff for s in scores])
    return (
        f"| {engine} | {kind} | {len(scores)} | {mean:.3f} | {median:.3f} | {low:.2f} | {distance:.1f} "
        f"| {shown:.0%} | {(fits > HIT).mean():.0%} | {seconds} |"
    )


def sheet(scores: list[Score], path: Path, size: int = 384, columns: int = 6) -> None:
    """Draw what was found (red) and the truth (yellow) on the pictures."""
    tiles = []
    for score in scores:
        step = -(-max(score.pixels.shape) // size)
        small, truth, found = (array[::step, ::step] for array in (score.pixels, score.truth, score.found))
        tiles.append(overlay(small, 0, max(score.pixels.max(), 1), ((truth, TRUTH), (found, FOUND))))
    contact_sheet(tiles, path, columns)


def held_out(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the pictures on which nothing was fitted."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["split"] == "val"]


def cases(data: Path) -> Iterator[Case]:
    """Yield the held-out pictures with a lesion."""
    folder = data / "breast_ultrasound_busi"
    for row in held_out(folder):
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / row["mask"]))) > 0
        if truth.any():
            pixels = sitk.ReadImage(str(folder / row["image"]), sitk.sitkFloat32)
            yield Case(row["image"], MedicalImage(pixels, ImageInfo(modality="US")), {"breast-lesion": truth})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="only this one; may be repeated")
    parser.add_argument("--cases", type=int, help="at most so many pictures, evenly chosen")
    parser.add_argument(
        "--sheet", type=Path, help="write overlays of each engine: the worst five, and 18 evenly chosen"
    )
    parser.add_argument("--weights", type=Path, help="weights of the classical engine instead of those that ship")
    parser.add_argument("--certainty", type=float, help="the method's threshold, if not its default")
    options = parser.parse_args()
    if options.weights:
        classifier = read_classifier(options.weights)
        breast_ultrasound.load_classifier = lambda: classifier
    settings = {} if options.certainty is None else {"certainty": options.certainty}
    folder = options.data / "breast_ultrasound_busi"
    rows = held_out(folder)
    if options.cases:
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, options.cases).astype(int)]
    print(HEADER)
    for engine in options.engine or (ENGINES if networks_available() else ENGINES[:1]):
        method = breast_ultrasound.BreastUltrasound(engine=engine, **settings)
        scores = [scored(folder, row, method) for row in rows]
        show(engine, scores)
        if options.sheet:
            with_lesion = worst_first(scores)
            sheet(with_lesion[:5], options.sheet.with_name(f"{options.sheet.stem}-{engine}-worst.png"), columns=5)
            evenly = scores[:: max(1, len(scores) // 18)][:18]
            sheet(evenly, options.sheet.with_name(f"{options.sheet.stem}-{engine}.png"))


def show(engine: str, scores: list[Score]) -> None:
    """Print the rows of one engine, and name what it did worst."""
    for kind in ("benign", "malignant", "normal"):
        print(row_of(engine, kind, [s for s in scores if s.kind == kind]))
    with_lesion = worst_first(scores)
    print(row_of(engine, "all lesions", with_lesion), flush=True)
    print(f"{engine}, worst:", ", ".join(f"{s.name} {s.dice:.2f}" for s in with_lesion[:5]), file=sys.stderr)


def worst_first(scores: list[Score]) -> list[Score]:
    return sorted((s for s in scores if s.truth.any()), key=lambda s: s.dice)


if __name__ == "__main__":
    main()
