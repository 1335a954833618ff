"""Train the network of breast ultrasound: lesions for the method `breast-ultrasound`, categories for a model.

Data: the training part of breast_ultrasound_busi (Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863, CC BY 4.0);
its other part, of other groups of near-duplicates, only gives figures. Needs torch, onnx and onnxruntime beside the
rest; about an hour on one core.

    python benchmarks/train_breast_ultrasound_network.py --library MedImageAnalysis/MedImageAnalysisLib

writes `segmentation/breast_ultrasound/weights.onnx` and `models/breast-ultrasound-lesion-network` there. Members are
kept in the folder `--work` and taken up again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "MedImageAnalysis")]

from breast_ultrasound_export import Outliner  # noqa: E402
from breast_ultrasound_fit import seen, train_member  # noqa: E402
from breast_ultrasound_net import CATEGORIES, Member  # noqa: E402
from breast_ultrasound_recognizer import recognizer, write_recognizer  # noqa: E402
from breast_ultrasound_views import CANVAS, Pictures, halved, read_pictures  # noqa: E402

from MedImageAnalysisLib.recognition.training.fitting import group_folds  # noqa: E402
from MedImageAnalysisLib.recognition.training.metrics import roc_auc  # noqa: E402
from MedImageAnalysisLib.recognition.training.network.graph import as_onnx  # noqa: E402

SEED = 20240501
FOLDS = 3
# Those that ship. Each leaves out the fold of its number.
MEMBERS = (0, 1, 2)
# Of each member; the others got less time when the weights that ship were made.
EPOCHS = (90, 60, 60)


def folds(pictures: Pictures) -> np.ndarray:
    """Return the fold of each training picture; near-duplicates are together."""
    return group_folds(pictures.group.tolist(), pictures.category, FOLDS, SEED)


def member(pictures: Pictures, fold: int, work: Path) -> Member:
    """Return the member that has not seen a fold, trained if it is not stored."""
    path = work / f"member-{fold}.pt"
    if not path.is_file():
        own = folds(pictures) == fold
        left_out = pictures.part(own)
        made = train_member(pictures.part(~own), SEED + fold, EPOCHS[fold], lambda each: watched(each, left_out))
        torch.save(made.state_dict(), path)
    made = Member()
    made.load_state_dict(torch.load(path, weights_only=True))
    return made.eval()


def watched(network: Member, pictures: Pictures) -> str:
    scores, found = seen(network, pictures.plain)
    truth = F.avg_pool2d(halved(pictures.mask), 2)[:, 0].numpy() > 0.5
    mask = found > 0.5
    fits = 2 * (mask & truth).sum(axis=(1, 2)) / np.maximum((mask.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))), 1)
    y = pictures.category
    two = y > 0
    auc = roc_auc((scores[:, 2] - scores[:, 1])[two], y[two] == 2)
    presence = roc_auc(np.logaddexp(scores[:, 1], scores[:, 2]) - scores[:, 0], two)
    hit = scores.argmax(axis=1) == y
    balanced = np.mean([hit[y == k].mean() for k in range(CATEGORIES)])
    empty = (mask[~two].sum(axis=(1, 2)) < 10).mean()
    return (
        f"Dice {fits[two].mean():.3f}, benign against malignant AUC {auc:.3f}, lesion AUC {presence:.3f}, "
        f"balanced accuracy {balanced:.3f}, normal without lesion {empty:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where what is trained is kept")
    parser.add_argument("--library", type=Path, help="folder to write into")
    parser.add_argument("--member", type=int, help="only train this member and keep it")
    options = parser.parse_args()
    # One thread: sums in another order would give other weights.
    torch.set_num_threads(1)
    pictures = read_pictures(options.data, options.work)
    known = pictures.part(~pictures.held_out)
    if options.member is not None:
        member(known, options.member, options.work)
    if options.library:
        members = {fold: member(known, fold, options.work) for fold in MEMBERS}
        outliner = as_onnx(Outliner(list(members.values())), CANVAS, Outliner.names)
        (options.library / "segmentation" / "breast_ultrasound" / "weights.onnx").write_bytes(outliner)
        made = recognizer(members, known, folds(known), options.data, options.work)
        write_recognizer(made, options.data, options.library / "models")


if __name__ == "__main__":
    main()
