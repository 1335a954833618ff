"""Plausible variations of canvases, made by PyTorch for a batch at once while a network trains.

They stand for what differs between hospitals and machines and does not matter: position, zoom and shape, uneven
exposure, local contrast, sharpness, noise, borders and what is burned into them. Afterwards the pixels become ranks
again, as they always are when the network is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["Variation", "ranked_batch", "varied_batch"]

_LEVELS = 256


@dataclass(frozen=True)
class Variation:
    """Bounds of what is varied; each image gets values of its own, drawn evenly from within.

    Parameters
    ----------
    turn : float
        Degrees.
    zoom : tuple of float
        Share of the image's side that is seen: less than 1 cuts, more adds a border.
    stretch, shear, shift : float
        Of one side against the other; of the side.
    bend : float
        Standard deviation of a smooth displacement, of the side.
    shade : float
        Standard deviation of a smooth field that is added, of the range.
    contrast : tuple of float
        How much of the difference from the surroundings is added.
    soft : float
        Chance of being coarser.
    noise : float
        Largest standard deviation, of the range.
    covered : float
        Chance of a covered rectangle, and of a covered border or corner.
    mirror : bool
    """

    turn: float = 10.0
    zoom: tuple[float, float] = (0.82, 1.1)
    stretch: float = 0.1
    shear: float = 0.08
    shift: float = 0.06
    bend: float = 0.012
    shade: float = 0.1
    contrast: tuple[float, float] = (-0.4, 0.7)
    soft: float = 0.2
    noise: float = 0.03
    covered: float = 0.25
    mirror: bool = True


def varied_batch(canvases: torch.Tensor, bounds: Variation, side: int, random: torch.Generator) -> torch.Tensor:
    """Return variations of canvases.

    Parameters
    ----------
    canvases : torch.Tensor of uint8, shape (batch, size, size)
    side : int
        Of the result in pixels.

    Returns
    -------
    torch.Tensor of float32, shape (batch, 1, side, side)
        Ranks, 0 to 1.
    """
    x = _moved(canvases[:, None].float() / 255, bounds, side, random)
    x = _sharpened_or_blurred(x, bounds, random)
    x = x + bounds.shade * _smooth((len(x), 1, 4, 4), side, random)
    strength = _uniform(len(x), 0, bounds.noise, random) * (_uniform(len(x), 0, 1, random) < 0.5)
    x = x + strength * _normal(x.shape, random)
    x = _covered(x, bounds.covered, random)
    return ranked_batch(x)


def ranked_batch(x: torch.Tensor) -> torch.Tensor:
    """Return the rank of each pixel within its image, from 0 to 1, as told apart by 256 levels; ties share the mean."""
    import torch

    flat = x.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    levels = ((flat - low) / (high - low).clamp_min(1e-6) * (_LEVELS - 1)).round().long()
    counts = torch.zeros(len(x), _LEVELS).scatter_add_(1, levels, torch.ones_like(flat))
    ranks = (counts.cumsum(1) - (counts + 1) / 2) / (flat.shape[1] - 1)
    return ranks.gather(1, levels).view_as(x)


def _uniform(number: int, low: float, high: float, random: torch.Generator) -> torch.Tensor:
    import torch

    return low + (high - low) * torch.rand(number, 1, 1, 1, generator=random)


def _normal(shape: tuple[int, ...], random: torch.Generator) -> torch.Tensor:
    import torch

    return torch.randn(*shape, generator=random)


def _smooth(shape: tuple[int, ...], side: int, random: torch.Generator) -> torch.Tensor:
    """Return smooth random fields of standard deviation about 1."""
    from torch.nn.functional import interpolate

    coarse = interpolate(_normal(shape, random), size=(side // 4, side // 4), mode="bicubic", align_corners=True)
    return interpolate(coarse, size=(side, side), mode="bilinear", align_corners=True)


def _moved(x: torch.Tensor, bounds: Variation, side: int, random: torch.Generator) -> torch.Tensor:
    import torch
    from torch.nn.functional import grid_sample

    number = len(x)

    def draw(low: float, high: float) -> torch.Tensor:
        return _uniform(number, low, high, random).flatten()

    angle = draw(-math.radians(bounds.turn), math.radians(bounds.turn))
    zoom, stretch = draw(*bounds.zoom), draw(-bounds.stretch, bounds.stretch)
    across, along = zoom * (1 + stretch / 2), zoom * (1 - stretch / 2)
    if bounds.mirror:
        across = across * torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cosine, sine, shear = angle.cos(), angle.sin(), draw(-bounds.shear, bounds.shear)
    # A cut of the image may lie anywhere within it.
    reach = 2 * bounds.shift + (1 - zoom).clamp_min(0)
    matrix = torch.stack(
        [
            torch.stack([across * cosine, along * (shear * cosine - sine), reach * draw(-1, 1)], 1),
            torch.stack([across * sine, along * (shear * sine + cosine), reach * draw(-1, 1)], 1),
        ],
        1,
    )
    grid = _grid(matrix, side)
    grid = grid + 2 * bounds.bend * _smooth((number, 2, 5, 5), side, random).permute(0, 2, 3, 1)
    filling = "border" if torch.rand((), generator=random) < 0.5 else "zeros"
    return grid_sample(x, grid, mode="bilinear", padding_mode=filling, align_corners=False)


def _grid(matrix: torch.Tensor, side: int) -> torch.Tensor:
    """Return where each pixel comes from, as affine_grid does but several times faster: (batch, side, side, 2)."""
    import torch

    steps = (2 * torch.arange(side) + 1) / side - 1
    a = matrix[:, :, None, None]
    return (a[..., 0] * steps + a[..., 1] * steps[:, None] + a[..., 2]).permute(0, 2, 3, 1)


def _sharpened_or_blurred(x: torch.Tensor, bounds: Variation, random: torch.Generator) -> torch.Tensor:
    """Change local contrast in half of the images, and coarsen some."""
    import torch
    from torch.nn.functional import avg_pool2d, interpolate

    number, side = len(x), x.shape[-1]
    reach = int(torch.randint(3, max(4, side // 6), (), generator=random))
    around = interpolate(avg_pool2d(x, reach, ceil_mode=True), size=(side, side), mode="bilinear")
    amount = _uniform(number, *bounds.contrast, random) * (_uniform(number, 0, 1, random) < 0.5)
    x = x + amount * (x - around)
    coarse = max(8, int(side * float(_uniform(1, 0.35, 0.8, random))))
    small = interpolate(x, size=(coarse, coarse), mode="bilinear", antialias=True)
    soft = interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    return torch.where(_uniform(number, 0, 1, random) < bounds.soft, soft, x)


def _covered(x: torch.Tensor, chance: float, random: torch.Generator) -> torch.Tensor:
    """Cover a rectangle somewhere, and a border or a corner, with one gray value each."""
    import torch

    number, side = len(x), x.shape[-1]
    steps = (torch.arange(side) + 0.5) / side
    rows, columns = steps.view(1, 1, -1, 1), steps.view(1, 1, 1, -1)

    def draw(low: float, high: float) -> torch.Tensor:
        return _uniform(number, low, high, random)

    inside = ((rows - draw(0, 1)).abs() < draw(0.03, 0.14)) & ((columns - draw(0, 1)).abs() < draw(0.03, 0.14))
    x = torch.where(inside & (draw(0, 1) < chance), draw(-0.1, 1.1), x)
    width, height = draw(0.0, 0.14), draw(0.0, 0.14)
    corner = draw(0, 1) < 0.4
    from_left = torch.where(draw(0, 1) < 0.5, columns, 1 - columns)
    from_top = torch.where(draw(0, 1) < 0.5, rows, 1 - rows)
    near_left, near_top = from_left < width, from_top < height
    outside = torch.where(corner, near_left & near_top, near_left | near_top)
    return torch.where(outside & (draw(0, 1) < chance), torch.where(draw(0, 1) < 0.6, -0.1, draw(0, 1.1)), x)
