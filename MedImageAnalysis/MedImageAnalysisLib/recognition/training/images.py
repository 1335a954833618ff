"""Train a shipped image model again.

``python -m MedImageAnalysisLib.recognition.training.images NAME DATA --output FOLDER``

DATA is the folder that holds the collections; what was computed is kept in ``--work`` and taken up again there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...progress import Progress
from ..linear import describe
from ..model import Model
from .augmentation import varied
from .card import model_card, performance_rows
from .data import LabelledImage, collection_key, read_pixels
from .exemplars import add_exemplars
from .fitting import LinearFit, compact, fit_linear
from .folder import draft_model, write_model
from .judging import Judgement, judge, predicted
from .recipe import Recipe
from .recipes import RECIPES
from .stranger_classifier import Strangers
from .strangers import FOREIGN, foreign, spoiled_each_way, strangers

__all__ = ["Drawing", "described", "main", "train"]

RARE_EVERY = 4

Drawing = Callable[[np.ndarray, np.ndarray], Mapping[str, bytes]]


def train(
    recipe: Recipe, data: Path, output: Path, work: Path, progress: Progress, draw: Drawing | None = None
) -> Model:
    """Train, judge and write the model of `recipe` from the collections in `data`.

    What `draw` makes of the probabilities and the true categories of the held-out cases goes beside the card.
    """
    cases = recipe.read(data / recipe.folder)
    x, copies = _features(recipe, cases, work, progress.part(0.0, 0.6))
    y = np.array([case.category for case in cases])
    groups = np.array([case.group for case in cases])
    kept = np.array([not case.held_out for case in cases])
    repeats = copies.shape[1]
    fit = fit_linear(
        np.concatenate([x[kept], copies[kept].reshape(-1, x.shape[1])]),
        np.concatenate([y[kept], np.repeat(y[kept], repeats)]),
        np.concatenate([groups[kept], np.repeat(groups[kept], repeats)]).tolist(),
        recipe.settings,
        progress.part(0.6, 0.9),
        strangers=_strangers(recipe, cases, data, work),
        genuine=np.arange(int(kept.sum()) * (1 + repeats)) < kept.sum(),
    )
    fit = compact(fit)
    progress.step("Judge on held-out images", 0.9)
    draft = described(recipe, fit, int(kept.sum()))
    held = ~kept
    with draft_model(output.name, draft, fit.arrays) as model:
        judgement = judge(
            model, x[held], y[held], groups[held].tolist(), recipe.positive, recipe.question, recipe.settings.repeats
        )
        flagged = _flagged(model, recipe, data, cases)
        plots = draw(predicted(model, x[held])[0], y[held]) if draw else {}
    final = draft | {"performance": performance_rows(judgement, f"held-out part of {recipe.folder}")}
    progress.step("Write the model", 0.98)
    card = _card(recipe, final, judgement, flagged, int(kept.sum()), tuple(plots))
    model = write_model(output, final, card, fit.arrays, plots)
    return add_exemplars(output, recipe, cases) if recipe.exemplars else model


def _features(
    recipe: Recipe, cases: Sequence[LabelledImage], work: Path, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return descriptors of each case (cases, features) and of its copies (cases, copies, features)."""
    key = collection_key(cases, recipe.descriptors, recipe.copies, recipe.mirror, recipe.settings.seed)
    stored = work / f"{recipe.folder}-{key}.npz"
    if stored.is_file():
        with np.load(stored, allow_pickle=False) as found:
            return found["x"].astype(np.float32), found["copies"].astype(np.float32)
    x, copies = [], []
    for index, case in enumerate(cases):
        progress.step(f"Describe image {index + 1} of {len(cases)}", index / len(cases))
        pixels = read_pixels(case.path)
        x.append(describe(recipe.descriptors, pixels))
        random = np.random.default_rng([recipe.settings.seed, index])
        variants = [varied(pixels, random, recipe.mirror) for _ in range(0 if case.held_out else recipe.copies)]
        rows = [describe(recipe.descriptors, variant) for variant in variants]
        copies.append(rows or [np.zeros_like(x[-1])] * recipe.copies)
    work.mkdir(parents=True, exist_ok=True)
    arrays = np.array(x, dtype=np.float16), np.array(copies, dtype=np.float16).reshape(len(x), recipe.copies, len(x[0]))
    np.savez(stored, x=arrays[0], copies=arrays[1])
    return arrays[0].astype(np.float32), arrays[1].astype(np.float32)


