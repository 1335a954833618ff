"""Train the network that outlines breast lesions closely, for the method `breast-ultrasound`.

Data: the training part of breast_ultrasound_busi (Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863, CC BY 4.0).
Needs torch, onnx and onnxruntime beside the rest; about thirteen minutes of one core per member.

    python benchmarks/train_breast_ultrasound_close_look.py --library MedImageAnalysis/MedImageAnalysisLib

writes `segmentation/breast_ultrasound/close_look.onnx` there. Each member leaves out a fifth of the pictures, the same
as the member of its number of `train_breast_ultrasound_network.py`, and says how well it outlines lesions there.
Members are kept in the folder `--work` and taken up again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from breast_ultrasound.close_look import CloseLook, Together, train_close_look, unseen_fit
from breast_ultrasound.fit import stored
from breast_ultrasound.views import Pictures
from common.data import add_data_option
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.network.canvases import collect
from MedImageAnalysisLib.recognition.training.network.graph import as_onnx
from MedImageAnalysisLib.segmentation.breast_ultrasound.close_look import SIZE
from train_breast_ultrasound_network import OUTLINERS, RECIPE, SEED, learned_from

EPOCHS = 210
MEMBERS = OUTLINERS


def member(pictures: Pictures, fold: np.ndarray, left: int, work: Path) -> CloseLook:
    """Return the member that has not seen a fold, trained if it is not stored."""

    def train() -> CloseLook:
        unseen = pictures.part(fold == left)
        return train_close_look(
            pictures.part(fold != left), SEED + left, EPOCHS, lambda each: f"Dice {unseen_fit(each, unseen):.3f}"
        )

    return stored(work / f"close-look-{left}.pt", CloseLook(), train)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where what is trained is kept")
    parser.add_argument("--library", type=Path, help="folder to write into")
    parser.add_argument("--member", type=int, help="only train this member and keep it")
    options = parser.parse_args()
    # One thread: sums in another order would give other weights.
    torch.set_num_threads(1)
    _, pictures, fold = learned_from(collect(RECIPE, options.data, options.work, Progress()), options.work)
    if options.member is not None:
        member(pictures, fold, options.member, options.work)
    if options.library:
        network = Together([member(pictures, fold, left, options.work) for left in MEMBERS])
        path = options.library / "segmentation" / "breast_ultrasound" / "close_look.onnx"
        path.write_bytes(as_onnx(network, SIZE, Together.names))


if __name__ == "__main__":
    main()
