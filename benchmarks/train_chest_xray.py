"""Fit the cascade of pixel classifiers of the method `chest-xray` and write `segmentation/chest_xray/weights.npz`.

Data: lung masks of chest_xray_lungs (83 pictures, V7 Labs, CC BY 4.0; pictures of the ieee8023 collection, CC BY) and
the first round of `chest_xray_outlines.csv`, on 33 of them and on 8 pictures of children of chest_xray_kermany (CC BY
4.0).
JSRT is not read here: it is for evaluation only. Needs numpy, scipy, SimpleITK and scikit-image; a few minutes each:

    python benchmarks/train_chest_xray.py --data ../shared/data --output /tmp/chest_xray

One run writes `weights.npz`, the weights that ship, and `fold0.npz` ..., each fitted without the patients of one
fold, for out-of-fold evaluation with `segmentation_chest_xray.py --folds /tmp/chest_xray`. All choices are made by
that, none by JSRT. A run that was stopped goes on where it was: fitted stages are kept in the folder. Set
OMP_NUM_THREADS=1 for the same weights again; another linear algebra library gives weights that differ by rounding.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from common.chest_xray_outlines import FIRST_ROUND, OUTLINES, labels, read_drawings, read_pixels, split_lungs
from common.data import add_data_option
from MedImageAnalysisLib.segmentation.chest_xray.cascade import CHANNELS
from MedImageAnalysisLib.segmentation.chest_xray.heart_shape import HeartShape, fit_shape
from MedImageAnalysisLib.segmentation.pixel_classifier.frame import Frame, around, sampled, whole_picture
from MedImageAnalysisLib.segmentation.pixel_classifier.picture import exposed
from MedImageAnalysisLib.segmentation.pixel_classifier.stage import (
    Stage,
    context_features,
    image_features,
    run_stages,
)
from MedImageAnalysisLib.segmentation.pixel_classifier.weights import stage_arrays

FOLDS = 3
# Per stage: size of the frame, hidden units, augmented views per picture, pixels per view, epochs.
LOCATE = (64, (64, 32), 8, 800, 10)
OUTLINE = ((96, (64, 32), 4, 1500, 12), (192, (96, 32), 3, 2200, 8))
BATCH = 2048
RATE = 2e-3
DECAY = 1e-4


@dataclass(frozen=True, eq=False)
class Example:
    """One picture with its masks; `known` is False where a channel's truth is not known there."""

    name: str
    group: str
    pixels: np.ndarray
    valid: np.ndarray
    truth: np.ndarray
    known: np.ndarray

    @property
    def frame(self) -> Frame:
        rows, columns = np.nonzero((self.truth[:4] > 127).any(axis=0))
        return around(columns.min(), rows.min(), columns.max(), rows.max())


