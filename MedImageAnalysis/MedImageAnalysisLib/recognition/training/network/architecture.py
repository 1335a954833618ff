"""The members of the ensemble: small residual networks with two linear heads over the mean of their last maps."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

__all__ = ["build_ensemble", "build_member"]

# Ranks are spread evenly over 0 to 1.
_MEAN, _DEVIATION = 0.5, 0.2887


def build_member(classes: int, widths: Sequence[int], judging: int = 0, dropout: float = 0.0) -> torch.nn.Module:
    """Return a network from canvases (batch, 1, side, side) to scores, strangeness and last maps.

    Scores are (batch, classes), strangeness is (batch,), maps are (batch, channels, side / 16, side / 16) for three
    blocks that halve the side. The mean of the maps gives the scores (Lin et al. 2014, arXiv:1312.4400), so
    that the same weights, applied to the maps, tell where a score comes from. Strangeness comes from the means of all
    maps but the first, through `judging` hidden units if there are any.
    """
    return _classes().member(classes, widths, judging, dropout)


def build_ensemble(members: Sequence[torch.nn.Module]) -> torch.nn.Module:
    """Return a network with the outputs that the format of a model asks for.

    Scores (batch, members, classes), activation (batch, classes, rows, columns) as the mean over the members, and the
    mean strangeness (batch,).
    """
    return _classes().ensemble(members)


@lru_cache(maxsize=1)
def _classes() -> Any:
    """Return the classes of modules; they need PyTorch to be defined at all."""
    from types import SimpleNamespace

    import torch
    from torch import nn
    from torch.nn.functional import conv2d

    class Block(nn.Module):
        """Two convolutions beside a shortcut (He et al. 2016, doi:10.1109/CVPR.2016.90)."""

        def __init__(self, inside: int, outside: int) -> None:
            super().__init__()
            stride = 1 if inside == outside else 2
            self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            self.first_norm = nn.BatchNorm2d(outside)
            self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
            self.second_norm = nn.BatchNorm2d(outside)
            shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inside, outside, 1, bias=False))
            self.shortcut = nn.Identity() if stride == 1 else shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inner = torch.relu(self.first_norm(self.first(x)))
            return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(x))

    class Member(nn.Module):
        def __init__(self, classes: int, widths: Sequence[int], judging: int, dropout: float) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
            )
            self.blocks = nn.ModuleList(Block(*pair) for pair in pairwise(widths))
            self.dropout = nn.Dropout(dropout)
            self.head = nn.Linear(widths[-1], classes)
            # Noise and texture show in early maps, the wrong way up in late ones.
            known = sum(widths[2:])
            self.strange = (
                nn.Sequential(nn.Linear(known, judging), nn.ReLU(), nn.Linear(judging, 1))
                if judging
                else nn.Linear(known, 1)
            )

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            x = self.stem((x - _MEAN) / _DEVIATION)
            means = []
            for block in self.blocks:
                x = block(x)
                means.append(x.mean((2, 3)))
            strangeness = self.strange(torch.cat(means[1:], 1)).squeeze(1)
            return self.head(self.dropout(means[-1])), strangeness, x

    class Ensemble(nn.Module):
        def __init__(self, members: Sequence[nn.Module]) -> None:
            super().__init__()
            self.members = nn.ModuleList(members)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            found = [member(image) for member in self.members]
            maps = [
                conv2d(x, member.head.weight[:, :, None, None])
                for member, (_, _, x) in zip(self.members, found, strict=True)
            ]
            scores = torch.stack([scores for scores, _, _ in found], 1)
            return scores, torch.stack(maps).mean(0), torch.stack([strange for _, strange, _ in found]).mean(0)

    return SimpleNamespace(member=Member, ensemble=Ensemble)
