"""Accuracy and speed of the method `chest-xray` against the masks of JSRT/SCR, of V7 Labs and the drawn outlines.

    python benchmarks/segmentation_chest_xray.py --folds FOLDER [--sheet worst.png]
    python benchmarks/segmentation_chest_xray.py [--cases 20] [--sheet worst.png]

Each row is of one engine, classical or network, so that both can be compared.

With `--folds`: out-of-fold accuracy, by which all choices are made. FOLDER holds the `fold0.npz` ... that
`train_chest_xray.py` writes, or the `fold0.onnx` ... of `train_chest_xray_network.py`, so that every patient is tested
with weights that have not seen him; beside a network only the frame and the heart's shape come from the classical
weights that ship, which have seen him. JSRT is not read.
- drawn: lung fields, heart and cardiothoracic ratio of `chest_xray_outlines.csv`.
- chest_xray_lungs: its masks include the lung behind heart and mediastinum, so the lung fields found are compared with
  them outside the mediastinum only: the reference is cut, row by row, at the medial borders found.

With `--diaphragm`: how far below the line between the ends of the heart's base V7's masks end, which include the lung
behind the heart: where the diaphragm is.

Without: the weights that ship on JSRT (evaluation only: nothing is fitted on it, nothing chosen by it).
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.chest_xray_outlines import LAST_ROUND, OUTLINES, labels, read_drawings, read_pixels, split_lungs
from common.data import add_data_option
from common.scoring import Case as ScoredCase
from common.scoring import contact_sheet, dice, hausdorff95, jaccard, overlay, square
from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.errors import MedImageError
from MedImageAnalysisLib.features.clinical.chest_xray import CardiothoracicRatio
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.chest_xray.heart_base import base_of
from MedImageAnalysisLib.segmentation.chest_xray.method import ChestXray
from MedImageAnalysisLib.terminology import segment

# JSRT films are 350 mm wide; the pictures of chest_xray_lungs say nothing, 400 mm is the preset's assumption.
JSRT_WIDTH_MM = 350.0
ASSUMED_WIDTH_MM = 400.0
KEYS = ("right-lung", "left-lung", "heart")
SUFFIXES = {"classical": ".npz", "network": ".onnx"}
COLORS = {"right-lung": (1, 0, 0), "left-lung": (0, 1, 0), "heart": (0, 0.6, 1)}
HEADER = (
    "| set | cases | lungs Dice mean / p5 | 95 % Hausdorff mm | heart IoU mean / p5 | CTR MAE | CTR bias ± SD "
    "| CTR measured | s |\n|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, eq=False)
class Case:
    """A picture and its reference masks by key; `group` is the patient."""

    name: str
    pixels: np.ndarray
    truth: dict[str, np.ndarray]
    width_mm: float
    group: str = ""


@dataclass(frozen=True, eq=False)
class Score:
    """What one case gave; NaN where there is no reference or nothing was found."""

    case: Case
    found: dict[str, np.ndarray]
    lungs_dice: float
    hausdorff_mm: float
    heart_iou: float
    ratio: float
    true_ratio: float
    seconds: float
    problem: str = ""


def jsrt(data: Path) -> Iterator[Case]:
    for path in sorted((data / "chest_xray_jsrt" / "images").glob("*.png")):
        folders = {"right-lung": "right_lung_png", "left-lung": "left_lung_png", "heart": "heart_png"}
        truth = {key: read_pixels(path.parents[1] / folder / path.name) > 0 for key, folder in folders.items()}
        yield Case(path.stem, read_pixels(path), truth, JSRT_WIDTH_MM)


def v7(data: Path) -> Iterator[Case]:
    folder = data / "chest_xray_lungs"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            right, left = split_lungs(read_pixels(folder / row["mask"]) > 0)
            truth = {"right-lung": right, "left-lung": left}
            yield Case(row["image"], read_pixels(folder / row["image"]), truth, ASSUMED_WIDTH_MM, row["patient"])


def drawn(data: Path) -> Iterator[Case]:
    """Read the pictures whose outlines were drawn by the developers; children's pictures are their own patients."""
    lungs = {case.name: case for case in v7(data)}
    for drawing in read_drawings(OUTLINES, LAST_ROUND):
        pixels = read_pixels(data / drawing.folder / drawing.image)
        case = lungs.get(drawing.image)
        whole = case.truth["right-lung"] | case.truth["left-lung"] if case else None
        masks = labels(drawing, pixels, whole)
        truth = {key: masks[key] for key in KEYS}
        yield Case(drawing.image, pixels, truth, ASSUMED_WIDTH_MM, case.group if case else drawing.image)


