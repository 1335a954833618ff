"""Fit the pixel classifiers of the method `breast-ultrasound` and write `segmentation/breast_ultrasound/weights.npz`.

Data: the training part of breast_ultrasound_busi (Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863, CC BY 4.0);
its other part, of other groups of near-duplicates, is kept for evaluation. Needs numpy, scipy, SimpleITK and
scikit-image; about ten minutes.

    python benchmarks/train_breast_ultrasound.py --output .../breast_ultrasound/weights.npz
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from common.data import add_data_option
from MedImageAnalysisLib.preprocessing.speckle import SpeckleDiffusion
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.segmentation.breast_ultrasound.classifier import (
    CHANNELS,
    LONG_SIDE,
    Classifier,
    around_lesion,
)
from MedImageAnalysisLib.segmentation.breast_ultrasound.lesion import Picture, expanded, outlines
from MedImageAnalysisLib.segmentation.pixel_classifier.frame import Frame, sampled, whole_picture
from MedImageAnalysisLib.segmentation.pixel_classifier.picture import exposed, reduced
from MedImageAnalysisLib.segmentation.pixel_classifier.stage import Stage, features, run_stages
from MedImageAnalysisLib.segmentation.pixel_classifier.weights import stage_arrays
from train_chest_xray import disturbed, fitted, jittered

# Per stage: size of the frame, hidden units, augmented views per picture, pixels per view, epochs.
LOCATE = ((48, (48, 24), 6, 200, 8), (96, (48, 24), 4, 350, 8))
OUTLINE = ((48, (48, 24), 6, 250, 8), (96, (48, 24), 4, 500, 8))
# Every so many training pictures teach how well outlines fit.
JUDGED = 3
RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class Example:
    """One picture as it is and with its speckle reduced; `truth` holds the channels as bytes."""

    name: str
    group: str
    variants: tuple[np.ndarray, ...]
    valid: np.ndarray
    truth: np.ndarray
    frames: tuple[Frame, ...]


def examples(data: Path, split: str) -> list[Example]:
    """Read the pictures of one part of the data."""
    folder = data / "breast_ultrasound_busi"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [example(row, folder) for row in csv.DictReader(file) if row["split"] == split]


def example(row: dict[str, str], folder: Path) -> Example:
    image = sitk.ReadImage(str(folder / row["image"]), sitk.sitkFloat32)
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / row["mask"]))) > 0
    smooth = SpeckleDiffusion()(image, Progress())
    variants = tuple(reduced(each, LONG_SIDE)[0] for each in (image, smooth))
    rows, columns = variants[0].shape
    factor = reduced(image, LONG_SIDE)[1]
    mask = mask[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).mean(axis=(1, 3)) >= 0.5
    return Example(row["image"], row["group"], variants, exposed(variants[0]), channels(mask), frames(mask))


def channels(mask: np.ndarray) -> np.ndarray:
    """Return lesion, its core and its surroundings as soft bytes; the latter two help later stages."""
    parts, count = ndimage.label(mask)
    core, halo = np.zeros_like(mask), np.zeros_like(mask)
    for part in range(1, count + 1):
        inside = parts == part
        depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        away = ndimage.distance_transform_edt(~inside)
        core |= depth > 0.5 * depth.max()
        halo |= (away > 0) & (away < 0.35 * np.sqrt(inside.sum()))
    known = [mask, core, halo & ~mask]
    return np.stack([ndimage.gaussian_filter(c * np.float32(255), 1.0) for c in known]).astype(np.uint8)


def frames(mask: np.ndarray) -> tuple[Frame, ...]:
    """Return the frame around each lesion that is more than a speck."""
    parts, count = ndimage.label(mask)
    masks = [parts == part for part in range(1, count + 1)]
    return tuple(around_lesion(one) for one in masks if one.sum() >= 0.001 * mask.size)


def view(case: Example, frame: Frame, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return normalized frame and truth, both at the frame's size."""
    pixels = disturbed(case.variants[rng.integers(len(case.variants))], rng)
    image = sampled(pixels, case.valid, frame, size)
    matrix, offset = frame.matrix(size)
    truth = [ndimage.affine_transform(t, matrix, offset, (size, size), np.float32, order=1) / 255 for t in case.truth]
    flip = rng.choice([-1, 1])
    return image[:, :, ::flip], np.stack(truth)[:, :, ::flip]


