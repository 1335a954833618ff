"""Add to a linear image model the training images by which it explains itself; its weights stay as they are.

``python -m MedImageAnalysisLib.recognition.training.exemplars MODEL DATA``

MODEL is the folder of a shipped model, DATA the folder that holds the collections.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...untrusted_file import sha256_of
from ..library import load_model
from ..linear import describe, project
from ..model import Model
from .data import LabelledImage, lots, read_pixels
from .folder import pack_weights, replaced_folder
from .recipe import Recipe
from .recipes import RECIPES

__all__ = ["add_exemplars", "chosen_exemplars", "main"]

FILE = "exemplars.npz"
EACH = 80
AXES = 64


def chosen_exemplars(cases: Sequence[LabelledImage], seed: int) -> list[LabelledImage]:
    """Return up to EACH training cases of each category, at most one of a group, drawn by the lots of their groups."""
    drawn: dict[int, list[LabelledImage]] = {}
    groups: set[str] = set()
    chances = lots([case.group for case in cases], seed)
    for i in sorted(range(len(cases)), key=lambda i: (chances[i], cases[i].path.name)):
        own = drawn.setdefault(cases[i].category, [])
        if not cases[i].held_out and cases[i].group not in groups and len(own) < EACH:
            own.append(cases[i])
            groups.add(cases[i].group)
    return [case for category in sorted(drawn) for case in drawn[category]]


def add_exemplars(folder: Path, recipe: Recipe, cases: Sequence[LabelledImage]) -> Model:
    """Write exemplars of `cases` into the folder of a model made by `recipe`, and return the model read back.

    Their ids are the names of the files without suffix: for collections whose names tell nothing of the patients.

    Raises
    ------
    InvalidModelError
        If the result is not a valid model; the folder stays as it was.
    ExportError
        If it cannot be written.
    """
    model = load_model(folder)
    chosen = chosen_exemplars(cases, recipe.settings.seed)
    x = np.array([describe(model.spec.descriptors, read_pixels(case.path)) for case in chosen])
    _, u = project(model.weights(), x)
    content = pack_weights({"coordinates": u[:, :AXES].astype(np.float16)})
    with replaced_folder(folder, keep=True) as made:
        path = made / "model.json"
        description = json.loads(path.read_text(encoding="utf-8"))
        description["linear"]["exemplars"] = {
            "file": FILE,
            "sha256": sha256_of(content),
            "cases": [{"id": case.path.stem, "category": case.category} for case in chosen],
        }
        (made / FILE).write_bytes(content)
        path.write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return load_model(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("data", type=Path, help="folder that holds the collections")
    chosen = parser.parse_args(arguments)
    recipe = RECIPES[load_model(chosen.model).name]
    model = add_exemplars(chosen.model, recipe, recipe.read(chosen.data / recipe.folder))
    sys.stdout.write(f"{len(model.spec.exemplars.cases)} exemplars in {chosen.model / FILE}\n")


if __name__ == "__main__":
    main()
