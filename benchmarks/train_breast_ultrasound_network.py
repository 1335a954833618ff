"""Train the network of breast ultrasound: lesions for the method `breast-ultrasound`, categories for a model.

Data: the training part of breast_ultrasound_busi (Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863, CC BY 4.0);
its other part, of other groups of near-duplicates, only gives figures. Needs torch, onnx and onnxruntime beside the
rest; about two hours on one core, a few minutes on a graphics card, which is used where PyTorch finds one.

    python benchmarks/train_breast_ultrasound_network.py --library MedImageAnalysis/MedImageAnalysisLib

writes `segmentation/breast_ultrasound/weights.onnx` and `models/breast-ultrasound-lesion-network` there. Members are
kept in the folder `--work` and taken up again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from breast_ultrasound.fit import seen, stored, train_member
from breast_ultrasound.net import Member
from breast_ultrasound.recognizer import Outliner, Recognizer, experts, left_out
from breast_ultrasound.views import CANVAS, Pictures, halved, read_pictures
from common.data import add_data_option
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.data import LabelledImage
from MedImageAnalysisLib.recognition.training.folds import group_folds
from MedImageAnalysisLib.recognition.training.metrics import balanced_accuracy, roc_auc
from MedImageAnalysisLib.recognition.training.network.canvases import Collection, collect
from MedImageAnalysisLib.recognition.training.network.graph import as_onnx
from MedImageAnalysisLib.recognition.training.network.members import LeftOut
from MedImageAnalysisLib.recognition.training.network.recipe import NetworkRecipe, Words
from MedImageAnalysisLib.recognition.training.network.train import write_network
from MedImageAnalysisLib.recognition.training.recipes import RECIPES

SEED = 20240501
FOLDS = 5
# Those that ship: each leaves out the fold of its number.
MEMBERS = range(FOLDS)
# Those that outline lesions learn from wider variations; the file of the method must stay below 5 MB.
OUTLINERS = range(3)
EPOCHS = 210

METHOD = """\
Each member finds the lesion (a U-Net) and reads the categories from the same features, by linear layers over their
means over the lesion that it found, over its surroundings, and over the whole picture. All was learned together, and
with it how irregular, spiculated and tall the outlines drawn by hand are, from pictures that were turned, bent,
zoomed, mirrored, shaded, hidden in parts and sprinkled with crosses like calipers, categories weighted equally. Beside
it, a ridge regression reads a fixed wavelet transform (scattering: Bruna and Mallat 2013) of the picture by place and
in the lesion found, its margin, its surroundings and behind it; its scores are added to the member's. Each member
leaves out one fifth of the training pictures. What it says of that fifth gives the weight of the texture, an offset for
each category, temperature and the limit of strangeness. The probabilities are the softmax of the mean
score of all members, over the picture and its mirror image; they hold where the categories are equally common. A small
perceptron on each member's features tells pictures that are inverted, turned, upside down or of something else. It
learned from spoiled training pictures, and from photographs, radiographs of children and brain MR slices other than
those in the table below; it saw no radiograph of an adult."""


def folds(cases: Sequence[LabelledImage]) -> np.ndarray:
    """Return the fold of each training picture; near-duplicates are together."""
    return group_folds([case.group for case in cases], np.array([case.category for case in cases]), FOLDS, SEED)


LINEAR = RECIPES["breast-ultrasound-lesion"]
RECIPE = NetworkRecipe(
    base=replace(LINEAR, description=LINEAR.description | {"version": "2.3.0"}),
    name="breast-ultrasound-lesion-network",
    parts=folds,
    parts_in_words="fifths of the groups of near-duplicates, drawn at random",
    priors=(1 / 3, 1 / 3, 1 / 3),
    size=CANVAS,
    fill_marks=False,
    cut_frame=True,
    members=len(MEMBERS),
    spoiled=240,
    seed=SEED,
    known_failures=(
        "480 training pictures of one hospital: the figures have wide intervals.",
        "Pictures of other scanners are not told apart: on 36 of BUS-BRA, of four others, malignant against benign has "
        "an AUC of 0.60 (benchmarks/breast_elsewhere.py), and few are refused.",
        "One malignant lesion in six is called benign or normal, one normal picture in four malignant.",
        "Calipers and text are left on the picture. Marks added anywhere in training should make them say little.",
    ),
    words=Words(
        method=METHOD,
        reference="Ronneberger O et al. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28 (network)",
        command="python benchmarks/train_breast_ultrasound_network.py --library MedImageAnalysis/MedImageAnalysisLib",
    ),
)


def member(pictures: Pictures, fold: np.ndarray, left: int, work: Path, outliner: bool = False) -> Member:
    """Return the member of the model, or of what outlines, that has not seen a fold, trained if it is not stored."""

    def train() -> Member:
        unseen = pictures.part(fold == left)
        known = pictures.part(fold != left)
        return train_member(known, SEED + left, EPOCHS, lambda each: watched(each, unseen), elsewhere=outliner)

    return stored(work / f"{'outliner' if outliner else 'member'}-{left}.pt", Member(), train)


def watched(network: Member, pictures: Pictures) -> str:
    scores, found = seen(network, pictures.plain)
    truth = F.avg_pool2d(halved(pictures.mask), 2)[:, 0].cpu().numpy() > 0.5
    mask = found > 0.5
    fits = 2 * (mask & truth).sum(axis=(1, 2)) / np.maximum((mask.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))), 1)
    y = pictures.category
    two = y > 0
    auc = roc_auc((scores[:, 2] - scores[:, 1])[two], y[two] == 2)
    presence = roc_auc(np.logaddexp(scores[:, 1], scores[:, 2]) - scores[:, 0], two)
    empty = (mask[~two].sum(axis=(1, 2)) < 10).mean()
    return (
        f"Dice {fits[two].mean():.3f}, benign against malignant AUC {auc:.3f}, lesion AUC {presence:.3f}, "
        f"balanced accuracy {balanced_accuracy(scores, y):.3f}, normal without lesion {empty:.2f}"
    )


def write(library: Path, data: Path, work: Path, collection: Collection) -> None:
    """Write what the method and the model run."""
    kept, known, fold = learned_from(collection, work)
    write_outliner(library, known, fold, collection.strangers, work)
    members = {left: member(known, fold, left, work) for left in MEMBERS}
    made = experts(members, known, fold, collection.strangers)
    rows, scores, strangeness = left_out(made, known, fold)
    network = as_onnx(Recognizer(list(made.values())), CANVAS, Recognizer.names)
    left = LeftOut(kept[rows], scores, strangeness)
    write_network(RECIPE, data, library / "models" / RECIPE.name, collection.cases, network, left, Progress())


def write_outliner(library: Path, known: Pictures, fold: np.ndarray, others: np.ndarray, work: Path) -> None:
    """Write what the method runs."""
    members = {left: member(known, fold, left, work, outliner=True) for left in OUTLINERS}
    made = experts(members, known, fold, others)
    outliner = as_onnx(Outliner(list(made.values())), CANVAS, Outliner.names)
    (library / "segmentation" / "breast_ultrasound" / "weights.onnx").write_bytes(outliner)


def learned_from(collection: Collection, work: Path) -> tuple[np.ndarray, Pictures, np.ndarray]:
    """Return the indices of the training cases, their pictures and their folds."""
    kept = np.flatnonzero(~collection.held_out)
    return kept, read_pictures(collection, work).part(kept), folds([collection.cases[row] for row in kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where what is trained is kept")
    parser.add_argument("--library", type=Path, help="folder to write into")
    parser.add_argument("--member", type=int, help="only train this member and keep it")
    parser.add_argument("--outliner", action="store_true", help="with --member: of those that outline lesions")
    options = parser.parse_args()
    # One thread: sums in another order would give other weights.
    torch.set_num_threads(1)
    collection = collect(RECIPE, options.data, options.work, Progress())
    if options.member is not None:
        _, known, fold = learned_from(collection, options.work)
        member(known, fold, options.member, options.work, options.outliner)
    if options.library:
        write(options.library, options.data, options.work, collection)


if __name__ == "__main__":
    main()
