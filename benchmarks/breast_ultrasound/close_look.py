"""The network that sees breast lesions closely: its layers, its training, and how well it outlines unseen lesions.

A U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28) with sums in place of concatenations. It sees a
square around a lesion in standard scores, so gain and depth do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from MedImageAnalysisLib.imaging.masks import component_sizes, components
from MedImageAnalysisLib.recognition.training.network.device import repeatable
from MedImageAnalysisLib.segmentation.breast_ultrasound.close_look import cropped, square_around
from MedImageAnalysisLib.segmentation.pixel_classifier.frame import Frame

from .fit import BATCH, descended
from .net import Block, bigger, layer, soft_dice
from .views import CANVAS, Pictures, varied_closely, whole

__all__ = ["CloseLook", "Together", "on_picture", "train_close_look", "unseen_fit"]

WIDTHS = (16, 32, 48, 64, 80)
# Parts of a drawn lesion smaller than this share of the picture are slips of the pen.
LEAST_SHARE = 0.001
# Standard deviation of ranks below which a square is flat.
FLAT = 0.05


class CloseLook(nn.Module):
    """Sees (batch, 1, SIZE, SIZE), says the log-odds of lesion at each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(layer(1, WIDTHS[0]), layer(WIDTHS[0], WIDTHS[0]))
        self.down = nn.ModuleList(nn.Sequential(layer(a, b, 3, 2), Block(b)) for a, b in pairwise(WIDTHS))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(WIDTHS))
        self.join = nn.ModuleList(layer(width, width) for width in WIDTHS[:-1])
        self.drop = nn.Dropout2d(0.1)
        self.lesion = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x - x.mean(dim=(2, 3), keepdim=True)
        found = [self.stem(x / ((x * x).mean(dim=(2, 3), keepdim=True).sqrt() + FLAT))]
        for step in self.down:
            found.append(step(found[-1]))
        p = self.drop(found.pop())
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            p = join(found.pop() + bigger(up(p)))
        return self.lesion(p)


class Together(nn.Module):
    """The mean of several, as the method runs it."""

    names = ("lesion",)

    def __init__(self, members: Sequence[CloseLook]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.stack([member(image) for member in self.members]).mean(0),)


def train_close_look(
    pictures: Pictures, seed: int, epochs: int, watch: Callable[[CloseLook], str] | None = None
) -> CloseLook:
    """Return a network trained on the lesions of these pictures; `watch` says how good it is, which changes nothing.

    Benign and malignant lesions are drawn equally often, each with its speckle reduced in half of the views.
    """
    plain, smooth, mask = (whole(getattr(pictures, name)) for name in ("plain", "smooth", "mask"))
    picture, found = _lesions(pictures.mask)
    squares = torch.tensor([on_picture(square) for square in found], dtype=torch.float32)
    category = pictures.category[picture]
    chances = torch.as_tensor((1 / np.bincount(category).clip(1))[category])

    def loss(network: CloseLook, chosen: torch.Tensor, done: float, random: torch.Generator) -> torch.Tensor:
        of = picture[chosen]
        is_smooth = (torch.rand(BATCH, 1, 1, 1, generator=random) < 0.5).float()
        x = torch.lerp(plain[of], smooth[of], is_smooth)
        x, truth = varied_closely(x, mask[of], squares[chosen], random)
        return _loss(network(x.contiguous(memory_format=torch.channels_last)), truth)

    with repeatable(seed):
        network = CloseLook().to(memory_format=torch.channels_last)
        return descended(network, loss, chances, seed, epochs, watch).to("cpu")


def _lesions(masks: np.ndarray) -> tuple[np.ndarray, list[Frame]]:
    """Return for each lesion the index of its picture, and the square around it."""
    picture, squares = [], []
    for index, mask in enumerate(masks > 127):
        parts = components(mask)
        for part in 1 + np.flatnonzero(component_sizes(parts)[1:] >= LEAST_SHARE * mask.size):
            picture.append(index)
            squares.append(square_around(parts == part, CANVAS))
    return np.array(picture), squares


def on_picture(square: Frame) -> tuple[float, float, float]:
    """Return a square as `varied_closely` takes it."""
    return (2 * square.x + 1) / CANVAS - 1, (2 * square.y + 1) / CANVAS - 1, 2 * square.half_width / CANVAS


def _loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy and Dice loss."""
    missed = 1 - soft_dice(torch.sigmoid(logits), truth)
    return 2 * F.binary_cross_entropy_with_logits(logits, truth) + missed.mean()


@torch.no_grad()
def unseen_fit(network: CloseLook, pictures: Pictures) -> float:
    """Return the mean Dice coefficient of lesions in squares that are off by up to a tenth, as those of first looks."""
    random = np.random.default_rng(0)
    fits = []
    for index, square in zip(*_lesions(pictures.mask), strict=True):
        x, y, scale = 0.1 * random.uniform(-1, 1, 3)
        half = square.half_width * (1 + scale)
        off = Frame(square.x + x * half, square.y + y * half, half, half)
        canvas, mask = (cropped(getattr(pictures, name)[index] / np.float32(255), off) for name in ("smooth", "mask"))
        found = network(torch.as_tensor(canvas)[None, None])[0, 0].numpy() > 0
        fits.append(2 * (found & (mask > 0.5)).sum() / (found.sum() + (mask > 0.5).sum()))
    return float(np.mean(fits))