def diaphragm(data: Path, engine: str) -> Iterator[float]:
    """Yield the sag of the diaphragm behind the left half of each heart, relative to the width of its base."""
    for case in v7(data):
        try:
            found = masks_of(ChestXray(engine=engine)(image_of(case), None, Progress()))
        except MedImageError:
            continue
        base = base_of(*(found.get(key, np.zeros(case.pixels.shape, bool)) for key in ("heart", *KEYS[:2])))
        if base is None:
            continue
        columns = np.flatnonzero(case.truth["left-lung"].any(axis=0))
        share = base.along(columns)
        columns, share = (each[(share > 0.65) & (share < 0.9)] for each in (columns, share))
        if columns.size:
            lowest = len(case.pixels) - 1 - case.truth["left-lung"][::-1, columns].argmax(axis=0)
            yield float(np.median((lowest - base.rows(columns, 0)) / (4 * base.width * share * (1 - share))))


def image_of(case: Case) -> sitk.Image:
    image = sitk.GetImageFromArray(case.pixels)
    spacing = case.width_mm / case.pixels.shape[1]
    image.SetSpacing((spacing, spacing))
    return image


def cases(data: Path) -> Iterator[ScoredCase]:
    """Yield the radiographs of JSRT as the preset gets them."""
    for case in jsrt(data):
        yield ScoredCase(case.name, MedicalImage(image_of(case), ImageInfo(modality="CR")), case.truth)


def scored(case: Case, method: ChestXray) -> Score:
    image = image_of(case)
    started = time.perf_counter()
    try:
        segmentation = method(image, None, Progress())
    except MedImageError as problem:
        nothing = (float("nan"),) * 4
        return Score(case, {}, 0.0, *nothing, time.perf_counter() - started, str(problem))
    seconds = time.perf_counter() - started
    found = masks_of(segmentation)
    truth = dict(case.truth)
    lungs = {key: found.get(key, np.zeros(case.pixels.shape, bool)) for key in KEYS[:2]}
    if "heart" not in truth:
        truth = beside_mediastinum(truth, lungs)
    dices = [dice(lungs[key], truth[key]) for key in KEYS[:2]]
    distances = [hausdorff95(lungs[key], truth[key], image.GetSpacing()[0]) for key in KEYS[:2]]
    iou, ratio, true_ratio = (float("nan"),) * 3
    if "heart" in truth:
        iou = jaccard(found["heart"], truth["heart"]) if "heart" in found else 0.0
        true_ratio = ratio_of(image, reference(case, image))
    ratio = ratio_of(image, segmentation)
    return Score(case, found, float(np.mean(dices)), float(np.mean(distances)), iou, ratio, true_ratio, seconds)


def masks_of(segmentation: Segmentation) -> dict[str, np.ndarray]:
    array = sitk.GetArrayFromImage(segmentation.labelmap)
    return {found.key: array == found.label for found in segmentation.segments}