def examples(data: Path, last_round: int = FIRST_ROUND) -> list[Example]:
    """Read all pictures that may be used for fitting, with the outlines drawn up to a round."""
    drawings = {(d.folder, d.image): d for d in read_drawings(OUTLINES, last_round)}
    found = []
    with (data / "chest_xray_lungs" / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pixels = read_pixels(data / "chest_xray_lungs" / row["image"])
            lungs = read_pixels(data / "chest_xray_lungs" / row["mask"]) > 0
            drawing = drawings.get(("chest_xray_lungs", row["image"]))
            masks = labels(drawing, pixels, lungs) if drawing else whole_only(lungs)
            found.append(example(row["image"], row["patient"], pixels, masks))
    for (folder, image), drawing in drawings.items():
        if folder == "chest_xray_kermany":
            pixels = read_pixels(data / folder / image)
            found.append(example(image, image, pixels, labels(drawing, pixels, None)))
    return found


def whole_only(lungs: np.ndarray) -> dict[str, np.ndarray]:
    right, left = split_lungs(lungs)
    return {"right-lung-whole": right, "left-lung-whole": left}


def example(name: str, group: str, pixels: np.ndarray, masks: dict[str, np.ndarray]) -> Example:
    """Gather masks as channels, and what follows for the channels that were not drawn."""
    truth = np.zeros((len(CHANNELS), *pixels.shape), dtype=bool)
    known = np.ones_like(truth)
    for index, key in enumerate(CHANNELS):
        if key in masks:
            truth[index] = masks[key]
        elif key == "heart":
            known[index] = False
        elif key.endswith("-whole"):
            # The whole lung holds at least the lung field, and nothing beyond the hull of both fields.
            truth[index] = masks[key.removesuffix("-whole")]
            hull = convex_hull_image(masks["right-lung"] | masks["left-lung"])
            known[index] = truth[index] | ~hull
        else:
            known[index] = ~masks[f"{key}-whole"]
    # As bytes, softened so that boundaries know parts of pixels.
    soft = np.stack([ndimage.gaussian_filter(channel * np.float32(255), 1.0) for channel in truth]).astype(np.uint8)
    return Example(name, group, pixels, exposed(pixels), soft, known)


def jittered(frame: Frame, rng: np.random.Generator, shift: float, zoom: float, turn: float) -> Frame:
    """Return a frame nearby: moved, stretched and turned at random."""
    move = rng.uniform(-shift, shift, 2)
    both = np.exp(rng.uniform(-zoom, zoom))
    stretch = np.exp(rng.uniform(-zoom / 2, zoom / 2))
    return Frame(
        frame.x + move[0] * frame.half_width,
        frame.y + move[1] * frame.half_height,
        frame.half_width * both * stretch,
        frame.half_height * both / stretch,
        rng.normal(0, turn),
    )


def disturbed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the picture with other shading, sharpness and noise."""
    spread = pixels.std() + 1e-6
    coarse = rng.normal(0, 1, (4, 4)).astype(np.float32)
    shading = ndimage.zoom(coarse, (pixels.shape[0] / 4, pixels.shape[1] / 4), order=1, mode="nearest", grid_mode=True)
    result = pixels + rng.uniform(0, 0.35) * spread * shading
    if rng.random() < 0.3:
        result = ndimage.gaussian_filter(result, rng.uniform(0.5, 1.5) * max(pixels.shape) / 512, truncate=2)
    if rng.random() < 0.3:
        result = result + rng.uniform(0, 0.15) * spread * rng.standard_normal(pixels.shape, dtype=np.float32)
    return result.astype(np.float32)


def view(case: Example, frame: Frame, size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return normalized frame, truth and known, all at the frame's size."""
    image = sampled(disturbed(case.pixels, rng), case.valid, frame, size)
    matrix, offset = frame.matrix(size)
    truth = [ndimage.affine_transform(t, matrix, offset, (size, size), np.float32, order=1) / 255 for t in case.truth]
    known = [
        ndimage.affine_transform(k.astype(np.uint8), matrix, offset, (size, size), order=0, mode="nearest")
        for k in case.known
    ]
    return image, np.stack(truth), np.stack(known)


def chosen(truth: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose pixels, two thirds of them near boundaries."""
    boundary = ((truth > 0.02) & (truth < 0.98)).any(axis=0)
    reach = max(1, truth.shape[1] // 48)
    near = np.flatnonzero(ndimage.binary_dilation(boundary, iterations=reach))
    there = rng.choice(near, min(len(near), 2 * count // 3), replace=False) if len(near) else near
    anywhere = rng.choice(truth[0].size, count - len(there), replace=False)
    return np.concatenate([there, anywhere])


@dataclass(frozen=True, eq=False)
class Table:
    """Training rows: features of the image, by target those of the stage before, truth, and where it is known.

    A target is the fold that a cascade is fitted without, or None for all patients.
    """

    fold: np.ndarray
    image: np.ndarray
    truth: np.ndarray
    known: np.ndarray
    context: dict[int | None, np.ndarray]

    def without(self, *folds: int | None, target: int | None = None) -> tuple[np.ndarray, ...]:
        """Return features, truth and known of the patients that are in none of `folds`."""
        kept = np.flatnonzero(~np.isin(self.fold, [fold for fold in folds if fold is not None]))
        inputs = self.image[kept]
        if self.context:
            inputs = np.concatenate([inputs, self.context[target][kept]], axis=1)
        return inputs, self.truth[kept], self.known[kept]


def table_of(
    cases: list[Example], setting: tuple, seed: int, locating: bool, before: dict[tuple[int | None, int], Stage]
) -> Table:
    """Draw the training rows; `before` gives by target and fold of the patient the stage before."""
    size, _, views, count, _ = setting
    targets = {target for target, _ in before}
    folds, images, truths, knowns = [], [], [], []
    contexts: dict[int | None, list[np.ndarray]] = {target: [] for target in targets}
    for number, case in enumerate(cases):
        rng = np.random.default_rng([seed, number])
        fold = fold_of(case.group)
        for turn in range(views):
            image, truth, known = training_view(case, size, rng, turn, locating)
            pixels = chosen(truth, count, rng)
            images.append(picked(image_features(image), pixels))
            truths.append(picked([truth], pixels))
            knowns.append(picked([known], pixels).astype(bool))
            folds.append(np.full(len(pixels), fold))
            for target in targets:
                # A target's own fold has no row in it.
                stage = before.get((target, fold))
                found = run_stages([stage], image) if stage else np.zeros((len(CHANNELS), size, size), np.float32)
                contexts[target].append(picked(context_features(found), pixels))
    joined = {target: np.concatenate(parts) for target, parts in contexts.items()}
    return Table(*(np.concatenate(parts) for parts in (folds, images, truths, knowns)), joined)


def training_view(
    case: Example, size: int, rng: np.random.Generator, turn: int, locating: bool
) -> tuple[np.ndarray, ...]:
    """Return an augmented view of a picture for the stage that locates or for one that outlines."""
    if not locating:
        return view(case, jittered(case.frame, rng, 0.07, 0.1, 0.06), size, rng)
    image, truth, known = view(case, jittered(whole_picture(case.pixels.shape), rng, 0.15, 0.3, 0.1), size, rng)
    if turn % 6 == 5:
        # A negative of the picture shows no lungs: so the polarity can be told.
        return -image, np.zeros_like(truth), np.ones_like(known)
    return image, truth, known


def picked(groups: Iterable[np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Return rows of float32 with the values of images at some pixels."""
    return np.concatenate([group.reshape(len(group), -1)[:, pixels] for group in groups]).T.astype(np.float32)


def batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(count)
    for start in range(0, count - BATCH + 1, BATCH):
        yield order[start : start + BATCH]


def fitted(data: tuple[np.ndarray, ...], setting: tuple, seed: int) -> Stage:
    """Fit one perceptron by Adam on the cross-entropy of the known channels; fold the standardization into it."""
    inputs, truth, known = data
    size, hidden, _, _, epochs = setting
    sample = inputs[:: max(1, len(inputs) // 50000)].astype(np.float32, copy=False)
    mean, spread = sample.mean(axis=0), sample.std(axis=0) + 1e-3
    rng = np.random.default_rng(seed)
    widths = (inputs.shape[1], *hidden, truth.shape[1])
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairwise(widths)]
    biases = [np.zeros(b, np.float32) for b in widths[1:]]
    parameters = weights + biases
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step, total = 0, epochs * (len(inputs) // BATCH)
    for _ in range(epochs):
        for rows in batches(len(inputs), rng):
            x = np.clip((inputs[rows] - mean) / spread, -6, 6)
            gradients = gradient(weights, biases, x, truth[rows], known[rows])
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / total)) * min(1, step / 200)
            for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
                first[i] += 0.1 * (g - first[i])
                second[i] += 0.001 * (g * g - second[i])
                m, v = first[i] / (1 - 0.9**step), second[i] / (1 - 0.999**step)
                p -= rate * (m / (np.sqrt(v) + 1e-8) + DECAY * p)
    scaled_weights = weights[0] / spread[:, None]
    layers = [(scaled_weights, biases[0] - mean @ scaled_weights), *zip(weights[1:], biases[1:], strict=True)]
    return Stage(size, tuple(layers))


def gradient(weights, biases, x, truth, known):
    """Return the gradients of the mean cross-entropy for all weights, then all biases."""
    activations = [x]
    for index, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = x @ w + b
        if index < len(weights) - 1:
            x = np.maximum(x, 0)
        activations.append(x)
    delta = np.where(known, 1 / (1 + np.exp(-np.clip(x, -30, 30))) - truth, 0).astype(np.float32) / len(x)
    by_weight, by_bias = [], []
    for index in range(len(weights) - 1, -1, -1):
        by_weight.append(activations[index].T @ delta)
        by_bias.append(delta.sum(axis=0))
        if index:
            delta = (delta @ weights[index].T) * (activations[index] > 0)
    return by_weight[::-1] + by_bias[::-1]


def cascades(cases: list[Example], folder: Path) -> dict[int | None, list[Stage]]:
    """Fit the stages of each target; a stage learns on what the stage before says of patients it has not seen."""
    targets = (None, *range(FOLDS))
    rows = cache(partial(table_of, cases, LOCATE, 1, True, {}))
    locate = {t: kept(folder, f"locate-{t}", lambda t=t: fitted(rows().without(t), LOCATE, 1)) for t in targets}
    coarse_rows = cache(partial(table_of, cases, OUTLINE[0], 2, False, {}))
    coarse = {
        unseen: kept(
            folder,
            "-".join(map(str, ["coarse", *sorted(unseen)])),
            lambda unseen=unseen: fitted(coarse_rows().without(*unseen), OUTLINE[0], 3),
        )
        for unseen in {frozenset(k for k in pair if k is not None): None for pair in product(targets, targets)}
    }
    before = {(t, k): coarse[frozenset({t, k} - {None})] for t in targets for k in range(FOLDS) if k != t}
    fine_rows = cache(partial(table_of, cases, OUTLINE[1], 3, False, before))
    fine = {
        t: kept(folder, f"fine-{t}", lambda t=t: fitted(fine_rows().without(t, target=t), OUTLINE[1], 5))
        for t in targets
    }
    return {t: [locate[t], coarse[frozenset({t} - {None})], fine[t]] for t in targets}


def kept(folder: Path, name: str, fit: Callable[[], Stage]) -> Stage:
    """Return the stage that is kept in the folder under a name; fit and keep it if there is none yet."""
    path = folder / f"{name}.npz"
    if path.exists():
        with np.load(path) as arrays:
            layers = tuple((arrays[f"weights_{i}"], arrays[f"bias_{i}"]) for i in range(len(arrays.files) // 2))
            return Stage(int(arrays["size"]), layers)
    started = time.perf_counter()
    stage = fit()
    named = {"size": np.array(stage.size)}
    for index, (weights, bias) in enumerate(stage.layers):
        named |= {f"weights_{index}": weights, f"bias_{index}": bias}
    partial_path = folder / f"{name}.partial.npz"
    np.savez(partial_path, **named)
    partial_path.rename(path)
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    return stage


def heart_shape(cases: list[Example], size: int, views: int = 8) -> HeartShape:
    """Fit the shape of the heart to the outlines drawn, in frames that are off by a little."""
    rng = np.random.default_rng(9)
    masks = []
    for case in (case for case in cases if case.known[4].any()):
        for _ in range(views):
            matrix, offset = jittered(case.frame, rng, 0.04, 0.05, 0.03).matrix(size)
            masks.append(ndimage.affine_transform(case.truth[4], matrix, offset, (size, size), order=1) > 127)
    return fit_shape(masks)


def write(stages: list[Stage], heart: HeartShape, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {"stages": np.array(len(stages))}
    arrays |= {f"heart_{field.name}": np.asarray(getattr(heart, field.name)) for field in fields(heart)}
    for index, stage in enumerate(stages):
        arrays |= stage_arrays(stage, f"stage_{index}")
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def fold_of(group: str) -> int:
    """Return the fold of a patient, the same in training and in evaluation."""
    return sum(map(ord, group)) % FOLDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder for the weights")
    options = parser.parse_args()
    stages_folder = options.output / "stages"
    stages_folder.mkdir(parents=True, exist_ok=True)
    cases = examples(options.data)
    for target, stages in cascades(cases, stages_folder).items():
        seen = [case for case in cases if fold_of(case.group) != target]
        print(f"{len(seen)} pictures, {sum(case.known[4].any() for case in seen)} with a heart outline")
        name = "weights.npz" if target is None else f"fold{target}.npz"
        write(stages, heart_shape(seen, OUTLINE[-1][0]), options.output / name)


if __name__ == "__main__":
    main()
