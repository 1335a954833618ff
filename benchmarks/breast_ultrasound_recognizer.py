"""From the members to the model `breast-ultrasound-lesion-network`: what is strange, calibration, figures, card."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "MedImageAnalysis")]

from breast_ultrasound_export import Recognizer  # noqa: E402
from breast_ultrasound_fit import BATCH, seen  # noqa: E402
from breast_ultrasound_net import Member, Stranger, signs_of  # noqa: E402
from breast_ultrasound_views import CANVAS, Pictures, as_bytes, exposed_otherwise, halved  # noqa: E402

from MedImageAnalysisLib.recognition.descriptors.canvas import square_canvas  # noqa: E402
from MedImageAnalysisLib.recognition.model import Model  # noqa: E402
from MedImageAnalysisLib.recognition.probabilities import softmax  # noqa: E402
from MedImageAnalysisLib.recognition.training.answers import image_answers  # noqa: E402
from MedImageAnalysisLib.recognition.training.calibration import (  # noqa: E402
    balanced,
    fit_temperature,
    set_thresholds,
)
from MedImageAnalysisLib.recognition.training.card import model_card, performance_rows  # noqa: E402
from MedImageAnalysisLib.recognition.training.data import read_pixels  # noqa: E402
from MedImageAnalysisLib.recognition.training.folder import write_model  # noqa: E402
from MedImageAnalysisLib.recognition.training.judging import Judgement, judge_answers  # noqa: E402
from MedImageAnalysisLib.recognition.training.metrics import balanced_accuracy, roc_auc  # noqa: E402
from MedImageAnalysisLib.recognition.training.network.graph import as_onnx  # noqa: E402
from MedImageAnalysisLib.recognition.training.recipes import RECIPES  # noqa: E402
from MedImageAnalysisLib.recognition.training.strangers import foreign, spoiled, strangers  # noqa: E402

NAME = "breast-ultrasound-lesion-network"
RECIPE = RECIPES["breast-ultrasound-lesion"]
COVERAGE = 0.9
# Share of left-out training pictures that may be called strange.
FLAGGED = 0.02
SPOILED, FOREIGN = 240, 60
STRANGER_EPOCHS = 12
SEED = 20240501

METHOD = """Each member finds the lesion (a U-Net) and reads the categories from the same features, by linear
layers over their means over the lesion that it found, over its surroundings, and over the whole picture. Both
were learned together from pictures that were turned, bent, zoomed, mirrored, shaded, hidden in parts and
sprinkled with crosses like calipers, categories weighted equally. Each member leaves out one third of the
training pictures. What it says of that third gives temperature, prediction sets and the limit of strangeness. The
probabilities are the softmax of the mean score of all members, over the picture and its mirror image; they hold
where the categories are equally common. A small perceptron on each member's features tells pictures that are
inverted, turned, upside down or of something else. It learned from spoiled training pictures, and from
photographs, radiographs of children and brain MR slices other than those in the table below; it saw no radiograph
of an adult."""
FAILURES = (
    "480 training pictures of one hospital: the figures have wide intervals.",
    "Benign and malignant lesions are told apart far less surely than lesions and normal tissue.",
    "Calipers and text are left on the picture. Marks added anywhere in training should make them say little.",
)


@dataclass(frozen=True, eq=False)
class Recognized:
    """The network's file and the numbers of its model.json, with what left-out pictures gave."""

    network: bytes
    members: int
    temperature: float
    thresholds: tuple[float, ...]
    limit: float
    p: np.ndarray
    y: np.ndarray


def recognizer(
    members: Mapping[int, Member], pictures: Pictures, fold: np.ndarray, data: Path, work: Path
) -> Recognized:
    """Return the network that recognizes, calibrated on the pictures that each member left out."""
    others = _others(data, work)
    scores, strange, y, heads = [], [], [], []
    for left_out, member in members.items():
        own = fold == left_out
        heads.append(_stranger(member, pictures.part(~own), others))
        scores.append(seen(member, pictures.plain[own])[0])
        strange.append(_strangeness(member, heads[-1], pictures.plain[own]))
        y.append(pictures.category[own])
    found, truth = np.concatenate(scores).astype(np.float64), np.concatenate(y)
    temperature = fit_temperature(found, truth, balanced(truth, found.shape[1]))
    p = softmax(found / temperature)
    return Recognized(
        as_onnx(Recognizer(list(members.values()), heads), CANVAS, Recognizer.names),
        len(members),
        temperature,
        set_thresholds(p, truth, COVERAGE),
        float(np.quantile(np.concatenate(strange), 1 - FLAGGED)),
        p,
        truth,
    )


def _others(data: Path, work: Path) -> np.ndarray:
    """Return canvases, as bytes, of shuffled pictures, noise, photographs and images of other organs."""
    stored = work / "strangers.npy"
    if not stored.is_file():
        random = np.random.default_rng(SEED)
        paths = [case.path for case in RECIPE.read(data / RECIPE.folder) if not case.held_out]
        images = [spoiled(read_pixels(paths[i]), random) for i in random.permutation(len(paths))[:SPOILED]]
        images += foreign(data, RECIPE.folder, FOREIGN, random)
        np.save(stored, np.array([as_bytes(square_canvas(image, CANVAS, False)) for image in images]))
    return np.load(stored)


