"""What it is worth that outline and model agree, on held-out pictures with and without a lesion.

    python benchmarks/agreement.py [--images 100]

For breast ultrasound (all held-out pictures) and slices of the brain (some, evenly chosen from the held-out ones): in
how many a region is outlined, and where quality control says that outline and model agree, or do not. Where masks
exist, how well the outline fits then (mean Dice coefficient, 0 where nothing is outlined).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from common.scoring import dice, mask_of
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.quality.agreement import Agreement
from MedImageAnalysisLib.recognition.library import load_model
from MedImageAnalysisLib.recognition.training.data import LabelledImage, spread
from MedImageAnalysisLib.recognition.training.recipes import RECIPES

SETS = {
    "breast-ultrasound": ("breast-ultrasound-lesion", "breast-lesion"),
    "brain-tumor-mri": ("brain-tumor-mri", "tumor-candidate"),
}
NOT_ASSESSED = "not assessed"


@dataclass(frozen=True)
class Outcome:
    """Of one picture: category, whether a region is outlined, the level of the check, and the fit if it is known."""

    category: int
    outlined: bool
    level: str
    fit: float


def outcome(case: LabelledImage, preset: str, key: str) -> Outcome:
    chosen = load_preset(preset)
    analysis = run(read_image(case.path, color=chosen.color), chosen)
    pixels = sitk.GetArrayViewFromImage(analysis.image.pixels)
    found = mask_of(analysis.segmentation, key, pixels.shape)
    levels = [finding.level for finding in analysis.quality if finding.check == Agreement.title]
    mask = case.path.parent.parent / "masks" / case.path.name
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) > 0 if mask.is_file() else None
    fit = dice(found, truth) if truth is not None and truth.any() else np.nan
    return Outcome(case.category, bool(found.any()), levels[0] if levels else NOT_ASSESSED, fit)


def show(title: str, outcomes: Sequence[Outcome]) -> None:
    cells = [len(outcomes)]
    for outlined in (True, False):
        levels = [each.level for each in outcomes if each.outlined == outlined]
        cells += [len(levels), levels.count("amber"), levels.count(NOT_ASSESSED)]
    for level in ("green", "amber"):
        fits = [each.fit for each in outcomes if each.level == level and np.isfinite(each.fit)]
        cells.append(f"{np.mean(fits):.2f}" if fits else "-")
    print(f"| {title} | " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--images", type=int, default=100, help="at most so many slices of the brain")
    options = parser.parse_args()
    print(
        "| preset, category | pictures | outlined | of those, doubted | not assessed | not outlined | of those, doubted"
        " | not assessed | Dice where both agree | where not |\n" + "|---" * 10 + "|"
    )
    for preset, (name, key) in SETS.items():
        recipe = RECIPES[name]
        cases = [case for case in recipe.read(options.data / recipe.folder) if case.held_out]
        if preset == "brain-tumor-mri":
            cases = spread(cases, options.images)
        outcomes = [outcome(case, preset, key) for case in cases]
        for category, found in enumerate(load_model(name).classes):
            show(f"{preset}, {found.title}", [each for each in outcomes if each.category == category])


if __name__ == "__main__":
    main()
