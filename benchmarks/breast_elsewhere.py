"""Breast lesions in pictures of other hospitals and scanners: outlines of both engines, and what the models say.

    python benchmarks/breast_elsewhere.py BUS-BRA [--sheet cases.png]

The folder holds `images/` and `masks/` with PNG files of the same names, in which "malignant" or "benign" stands. You
bring it: BUS-BRA (Gomez-Flores W et al. Med Phys 2024, doi:10.1002/mp.16812, CC BY 4.0) has 1,875 pictures of four
scanners. Nothing was trained on them. A lesion that is not found counts with Dice 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import common  # noqa: F401 - lets the package be found
from MedImageAnalysisLib.networks import networks_available
from MedImageAnalysisLib.recognition import load_model
from MedImageAnalysisLib.recognition.training.answers import image_answers
from MedImageAnalysisLib.recognition.training.data import read_pixels
from MedImageAnalysisLib.recognition.training.metrics import roc_auc
from MedImageAnalysisLib.segmentation.breast_ultrasound.method import BreastUltrasound
from segmentation_breast_ultrasound import ENGINES, HEADER, row_of, scored, sheet, worst_first

KINDS = ("benign", "malignant")
MODELS = {"classical": "breast-ultrasound-lesion", "network": "breast-ultrasound-lesion-network"}


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return a row for each picture with a mask, as `labels.csv` of breast_ultrasound_busi has them."""
    rows = []
    for path in sorted((folder / "images").glob("*.png")):
        kinds = [kind for kind in KINDS if kind in path.name.lower()]
        if len(kinds) == 1 and (folder / "masks" / path.name).is_file():
            rows.append({"image": f"images/{path.name}", "mask": f"masks/{path.name}", "label": kinds[0]})
    return rows


def recognized(name: str, folder: Path, rows: Sequence[dict[str, str]]) -> str:
    """Return the row of a model."""
    answers = image_answers(load_model(name), [read_pixels(folder / row["image"]) for row in rows])
    malignant = np.array([row["label"] == "malignant" for row in rows])
    p = answers.probabilities
    area = roc_auc(p[:, 2] / (p[:, 1] + p[:, 2]), malignant)
    said = np.array([(p.argmax(axis=1) == category).mean() for category in range(3)])
    return (
        f"| {name} | {answers.strange.mean():.0%} | {area:.3f} | " + " | ".join(f"{each:.0%}" for each in said) + " |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with images/ and masks/")
    parser.add_argument("--sheet", type=Path, help="write overlays of each engine, the worst first")
    options = parser.parse_args()
    rows = rows_of(options.folder)
    if not rows:
        parser.error(f"no pictures in {options.folder / 'images'} that have a mask and are named benign or malignant")
    engines = ENGINES if networks_available() else ENGINES[:1]
    print(HEADER)
    for engine in engines:
        scores = [scored(options.folder, row, BreastUltrasound(engine=engine)) for row in rows]
        for kind in KINDS:
            print(row_of(engine, kind, [score for score in scores if score.kind == kind]))
        print(row_of(engine, "all lesions", scores), flush=True)
        if options.sheet:
            sheet(worst_first(scores), options.sheet.with_name(f"{options.sheet.stem}-{engine}.png"))
    print(
        "\n| model | refused | AUC, malignant against benign | normal | benign | malignant |\n|---|---|---|---|---|---|"
    )
    for engine in engines:
        print(recognized(MODELS[engine], options.folder, rows), flush=True)


if __name__ == "__main__":
    main()