@torch.no_grad()
def _signs(member: Member, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([signs_of(part, member.features(part - 0.5)) for part in x.split(2 * BATCH)])


def _stranger(member: Member, pictures: Pictures, others: np.ndarray) -> Stranger:
    """Return what tells these pictures, as they are or exposed otherwise, from spoiled ones and other images."""
    random = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    x = halved(pictures.plain)
    own = _signs(member, torch.cat([x, x.flip(-1), exposed_otherwise(x, random)]))
    wrong = [1 - x, x.flip(-2), 1 - x.flip(-2), torch.rot90(x, 1, (2, 3)), torch.rot90(x, 3, (2, 3))]
    strange = _signs(member, torch.cat([*wrong, halved(others)]))
    stranger = Stranger(own.mean(0), own.std(0) + 1e-3)
    signs = torch.cat([own, strange])
    truth = torch.cat([torch.zeros(len(own)), torch.ones(len(strange))])
    optimizer = torch.optim.AdamW(stranger.parameters(), lr=2e-3, weight_decay=0.1)
    for _ in range(STRANGER_EPOCHS):
        for batch in torch.randperm(len(truth), generator=random).split(64):
            loss = F.binary_cross_entropy_with_logits(stranger(signs[batch]), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return stranger.eval()


@torch.no_grad()
def _strangeness(member: Member, stranger: Stranger, canvases: np.ndarray) -> np.ndarray:
    x = halved(canvases)
    return ((stranger(_signs(member, x)) + stranger(_signs(member, x.flip(-1)))) / 2).numpy()


def write_recognizer(made: Recognized, data: Path, models: Path) -> Model:
    """Judge the network on the held-out pictures and write its folder."""
    held = [case for case in RECIPE.read(data / RECIPE.folder) if case.held_out]
    images = [read_pixels(case.path) for case in held]
    y, groups = np.array([case.category for case in held]), [case.group for case in held]
    draft = _described(made)
    model = write_model(models / NAME, draft | {"performance": []}, f"# {draft['title']}", network=made.network)
    answers = image_answers(model, images)
    judgement = judge_answers(answers, y, groups, RECIPE.positive, RECIPE.question, RECIPE.settings.repeats)
    flagged = {
        name: float(image_answers(model, others).strange.mean())
        for name, others in strangers(images[:100], data, RECIPE.folder)
    }
    final = draft | {"performance": performance_rows(judgement, f"held-out part of {RECIPE.folder}")}
    card = _card(made, final, judgement, flagged, _two_lesions(answers.probabilities, y))
    return write_model(models / NAME, final, card, network=made.network)


def _described(made: Recognized) -> dict:
    """Return the model.json, still without figures."""
    base = RECIPE.description
    classes = len(made.thresholds)
    return {
        "format": 1,
        "kind": "onnx",
        **base,
        "name": NAME,
        "alternative_to": base["name"],
        "training": base["training"] | {"cases": 480},
        "references": [base["references"][0], "Ronneberger O et al. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28"],
        "coverage": COVERAGE,
        "onnx": {
            "canvas": {"size": CANVAS, "fill_marks": False},
            "inputs": [],
            "temperature": made.temperature,
            "set_thresholds": list(made.thresholds),
            "stranger_limit": made.limit,
            "priors": [1 / classes] * classes,
            "mirror": True,
            "gate": "",
        },
    }


def _two_lesions(p: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the AUC and the balanced accuracy of malignant against benign, over pictures with a lesion."""
    lesion = y > 0
    two = p[lesion, 1:] / p[lesion, 1:].sum(axis=1, keepdims=True)
    return roc_auc(two[:, 1], y[lesion] == 2), balanced_accuracy(two, y[lesion] - 1)


def _card(
    made: Recognized, description: dict, judgement: Judgement, flagged: Mapping[str, float], two: tuple[float, float]
) -> str:
    left = _two_lesions(made.p, made.y)
    accuracy = balanced_accuracy(made.p, made.y)
    sections = [
        "",
        "## Benign against malignant, pictures with a lesion only",
        "",
        "| pictures | AUC | balanced accuracy | balanced accuracy, 3 categories |",
        "|---|---|---|---|",
        f"| held-out, all members | {two[0]:.3f} | {two[1]:.3f} "
        f"| {judgement.figures['Balanced accuracy, 3 categories'].value:.3f} |",
        f"| {len(made.y)} left-out training pictures, single members | {left[0]:.3f} | {left[1]:.3f} "
        f"| {accuracy:.3f} |",
    ]
    return model_card(
        description,
        judgement,
        features=f"{made.members} members, together {len(made.network) / 1e6:.1f} MB; the image is brought to a square "
        f"of {CANVAS} x {CANVAS} pixels, its gray values to ranks.",
        split=f"{description['training']['cases']} images train; {len(made.y)} of them, left out by one member each, "
        f"calibrate. {judgement.cases} others, of other groups of near-duplicates, give the figures below.",
        command="python benchmarks/train_breast_ultrasound_network.py --library MedImageAnalysis/MedImageAnalysisLib",
        known_failures=FAILURES,
        outliers=flagged,
        method=METHOD,
        sections=sections,
    )
