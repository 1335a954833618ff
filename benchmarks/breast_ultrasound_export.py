"""The ensemble as the method and the model of breast ultrasound run it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from breast_ultrasound_net import Member, Stranger, signs_of
from torch import nn
from torch.nn import functional as F

__all__ = ["Outliner", "Recognizer", "log_odds_of_lesion"]


class Outliner(nn.Module):
    """From canvases to the lesion's log-odds at each place and in the picture, as means over the members."""

    names = ("lesion", "presence")

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.avg_pool2d(image, 2)
        found = [member(x) for member in self.members]
        lesion = torch.stack([each[1] for each in found]).mean(0)
        return lesion, torch.stack([log_odds_of_lesion(each[0]) for each in found]).mean(0)


def log_odds_of_lesion(scores: torch.Tensor) -> torch.Tensor:
    """Return log((exp s1 + exp s2) / exp s0) of scores (batch, 3)."""
    benign, malignant = scores[:, 1], scores[:, 2]
    return torch.maximum(benign, malignant) + F.softplus(-torch.abs(benign - malignant)) - scores[:, 0]


class Recognizer(nn.Module):
    """From canvases to what a model of the kind "onnx" returns; see `MedImageAnalysisLib.recognition.network`."""

    names = ("scores", "activation", "strangeness")

    def __init__(self, members: Sequence[Member], strangers: Sequence[Stranger]) -> None:
        super().__init__()
        self.members, self.strangers = nn.ModuleList(members), nn.ModuleList(strangers)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = F.avg_pool2d(image, 2)
        shares, strange = [], []
        for member, stranger in zip(self.members, self.strangers, strict=True):
            found = member.features(x - 0.5)
            p, lesion, _ = member.pyramid(found)
            shares.append(member.shares(p, lesion))
            strange.append(stranger(signs_of(x, found)))
        scores = torch.stack([share.sum(dim=(2, 3)) for share in shares], dim=1)
        places = int(shares[0].shape[-1]) ** 2
        return scores, torch.stack(shares).mean(0) * places, torch.stack(strange).mean(0)
