"""The ensemble as the method and the model of breast ultrasound run it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from breast_ultrasound_net import CloseMember, Member, Stranger, close_view, lesion_window, signs_of
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
    """From canvases to what a model of the kind "onnx" returns; see `MedImageAnalysisLib.recognition.network`.

    The score of member m for category k is s_mk + w d_k c_m + b_k, with the scores s of the whole picture, the log-odds
    of malignancy c of the close look, and d = (0, -1/2, 1/2). What the close look adds is drawn where the lesion is.
    """

    names = ("scores", "activation", "strangeness")

    def __init__(
        self,
        members: Sequence[Member],
        close: Sequence[CloseMember],
        strangers: Sequence[Stranger],
        weight: float,
        bias: Sequence[float],
    ) -> None:
        super().__init__()
        self.members, self.close = nn.ModuleList(members), nn.ModuleList(close)
        self.strangers = nn.ModuleList(strangers)
        self.register_buffer("direction", weight * torch.tensor([0.0, -0.5, 0.5]))
        self.register_buffer("bias", torch.tensor(bias, dtype=torch.float32))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = F.avg_pool2d(image, 2)
        found = [member.features(x - 0.5) for member in self.members]
        seen = [member.pyramid(levels) for member, levels in zip(self.members, found, strict=True)]
        lesion = torch.sigmoid(torch.stack([logits for _, logits, _ in seen]).mean(0))
        view = close_view(image, lesion_window(lesion))
        place = F.avg_pool2d(lesion, 4) + 1e-6
        place = place / place.sum(dim=(2, 3), keepdim=True)
        shares = []
        for member, close, (p, logits, _) in zip(self.members, self.close, seen, strict=True):
            added = close(view)[:, None] * self.direction
            shares.append(member.shares(p, logits) + added[:, :, None, None] * place)
        scores = torch.stack([share.sum(dim=(2, 3)) + self.bias for share in shares], dim=1)
        strange = [head(signs_of(x, levels)) for head, levels in zip(self.strangers, found, strict=True)]
        places = float(shares[0].shape[-1] ** 2)
        return scores, torch.stack(shares).mean(0) * places, torch.stack(strange).mean(0)
