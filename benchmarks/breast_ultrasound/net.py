"""The network of breast_ultrasound_busi: where the lesion is and what it is, from one canvas of ranks.

An encoder and a decoder in the manner of a U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28) with sums
in place of concatenations give the lesion at each pixel. The categories are read from the decoder's features by linear
layers over three means: over the lesion that was found, over its surroundings, and over all of the picture. So each
score is a sum over pixels, which the map of evidence shows.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Member", "Stranger", "losses", "signs_of", "soft_dice"]

WIDTHS = (16, 32, 64, 88, 96)
PYRAMID = 56
READ = 96
CATEGORIES = 3
# Of the outline, for training only; see `views.margins`.
MARGINS = 3


def layer(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalization, rectification."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Block(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = layer(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.second(self.first(x)))


class Member(nn.Module):
    """One member of the ensemble; sees (batch, 1, 160, 160)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layer(1, WIDTHS[0], 5, 2)
        self.down = nn.ModuleList(nn.Sequential(layer(a, b, 3, 2), Block(b)) for a, b in pairwise(WIDTHS))
        self.side = nn.ModuleList(nn.Conv2d(width, PYRAMID, 1) for width in WIDTHS[2:])
        self.join = nn.ModuleList(layer(PYRAMID, PYRAMID) for _ in WIDTHS[2:-1])
        self.fine = nn.ModuleList([nn.Conv2d(WIDTHS[1], 32, 1), nn.Conv2d(PYRAMID, 32, 1), layer(32, 32)])
        self.finest = nn.ModuleList([nn.Conv2d(32, WIDTHS[0], 1), layer(WIDTHS[0], WIDTHS[0])])
        self.lesion = nn.Conv2d(WIDTHS[0], 1, 1)
        self.coarse_lesion = nn.Conv2d(PYRAMID, 1, 1)
        self.read = layer(PYRAMID, READ, 1)
        self.categories = nn.ModuleList(nn.Conv2d(READ, CATEGORIES, 1, bias=index == 0) for index in range(3))
        self.margins = nn.Linear(3 * READ, MARGINS)
        self.drop = nn.Dropout(0.3)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the encoder's features, finest first."""
        found = [self.stem(x)]
        for step in self.down:
            found.append(step(found[-1]))
        return found

    def pyramid(self, found: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the decoder's features at 1/8 and the lesion's logits at 1/2 and at 1/8 of the input's size."""
        p = self.side[-1](found[-1])
        for index in (1, 0):
            p = self.join[index](self.side[index](found[index + 2]) + bigger(p))
        fine = self.fine[2](self.fine[0](found[1]) + bigger(self.fine[1](p)))
        finest = self.finest[1](found[0] + bigger(self.finest[0](fine)))
        return p, self.lesion(finest), self.coarse_lesion(p)

    def read_and_weights(self, p: torch.Tensor, lesion: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return what is read at each place, and the weights of the means over all, the lesion and its surroundings."""
        found = F.avg_pool2d(torch.sigmoid(lesion.detach()), 4)
        if self.training:
            # Lesions are found better in pictures that were learned from than in others: be content with less.
            found = found.roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3))
        near = F.max_pool2d(found, 5, 1, 2) - found
        whole = torch.full_like(found, 1 / found.shape[-1] ** 2)
        return self.drop(self.read(p)), (whole, proportion(found), proportion(near))

    def shares(self, p: torch.Tensor, lesion: torch.Tensor) -> torch.Tensor:
        """Return what each place adds to the scores, shape (batch, categories, h, w); they add up to the scores."""
        f, weights = self.read_and_weights(p, lesion)
        return sum(weight * head(f) for weight, head in zip(weights, self.categories, strict=True))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return scores (batch, categories), margins (batch, MARGINS), and logits of the lesion at 1/2 and 1/8."""
        p, lesion, coarse = self.pyramid(self.features(x - 0.5))
        f, weights = self.read_and_weights(p, lesion)
        means = [(weight * f).sum(dim=(2, 3), keepdim=True) for weight in weights]
        # The bias of the first head is added once at each place, whose weights add up to one.
        scores = sum(head(mean) for head, mean in zip(self.categories, means, strict=True))
        return scores.flatten(1), self.margins(torch.cat(means, 1).flatten(1)), lesion, coarse


def bigger(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def proportion(weight: torch.Tensor, least: float = 2.0) -> torch.Tensor:
    """Return weights that add up to one, or to less where there is hardly anything to weigh."""
    return weight / torch.clamp(weight.sum(dim=(2, 3), keepdim=True), min=least)


def soft_dice(p: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the Dice coefficient (batch,) of probabilities and shares; 1 where there is nothing in both."""
    overlap = 2 * (p * truth).sum(dim=(1, 2, 3)) + 1.0
    return overlap / (p.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1.0)


def losses(
    outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    mask: torch.Tensor,
    margins: torch.Tensor,
    category: torch.Tensor,
    balance: torch.Tensor,
) -> torch.Tensor:
    """Return the sum of the losses of lesion (cross-entropy and Dice, at two sizes), its margins and category.

    `mask` has the size of the input; `margins` (batch, MARGINS) are NaN where unknown; `balance` weighs the categories.
    """
    scores, told, fine, coarse = outputs
    total = F.cross_entropy(scores, category, balance, label_smoothing=0.1)
    known = ~torch.isnan(margins)
    if known.any():
        total = total + 0.3 * F.smooth_l1_loss(told[known], margins[known])
    for logits, weight in ((fine, 1.0), (coarse, 0.4)):
        truth = F.adaptive_avg_pool2d(mask, logits.shape[-2:])
        p = torch.sigmoid(logits)
        has = (category > 0).float()
        missed = ((1 - soft_dice(p, truth)) * has).sum() / has.sum().clamp(min=1)
        total = total + weight * (2 * F.binary_cross_entropy_with_logits(logits, truth) + missed)
    return total


class Stranger(nn.Module):
    """Tells from a member's features whether a picture is of another kind than those it learned from."""

    def __init__(self, center: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)
        self.layers = nn.Sequential(nn.Linear(len(center), 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 1))

    def forward(self, signs: torch.Tensor) -> torch.Tensor:
        """Return the log-odds (batch,) that pictures with these signs are of another kind."""
        return self.layers(torch.clamp((signs - self.center) / self.scale, min=-6.0, max=6.0))[:, 0]


def signs_of(x: torch.Tensor, found: list[torch.Tensor]) -> torch.Tensor:
    """Return what tells the kind of a picture: means of the encoder's features `found` over all of `x` and its parts.

    Texture shows in the means, the wrong way up in those over parts, also of the picture itself.
    """
    means = [level.mean(dim=(2, 3)) for level in found]
    parts = [F.avg_pool2d(level, level.shape[-1] // 2).flatten(1) for level in found[2:]]
    return torch.cat([*means, *parts, F.avg_pool2d(x, x.shape[-1] // 8).flatten(1)], dim=1)
