"""Train the model of the textbook chain again.

``python -m MedImageAnalysisLib.recognition.training.textbook DATA --output FOLDER``

The chain is the preset `textbook-chest-xray`: equalize the histogram, quickshift superpixels, features of the regions,
softmax. DATA is the folder that holds the collections; features are kept in ``--work`` and taken up again there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis import Analysis
from ...image import read_image
from ...pipeline import run
from ...preset import load_preset
from ...progress import Progress
from ..case import RecognitionCase
from ..inputs import Input
from ..model import Model
from .card import model_card, performance_rows
from .data import LabelledImage
from .fitting import FitSettings, LinearFit, compact, fit_linear
from .folder import write_model
from .judging import Judgement, judge
from .recipes import CHEST, chest_cases

__all__ = ["INPUTS", "main", "train"]

PRESET = "textbook-chest-xray"
# Only features without a unit of length: the chain must not depend on the size of the image in pixels.
_FEATURES = (
    "shape2d_circularity",
    "shape2d_elongation",
    "shape2d_solidity",
    "shape2d_extent",
    "stat_mean",
    "stat_var",
    "stat_skew",
    "stat_kurt",
    "stat_p10",
    "stat_p90",
    "stat_mad",
)
_STATISTICS = ("mean", "std", "p10", "p50", "p90")
INPUTS = tuple(Input("feature", name, "*", statistic) for name in _FEATURES for statistic in _STATISTICS)


def train(data: Path, output: Path, work: Path, progress: Progress, every: int = 1) -> Model:
    """Train, judge and write the model; `every` > 1 takes only each such training image."""
    cases = chest_cases(data / CHEST.folder)
    held = [case for case in cases if case.held_out]
    cases = tuple(case for case in cases if not case.held_out)[::every] + tuple(held)
    x = _features(cases, work / f"{PRESET}-{every}.npz", progress.part(0.0, 0.8))
    usable = np.isfinite(x).all(axis=1)
    x, cases = x[usable], [case for case, use in zip(cases, usable, strict=True) if use]
    y = np.array([case.category for case in cases])
    groups = np.array([case.group for case in cases])
    kept = np.array([not case.held_out for case in cases])
    settings = FitSettings(explained=0.9999, seed=CHEST.settings.seed)
    fit = compact(fit_linear(x[kept], y[kept], groups[kept].tolist(), settings, progress.part(0.8, 0.95)))
    description = _described(fit, int(kept.sum()), settings.coverage)
    model = write_model(output, description | {"performance": []}, f"# {description['title']}", fit.arrays)
    judgement = judge(model, x[~kept], y[~kept], groups[~kept].tolist(), CHEST.positive, CHEST.question)
    final = description | {"performance": performance_rows(judgement, f"held-out part of {CHEST.folder}")}
    return write_model(output, final, _card(final, judgement, int(kept.sum()), int((~usable).sum()), every), fit.arrays)


def _described(fit: LinearFit, cases: int, coverage: float) -> dict[str, Any]:
    """Return the model.json of the fitted chain, still without figures."""
    return {
        "format": 1,
        "kind": "linear",
        **CHEST.description,
        "name": "chest-xray-textbook",
        "title": "Pneumonia by the textbook chain",
        "intended_use": "Teaching: what a softmax over a few region features can and cannot tell of a radiograph of a "
        "child of 1 to 5 years. Use chest-xray-pneumonia for anything else. Not for diagnosis.",
        "training": CHEST.description["training"] | {"cases": cases},
        "references": CHEST.description["references"][:1],
        "coverage": coverage,
        "linear": {
            "inputs": [source.to_json() for source in INPUTS],
            "temperature": fit.temperature,
            "set_thresholds": list(fit.set_thresholds),
            "outlier_range": list(fit.outlier_range),
            "priors": list(fit.priors),
            "gate": CHEST.description["name"],
        },
    }


def _card(description: dict[str, Any], judgement: Judgement, cases: int, left_out: int, every: int) -> str:
    return model_card(
        description,
        judgement,
        features=f"Preset `{PRESET}`; mean, standard deviation, 10th, 50th and 90th percentile over all superpixels of "
        + ", ".join(f"`{name}`" for name in _FEATURES)
        + ".",
        split=f"{cases} images train and calibrate; {judgement.cases} of other patients give the figures. "
        f"{left_out} images without a complete row of features were left out.",
        command=f"python -m MedImageAnalysisLib.recognition.training.textbook DATA --every {every} "
        "--output models/chest-xray-textbook",
        notes=(
            "Whether an image is a frontal radiograph of a child at all is judged by "
            f"`{CHEST.description['name']}`, see its card; the few features of this chain cannot tell.",
        ),
        known_failures=(
            "Superpixels know nothing of lungs: what is outside the thorax counts as much as what is inside.",
            *CHEST.known_failures[1:],
        ),
    )


def _features(cases: Sequence[LabelledImage], stored: Path, progress: Progress) -> np.ndarray:
    """Return the inputs of each case; what is stored already is not computed again."""
    preset = replace(load_preset(PRESET), models=())
    rows: list[np.ndarray] = []
    if stored.is_file():
        with np.load(stored, allow_pickle=False) as found:
            rows = list(found["x"])
    stored.parent.mkdir(parents=True, exist_ok=True)
    for index in range(len(rows), len(cases)):
        progress.step(f"Analyze image {index + 1} of {len(cases)}", index / len(cases))
        image = read_image(cases[index].path, color=preset.color)
        rows.append(_inputs(run(image, preset)))
        if index % 200 == 199 or index + 1 == len(cases):
            np.savez(stored, x=np.array(rows))
    return np.array(rows)


def _inputs(analysis: Analysis) -> np.ndarray:
    case = RecognitionCase(
        analysis.image, analysis.processed, analysis.segmentation, analysis.features, analysis.measurements
    )
    return np.array([source.read(case).value for source in INPUTS])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds the collections")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where features are kept")
    parser.add_argument("--every", type=int, default=3, help="take only each such training image")
    chosen = parser.parse_args(arguments)

    def show(message: str, fraction: float) -> None:
        sys.stderr.write(f"\r{100 * fraction:5.1f} % {message:60.60}")

    model = train(chosen.data, chosen.output, chosen.work, Progress(report=show), chosen.every)
    sys.stderr.write("\n")
    for row in model.performance:
        sys.stdout.write(f"{row.measure:58} {row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})\n")


if __name__ == "__main__":
    main()
