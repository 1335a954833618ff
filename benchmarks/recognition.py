"""How good the recognition models are: ``python benchmarks/recognition.py [--data FOLDER]``.

Prints one Markdown table per model on its held-out images, with 95 % bootstrap intervals over groups; what becomes of
it when those images are changed as by another machine; the share of other images that it flags; the time per image;
what the models for children's chests say of adults, from whom none of them has learned; and, for PneumoniaMNIST and
BreastMNIST, the same method trained on their train part and judged on their val part. The data folder's README
describes them; no test part is touched.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.recognition import RecognitionCase, available_models, load_model, recognize
from MedImageAnalysisLib.recognition.descriptors.scattering import Scattering
from MedImageAnalysisLib.recognition.model import Model
from MedImageAnalysisLib.recognition.training.answers import image_answers, with_sets
from MedImageAnalysisLib.recognition.training.data import LabelledImage, read_pixels
from MedImageAnalysisLib.recognition.training.fitting import FitSettings, LinearFit, fit_linear
from MedImageAnalysisLib.recognition.training.judging import Answers, Judgement, judge_answers, judge_pair
from MedImageAnalysisLib.recognition.training.metrics import accuracy, calibration_error, estimate, roc_auc
from MedImageAnalysisLib.recognition.training.network.shift import SHIFTS, shifted
from MedImageAnalysisLib.recognition.training.recipe import Recipe
from MedImageAnalysisLib.recognition.training.recipes import RECIPES
from MedImageAnalysisLib.recognition.training.strangers import strangers

ADULTS_ASKED = ("chest-xray-pneumonia", "chest-xray-pneumonia-network")
MNIST = {"pneumoniamnist": "pneumonia against normal", "breastmnist": "benign or normal against malignant"}


def main() -> None:
    """Judge each model that the data allow, then the two MedMNIST sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser)
    chosen = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    shipped = {model.name for model in available_models()}
    for name, recipe in RECIPES.items():
        names = [found for found in (name, f"{name}-network") if found in shipped]
        if names and (chosen.data / recipe.folder).is_dir():
            judge_shipped(names, recipe, chosen.data)
    show_adults([name for name in ADULTS_ASKED if name in shipped], chosen.data)
    for name, question in MNIST.items():
        judge_mnist(chosen.data / "medmnist" / f"{name}_trainval.npz", name, question)


def judge_shipped(names: list[str], recipe: Recipe, data: Path) -> None:
    """Print the figures of the shipped models for one question on the held-out part of their collection."""
    held = [case for case in recipe.read(data / recipe.folder) if case.held_out]
    images = [read_pixels(case.path) for case in held]
    others = dict(strangers(images, data, recipe.folder))
    for model in map(load_model, names):
        answers = image_answers(model, images)
        if model.kind == "onnx":
            answers = with_sets(answers, held, model.coverage)
        judgement = judged(answers, held, recipe)
        show(f"{model.name} {model.version} ({model.kind}), {len(held)} held-out images", judgement)
        if recipe.pair:
            show_pair(model, answers, held, recipe.pair)
        show_shifts(model, recipe, held, images)
        print("| images of another kind | flagged |\n|---|---|")
        for kind, found in others.items():
            print(f"| {kind} | {100 * image_answers(model, found).strange.mean():.0f} % |")
        print(f"\nTime of recognition, median of 20: {1000 * median_time(model, images[:20]):.0f} ms, one thread.\n")


def judged(answers: Answers, cases: list[LabelledImage], recipe: Recipe, repeats: int = 1000) -> Judgement:
    """Return the figures of what a model says of these cases."""
    y = np.array([case.category for case in cases])
    return judge_answers(answers, y, groups_of(cases), recipe.positive, recipe.question, repeats)


def show_pair(model: Model, answers: Answers, cases: list[LabelledImage], pair: tuple[int, int]) -> None:
    """Print how well two categories are told from one another."""
    found = judge_pair(answers.probabilities, np.array([case.category for case in cases]), groups_of(cases), pair)
    first, second = (model.classes[category].title for category in pair)
    print(f"{second} against {first.lower()}, {found.cases} images: AUC {found.auc}, ", end="")
    print(f"balanced accuracy {found.balanced_accuracy}\n")


