"""Whether evidence can be believed: ``python benchmarks/recognition_evidence.py [MODEL ...] [--data FOLDER]``.

Two checks for each image model, linear or network, on images that it has not learned from:

- **Randomized weights** (Adebayo et al. 2018, arXiv:1810.03292): the map of evidence must depend on what the model has
  learned. Printed: the rank correlation of the map with that of the same model with its weights shuffled (all of them,
  within each array), and, as a yardstick, with the map of another image. Near 1 would mean that the map is drawn by
  the image alone.
- **Deletion** (Samek et al. 2017, doi:10.1109/TNNLS.2016.2599820): the sixth of the image with the most evidence for
  the category is filled with the image's median; its probability must fall by more than if a sixth at random, or the
  sixth with the least evidence, is filled. Printed: the mean fall, and the share of images in which the top sixth
  makes it fall by more than the mean of five draws at random.

The models are asked without their guards, since an image with holes is not typical of anything.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from MedImageAnalysisLib.analysis import MedicalImage, Recognition
from MedImageAnalysisLib.networks import networks_available
from MedImageAnalysisLib.recognition import (
    Model,
    RecognitionCase,
    available_models,
    load_model,
    recognize,
)
from MedImageAnalysisLib.recognition.training.data import LabelledImage, read_pixels
from MedImageAnalysisLib.recognition.training.folder import write_model
from MedImageAnalysisLib.recognition.training.metrics import Estimate, estimate
from MedImageAnalysisLib.recognition.training.recipes import RECIPES

GRID = 6
DELETED = 6
DRAWS = 5


def main() -> None:
    """Check each image model that the data allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names of models; default: all that look at the whole image")
    add_data_option(parser)
    parser.add_argument("--images", type=int, default=60, help="held-out images for each model")
    chosen = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    print("| model | images | map with shuffled weights | map of another image |", end="")
    print(" top sixth filled | random sixth | least sixth | top falls by more |")
    print("|---" * 8 + "|")
    for model, cases in judged(chosen.models, chosen.data):
        spread = cases[:: max(1, len(cases) // chosen.images)][: chosen.images]
        print(row(model, spread), flush=True)


def judged(names: Sequence[str], data: Path) -> Iterator[tuple[Model, list[LabelledImage]]]:
    """Yield each model with the held-out cases of its collection."""
    for listed in available_models():
        recipe = RECIPES.get(listed.alternative_to or listed.name)
        runs = listed.kind != "onnx" or networks_available()
        if recipe and runs and (not names or listed.name in names) and (data / recipe.folder).is_dir():
            model = load_model(listed.name)
            if not getattr(model.spec, "inputs", ()):
                yield model, [case for case in recipe.read(data / recipe.folder) if case.held_out]


def row(model: Model, cases: Sequence[LabelledImage]) -> str:
    """Return the line of the table for one model."""
    with tempfile.TemporaryDirectory() as folder:
        plain = without_guards(model, Path(folder) / "plain")
        shuffled = without_guards(model, Path(folder) / "shuffled", np.random.default_rng(0))
        images = [read_pixels(case.path) for case in cases]
        own = [asked(plain, image) for image in images]
        likeness = [correlation(found, asked(shuffled, image)) for found, image in zip(own, images, strict=True)]
        others = [correlation(found, own[index - 1]) for index, found in enumerate(own)]
        random = np.random.default_rng(0)
        falls = np.array([deletion(plain, image, found, random) for image, found in zip(images, own, strict=True)])
    groups = [case.group for case in cases]
    more = falls[:, 0] > falls[:, 1]
    figures = [likeness, others, *falls.T]
    shown = " | ".join(mean_of(values, groups) for values in figures)
    return f"| {model.name} | {len(cases)} | {shown} | {100 * more.mean():.0f} % |"


def without_guards(model: Model, folder: Path, shuffle: np.random.Generator | None = None) -> Model:
    """Return a copy of `model` that assesses every image as it is; with `shuffle`, its weights are in random order."""
    description = json.loads((model.folder / "model.json").read_text(encoding="utf-8"))
    description = description | {"modalities": [], "body_parts": []}
    description["population"] = {"description": "any", "dimensions": [2]}
    part = description[model.kind] | {"stranger_limit": None, "gate": ""}
    if model.kind == "onnx":
        network = (model.folder / model.weights_file).read_bytes()
        content = shuffled_network(network, shuffle) if shuffle else network
        return write_model(folder, description | {"onnx": part}, "# Copy", network=content)
    arrays = {name: np.array(array) for name, array in model.weights().items() if not name.startswith("stranger")}
    if shuffle:
        for name in ("weights", "axes"):
            arrays[name] = shuffle.permutation(arrays[name].ravel()).reshape(arrays[name].shape)
    part = part | {"outlier_range": [0.0, 1e300]}
    part.pop("exemplars", None)
    return write_model(folder, description | {"linear": part}, "# Copy", arrays)


def shuffled_network(content: bytes, random: np.random.Generator) -> bytes:
    """Return the network with the elements of each of its weights in random order."""
    import onnx

    model = onnx.load_model_from_string(content)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind == "f" and array.size > 1:
            mixed = random.permutation(array.ravel()).reshape(array.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(mixed, tensor.name))
    return model.SerializeToString()


def asked(model: Model, image: sitk.Image) -> Recognition:
    """Return what the model says of an image."""
    found = recognize(model, RecognitionCase(MedicalImage(image), image))
    if not found.assessed:
        raise SystemExit(f"{model.name}: {found.reason}")
    return found


def correlation(one: Recognition, other: Recognition) -> float:
    """Return the rank correlation of two maps of evidence, cell by cell."""
    from scipy.stats import spearmanr

    return float(spearmanr(*(cells(found).ravel() for found in (one, other))).statistic)


def cells(found: Recognition) -> np.ndarray:
    """Return the evidence in each cell of a coarse grid."""
    drawn = sitk.GetArrayFromImage(found.evidence_map)
    side = len(drawn) // GRID
    return drawn.reshape(GRID, side, GRID, side).sum(axis=(1, 3))


def deletion(model: Model, image: sitk.Image, found: Recognition, random: np.random.Generator) -> tuple[float, ...]:
    """Return by how much the probability falls without the top cells, without random ones, and without the least."""
    top = int(np.argmax([row.probability for row in found.categories]))
    order = np.argsort(-cells(found).ravel())
    chosen = [order[:DELETED], *(random.permutation(GRID**2)[:DELETED] for _ in range(DRAWS)), order[-DELETED:]]
    before = found.categories[top].probability
    falls = [before - asked(model, filled(image, which)).categories[top].probability for which in chosen]
    return falls[0], float(np.mean(falls[1:-1])), falls[-1]


def filled(image: sitk.Image, which: np.ndarray) -> sitk.Image:
    """Return the image with some cells of the grid filled with its median."""
    pixels = sitk.GetArrayFromImage(image)
    rows, columns = (np.linspace(0, length, GRID + 1).round().astype(int) for length in pixels.shape)
    median = np.median(pixels)
    for row, column in zip(*np.divmod(which, GRID), strict=True):
        pixels[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = median
    return sitk.GetImageFromArray(pixels)


def mean_of(values: Sequence[float], groups: Sequence[str]) -> str:
    """Return the mean with its bootstrap interval over groups."""
    array = np.asarray(values)
    found: Estimate = estimate(lambda index: float(array[index].mean()), groups)
    return f"{found.value:.2f} ({found.lower:.2f} to {found.upper:.2f})"


if __name__ == "__main__":
    main()