def _strangers(recipe: Recipe, cases: Sequence[LabelledImage], data: Path, work: Path) -> Strangers | None:
    """Return descriptors of spoiled training images, of noise and of other images, as the recipe asks for."""
    if not recipe.spoiled:
        return None
    key = collection_key(cases, recipe.descriptors, "each way", recipe.foreign, recipe.settings.seed)
    stored = work / f"{recipe.folder}-spoiled-{key}.npz"
    if not stored.is_file():
        paths = [case.path for case in cases if not case.held_out]
        images = chain(_spoiled_images(paths, recipe.settings.seed), _foreign_images(recipe, data))
        sources, rows = zip(*((source, describe(recipe.descriptors, image)) for source, image in images), strict=True)
        np.savez(stored, x=np.array(rows, dtype=np.float16), source=np.array(sources))
    with np.load(stored, allow_pickle=False) as found:
        return Strangers(found["x"].astype(np.float32), found["source"])


def _spoiled_images(paths: Sequence[Path], seed: int) -> Iterator[tuple[int, sitk.Image]]:
    """Yield every training image spoiled in each way, and which one it was."""
    random = np.random.default_rng(seed)
    for index, path in enumerate(paths):
        for image in spoiled_each_way(read_pixels(path), random, rare=index % RARE_EVERY == 0):
            yield index, image


def _foreign_images(recipe: Recipe, data: Path) -> Iterator[tuple[int, sitk.Image]]:
    """Yield images of the other collections and photographs, if the recipe asks for them, made from no case (-1)."""
    if recipe.foreign:
        for image in foreign(data, recipe.folder, FOREIGN, np.random.default_rng(recipe.settings.seed)):
            yield -1, image


def described(recipe: Recipe, fit: LinearFit, cases: int) -> dict:
    """Return the model.json of the fitted recipe, still without figures."""
    return {
        "format": 1,
        "kind": "linear",
        **recipe.description,
        "training": recipe.description["training"] | {"cases": cases},
        "coverage": recipe.settings.coverage,
        "linear": {
            "descriptors": [
                {"descriptor": descriptor.name, **descriptor.settings()} for descriptor in recipe.descriptors
            ],
            "temperature": fit.temperature,
            "set_thresholds": list(fit.set_thresholds),
            "outlier_range": list(fit.outlier_range),
            "priors": list(fit.priors),
            "stranger_limit": fit.stranger_limit,
        },
    }


def _flagged(model: Model, recipe: Recipe, data: Path, cases: Sequence[LabelledImage]) -> Mapping[str, float]:
    """Return the share of images of other kinds that the model flags."""
    own = [read_pixels(case.path) for case in cases if case.held_out]
    shares = {}
    for name, images in strangers(own, data, recipe.folder):
        x = np.array([describe(recipe.descriptors, image) for image in images])
        shares[name] = float(predicted(model, x)[1].mean())
    return shares


def _card(
    recipe: Recipe,
    description: dict,
    judgement: Judgement,
    flagged: Mapping[str, float],
    cases: int,
    plots: Sequence[str],
) -> str:
    return model_card(
        description,
        judgement,
        features="Features of the whole image, brought to a square and its pixels to ranks: "
        + "; ".join(f"`{descriptor!r}`" for descriptor in recipe.descriptors)
        + ".",
        split=f"{cases} images train and calibrate; augmented copies of each, which only train: {recipe.copies}. "
        f"{judgement.cases} others, of other patients or groups, give the figures below.",
        command=f"python -m MedImageAnalysisLib.recognition.training.images {description['name']} DATA "
        f"--output models/{description['name']}",
        notes=recipe.data_notes,
        known_failures=recipe.known_failures,
        outliers=flagged,
        plots=plots,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("data", type=Path, help="folder that holds the collections")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where descriptors are kept")
    chosen = parser.parse_args(arguments)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def show(message: str, fraction: float) -> None:
        sys.stderr.write(f"\r{100 * fraction:5.1f} % {message:60.60}")

    model = train(RECIPES[chosen.name], chosen.data, chosen.output, chosen.work, Progress(report=show))
    sys.stderr.write("\n")
    for row in model.performance:
        sys.stdout.write(f"{row.measure:58} {row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})\n")


if __name__ == "__main__":
    main()