def beside_mediastinum(truth: dict[str, np.ndarray], lungs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out of the reference what lies medial of the lung field found, row by row."""
    columns = np.arange(next(iter(truth.values())).shape[1])[None, :]
    right_rows, right_edge = medial_edge(lungs["right-lung"], -1)
    left_rows, left_edge = medial_edge(lungs["left-lung"], 0)
    rows = np.arange(lungs["right-lung"].shape[0])
    return {
        "right-lung": truth["right-lung"] & (columns <= np.interp(rows, right_rows, right_edge)[:, None]),
        "left-lung": truth["left-lung"] & (columns >= np.interp(rows, left_rows, left_edge)[:, None]),
    }


def medial_edge(lung: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(lung.any(axis=1))
    if len(rows) == 0:
        return np.array([0]), np.array([0 if which == 0 else lung.shape[1]])
    return rows, np.array([np.flatnonzero(lung[row])[which] for row in rows])


def reference(case: Case, image: sitk.Image) -> Segmentation:
    layers, segments = [], []
    for index, key in enumerate(KEYS):
        layer = sitk.GetImageFromArray(case.truth[key].astype(np.uint8))
        layer.CopyInformation(image)
        layers.append(layer)
        segments.append(segment(key, 1, index))
    return Segmentation(tuple(layers), tuple(segments))


def ratio_of(image: sitk.Image, segmentation: Segmentation) -> float:
    return CardiothoracicRatio()(MedicalImage(image), segmentation, Progress())[0].value


def row_of(name: str, scores: list[Score]) -> str:
    lungs = np.array([s.lungs_dice for s in scores])
    distance = np.nanmean([s.hausdorff_mm for s in scores])
    ious = np.array([s.heart_iou for s in scores])
    errors = np.array([s.ratio - s.true_ratio for s in scores])
    assessed = np.isfinite([s.ratio for s in scores]).mean()
    heart = f"{np.nanmean(ious):.3f} / {np.nanpercentile(ious, 5):.3f}" if np.isfinite(ious).any() else "-"
    ratio = (
        f"{np.nanmean(np.abs(errors)):.4f} | {np.nanmean(errors):+.4f} ± {np.nanstd(errors):.4f}"
        if np.isfinite(errors).any()
        else "- | -"
    )
    seconds = np.median([s.seconds for s in scores])
    return (
        f"| {name} | {len(scores)} | {lungs.mean():.4f} / {np.percentile(lungs, 5):.4f} | {distance:.1f} | {heart} "
        f"| {ratio} | {assessed:.0%} | {seconds:.2f} |"
    )


def sheet(scores: list[Score], path: Path, size: int = 400, columns: int = 5) -> None:
    """Draw outlines found (red, green, blue) and of the reference (yellow) on the pictures, worst first."""
    tiles = []
    for score in scores:
        low, high = np.percentile(score.case.pixels, [1, 99])
        outlines = [(mask, (1, 1, 0)) for mask in score.case.truth.values()]
        outlines += [(score.found[key], COLORS[key]) for key in KEYS if key in score.found]
        small = [(square(mask, size, order=0), color) for mask, color in outlines]
        tiles.append(overlay(square(score.case.pixels, size), low, high, small))
    contact_sheet(tiles, path, columns)


def use_weights(path: Path | None) -> None:
    """Make the method use other weights than those that ship, of the engine that the file is for."""
    from MedImageAnalysisLib.segmentation.chest_xray import cascade, method, outliners

    method.load_cascade = cascade.load_cascade
    method.load_network_outliner = outliners.load_network_outliner
    if path is not None and path.suffix == ".onnx":
        method.load_network_outliner = lambda: outliners.network_outliner(path)
    elif path is not None:
        read = cascade.read_cascade(path)
        method.load_cascade = lambda: read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--cases", type=int, help="at most so many cases per set, evenly chosen")
    parser.add_argument("--sheet", type=Path, help="write the worst five cases of each set and engine as pictures")
    parser.add_argument("--weights", type=Path, help="weights to test instead of those that ship (.npz or .onnx)")
    parser.add_argument("--folds", type=Path, help="folder with fold0.npz, fold0.onnx ...: weights without the patient")
    parser.add_argument("--engine", nargs="+", default=list(SUFFIXES), choices=list(SUFFIXES))
    parser.add_argument("--diaphragm", action="store_true", help="only print quartiles of the diaphragm's sag")
    options = parser.parse_args()
    if options.diaphragm:
        for engine in options.engine:
            sags = np.array(list(diaphragm(options.data, engine)))
            print(f"{engine}: {len(sags)} cases, quartiles {np.round(np.percentile(sags, (25, 50, 75)), 3)}")
        return
    print(HEADER)
    sets = {"drawn": drawn, "chest_xray_lungs": v7} if options.folds else {"chest_xray_jsrt": jsrt}
    for name, cases in sets.items():
        read = list(cases(options.data))
        if options.cases:
            read = [read[i] for i in np.linspace(0, len(read) - 1, options.cases).astype(int)]
        for engine in options.engine:
            scores = evaluated(read, options, engine)
            if not scores:
                continue
            print(row_of(f"{name}, {engine}", scores), flush=True)
            for problem in (s for s in scores if s.problem):
                print(f"  {problem.case.name}: {problem.problem}")
            if options.sheet:
                worst = sorted(scores, key=lambda s: np.nan_to_num(s.heart_iou) + s.lungs_dice)[:5]
                sheet(worst, options.sheet.with_name(f"{options.sheet.stem}-{name}-{engine}.png"))


def evaluated(cases: list[Case], options: argparse.Namespace, engine: str) -> list[Score]:
    """Return the scores of an engine; none if the folder of folds has no weights of it."""
    method = ChestXray(engine=engine)
    if not options.folds:
        use_weights(options.weights)
        return [scored(case, method) for case in cases]
    from train_chest_xray import FOLDS, fold_of

    scores = []
    for fold in range(FOLDS):
        path = options.folds / f"fold{fold}{SUFFIXES[engine]}"
        if path.exists():
            use_weights(path)
            scores += [scored(case, method) for case in cases if fold_of(case.group) == fold]
    return scores


if __name__ == "__main__":
    main()