def chosen(truth: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose pixels, four tenths of them near outlines."""
    lesion = truth[0]
    boundary = (lesion > 0.02) & (lesion < 0.98)
    near = np.flatnonzero(ndimage.binary_dilation(boundary, iterations=max(1, len(lesion) // 48)))
    there = rng.choice(near, min(len(near), 2 * count // 5), replace=False) if len(near) else near
    return np.concatenate([there, rng.choice(lesion.size, count - len(there), replace=False)])


def whole(case: Example, rng: np.random.Generator) -> Frame:
    return jittered(whole_picture(case.valid.shape), rng, 0.1, 0.2, 0.08)


def close(case: Example, rng: np.random.Generator) -> Frame:
    return jittered(case.frames[rng.integers(len(case.frames))], rng, 0.12, 0.2, 0.08)


def rows_of(
    cases: list[Example], setting: tuple, seed: int, place: Callable[..., Frame], before: dict[str, list[Stage]]
) -> tuple[np.ndarray, ...]:
    """Return training rows: features, truth and that all of it is known."""
    size, _, views, count, _ = setting
    inputs, truths = [], []
    for number, case in enumerate(cases):
        rng = np.random.default_rng([seed, number])
        for _ in range(views):
            image, truth = view(case, place(case, rng), size, rng)
            context = run_stages(before[case.group], image) if before else None
            pixels = chosen(truth, count, rng)
            inputs.append(features(image, context).reshape(-1, size * size)[:, pixels].T.astype(np.float32))
            truths.append(truth.reshape(len(CHANNELS), -1)[:, pixels].T.astype(np.float32))
    rows = np.concatenate(truths)
    return np.concatenate(inputs), rows, np.ones(rows.shape, dtype=bool)


def cascade(cases: list[Example], settings: tuple, place: Callable[..., Frame], seed: int) -> list[Stage]:
    """Fit stages; each learns on what the stage before says of pictures it was not fitted on."""
    groups = sorted({case.group for case in cases})
    half = {group: index % 2 for index, group in enumerate(groups)}
    stages: list[Stage] = []
    before: dict[str, list[Stage]] = {}
    for number, setting in enumerate(settings):
        data = timed("rows", partial(rows_of, cases, setting, seed + number, place, before))
        stages.append(timed(f"stage {number}", partial(fitted, data, setting, seed)))
        if number + 1 < len(settings):
            side = np.repeat([half[case.group] for case in cases], setting[2] * setting[3])
            crossed = [fitted(tuple(part[side != k] for part in data), setting, seed + k) for k in (0, 1)]
            before = {group: [*before.get(group, []), crossed[half[group]]] for group in groups}
    return stages


def fit_of_outlines(cases: list[Example], classifier: Classifier) -> np.ndarray:
    """Fit what Dice coefficient to expect of an outline with given signs, by ridge regression."""
    signs, fits = [], []
    for case in cases:
        pixels = case.variants[1]
        picture = Picture(pixels, case.valid, classifier.suspicion(pixels, case.valid))
        for outline in outlines(picture, classifier, Progress()):
            signs.append(outline.signs)
            fits.append(dice(outline.mask, case.truth[0] > 127))
    return ridge(np.array(signs), np.array(fits))


def ridge(signs: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """Return the weights of the expanded signs that predict the fits."""
    columns = expanded(signs)
    spread = columns.std(axis=0)
    spread[0] = 1.0
    scaled = columns / spread
    penalty = RIDGE * len(fits) * np.eye(columns.shape[1])
    penalty[0, 0] = 0.0
    return np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ fits) / spread


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1))


def write(classifier: Classifier, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {"weights": classifier.weights}
    for part in ("locate", "outline"):
        arrays[f"{part}_stages"] = np.array(len(getattr(classifier, part)))
        for index, stage in enumerate(getattr(classifier, part)):
            arrays |= stage_arrays(stage, f"{part}_{index}")
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def timed(what: str, work: Callable):
    started = time.perf_counter()
    result = work()
    print(f"{what}: {time.perf_counter() - started:.0f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    cases = timed("reading", partial(examples, options.data, "train"))
    with_lesion = [case for case in cases if case.frames]
    print(f"{len(cases)} pictures, {len(with_lesion)} with a lesion")
    locate = cascade(cases, LOCATE, whole, 1)
    outline = cascade(with_lesion, OUTLINE, close, 11)
    classifier = Classifier(tuple(locate), tuple(outline), np.zeros(0))
    weights = timed("fit of outlines", partial(fit_of_outlines, cases[::JUDGED], classifier))
    write(replace(classifier, weights=weights), options.output)


if __name__ == "__main__":
    main()