def show_shifts(model: Model, recipe: Recipe, cases: list[LabelledImage], images: list[sitk.Image]) -> None:
    """Print what becomes of the main figures when the images are changed as by another machine."""
    print("| held-out images | AUC | accuracy | sensitivity | specificity | balanced accuracy, all | flagged |")
    print("|---" * 7 + "|")
    for kind in SHIFTS:
        changed = [shifted(image, kind, seed) for seed, image in enumerate(images)]
        figures = judged(image_answers(model, changed), cases, recipe, repeats=2).figures
        wanted = [name for name in figures if name.startswith(("AUC", "Accuracy,", "Sens", "Spec", "Bal", "Share"))]
        wanted.remove(f"Accuracy, {len(model.classes)} categories")
        print(f"| {kind} | " + " | ".join(f"{figures[name].value:.3f}" for name in wanted) + " |")
    print()


def show_adults(names: list[str], data: Path) -> None:
    """Print what the models for children say of adults: how many they flag, and how many they call pneumonia."""
    print("## Adults' chest radiographs, for models of children\n")
    print(
        "| model | images | flagged | called pneumonia, of all | of those that are not flagged |\n|---|---|---|---|---|"
    )
    for kind, pattern in {
        "healthy or nodule (JSRT)": "chest_xray_jsrt",
        "COVID-19 and others": "chest_xray_lungs",
    }.items():
        images = [read_pixels(path) for path in sorted((data / pattern / "images").glob("*.png"))]
        for model in map(load_model, names if images else ()):
            answers = image_answers(model, images)
            called = answers.probabilities[:, 0] < 0.5
            kept = called[~answers.strange]
            shares = answers.strange.mean(), called.mean(), kept.mean() if kept.size else np.nan
            print(f"| {model.name} | {kind} ({len(images)}) | " + " | ".join(f"{s:.2f}" for s in shares) + " |")
    print()


def judge_mnist(path: Path, name: str, question: str) -> None:
    """Train on the train part of a MedMNIST set and print the figures on its val part."""
    if not path.is_file():
        return
    descriptor = Scattering(size=32, grid=4, scales=3, orientations=8)
    with np.load(path) as found:
        parts = {
            part: (
                np.array([descriptor(sitk.GetImageFromArray(image)) for image in found[f"{part}_images"]]),
                found[f"{part}_labels"].ravel().astype(int),
            )
            for part in ("train", "val")
        }
    x, y = parts["train"]
    fit: LinearFit = fit_linear(x, y, [str(i) for i in range(len(y))], FitSettings(maximum_axes=300, members=5))
    x, y = parts["val"]
    p = fit.probabilities(x)
    each = [str(i) for i in range(len(y))]
    even = 1.0 / np.bincount(y)[y]
    figures = {
        f"AUC, {question}": estimate(lambda i: roc_auc(p[i, 1], y[i] == 1), each),
        "Accuracy": estimate(lambda i: accuracy(p[i], y[i]), each),
        "Calibration error": estimate(lambda i: calibration_error(p[i], y[i], case_weights=even[i]), each),
    }
    show(
        f"{name}: trained on train, judged on val ({len(y)} images of 28 x 28)", Judgement(figures, np.zeros((0, 0)), 0)
    )


def groups_of(cases: list[LabelledImage]) -> list[str]:
    """Return the group of each case."""
    return [case.group for case in cases]


def median_time(model: Model, images: list[sitk.Image]) -> float:
    """Return the median wall time of `recognize` in seconds."""
    times = []
    for image in images:
        case = RecognitionCase(MedicalImage(image), image)
        started = time.perf_counter()
        recognize(model, case)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def show(title: str, judgement: Judgement) -> None:
    """Print figures as a Markdown table."""
    print(f"## {title}\n\n| figure | value | 95 % interval |\n|---|---|---|")
    for name, found in judgement.figures.items():
        print(f"| {name} | {found.value:.3f} | {found.lower:.3f} to {found.upper:.3f} |")
    print()


if __name__ == "__main__":
    main()
