"""What fixed wavelets see in and around the lesion, read by a linear layer: a second opinion beside what was learned.

The scattering transform (Bruna and Mallat 2013, doi:10.1109/TPAMI.2012.230) of a picture, taken as logarithms of local
means, is read at each place of the picture, and as means over four regions: the lesion that a member found, its
margin, its surroundings, and the tissue behind it. Ridge regression gives the weights; there is nothing to tune by
descent, so that a few hundred pictures suffice.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Reading", "Texture", "Wavelets", "fit_reading", "regions"]

SCALES, ORIENTATIONS = 5, 4
# Moduli of one scale are looked at on so many coarser ones.
COARSER = 3
# Cells of the maps along each side, and of those that are read by place.
CELLS, PLACES = 16, 8
FLOOR = 1e-3
# How far behind the lesion counts, in cells.
BEHIND = 4
# Standard scores are bounded by this where the weights are fitted.
BOUND = 5.0
RIDGE = 0.5


class Wavelets(nn.Module):
    """From canvases (batch, 1, 256, 256) to logarithms of means of their scattering transform on 16 x 16 cells."""

    def __init__(self) -> None:
        super().__init__()
        # One bank for the picture itself, one for each of the moduli of a scale.
        for name, bank in zip(("real", "imaginary"), _morlets(), strict=True):
            self.register_buffer(f"{name}_1", bank)
            self.register_buffer(f"{name}_{ORIENTATIONS}", bank.repeat(ORIENTATIONS, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = [self._moduli(F.avg_pool2d(x, 2**scale) if scale else x) for scale in range(SCALES)]
        paths = [*first]
        for scale in range(SCALES - 1):
            coarser = range(scale + 1, min(scale + 1 + COARSER, SCALES))
            paths += [self._moduli(F.avg_pool2d(first[scale], 2 ** (other - scale))) for other in coarser]
        means = [F.avg_pool2d(path, path.shape[-1] // CELLS) for path in paths]
        return torch.cat([F.avg_pool2d(x, x.shape[-1] // CELLS), torch.log(FLOOR + torch.cat(means, 1))], 1)

    def _moduli(self, x: torch.Tensor) -> torch.Tensor:
        channels, reach = int(x.shape[1]), self.real_1.shape[-1] // 2
        # Reflected by indices: the sizes after a pad would not be known from the file.
        last = int(x.shape[-1]) - 1
        mirrored = torch.tensor([last - abs(last - abs(index)) for index in range(-reach, last + reach + 1)])
        padded = x.index_select(2, mirrored).index_select(3, mirrored)
        banks = (getattr(self, f"{name}_{channels}") for name in ("real", "imaginary"))
        real, imaginary = (F.conv2d(padded, bank, groups=channels) for bank in banks)
        return torch.sqrt(real**2 + imaginary**2 + 1e-8)


def _morlets(reach: int = 4, sigma: float = 1.0, frequency: float = 0.6 * math.pi) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the real and the imaginary parts of Morlet wavelets, each of shape (ORIENTATIONS, 1, side, side)."""
    steps = torch.arange(-reach, reach + 1.0)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    window = torch.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    window = window / window.sum()
    real, imaginary = [], []
    for index in range(ORIENTATIONS):
        angle = math.pi * index / ORIENTATIONS
        phase = frequency * (math.cos(angle) * columns + math.sin(angle) * rows)
        wave = window * torch.cos(phase)
        # The second term gives the wavelet a mean of zero.
        real.append(wave - window * wave.sum())
        imaginary.append(window * torch.sin(phase))
    return torch.stack(real)[:, None], torch.stack(imaginary)[:, None]


def regions(lesion: torch.Tensor) -> torch.Tensor:
    """Return weights of lesion, margin, surroundings and what is behind, (batch, 4, CELLS, CELLS); each adds up to one.

    `lesion` (batch, 1, side, side) are probabilities. Where there is hardly a lesion, the sums are less than one.
    """
    p = F.avg_pool2d(lesion, lesion.shape[-1] // CELLS)
    wide, wider = F.max_pool2d(p, 3, 1, 1), F.max_pool2d(p, 5, 1, 2)
    above = torch.tensor([max(row, 0) for row in range(-BEHIND, CELLS)])
    behind = F.max_pool2d(p.index_select(2, above), (BEHIND + 1, 1), 1)
    found = torch.cat([p, wide + F.max_pool2d(-p, 3, 1, 1), wider - p, behind - p], 1)
    return found / torch.clamp(found.sum(dim=(2, 3), keepdim=True), min=1.0)


class Reading(nn.Module):
    """Linear layers over the maps of `Wavelets`, at each place and over each region."""

    def __init__(self, center: torch.Tensor, places: torch.Tensor, parts: torch.Tensor, bias: torch.Tensor) -> None:
        """Take what is usual, see `Texture`, weights by place and by region, and the bias.

        Weights are (categories, channels, PLACES, PLACES) and (categories, 4, channels), the bias is (categories,).
        """
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("places", F.interpolate(places, size=(CELLS, CELLS)) * (PLACES / CELLS) ** 2)
        self.register_buffer("parts", parts)
        self.register_buffer("bias", bias)

    def forward(self, maps: torch.Tensor, lesion: torch.Tensor) -> torch.Tensor:
        """Return what each cell adds to the scores, shape (batch, categories, CELLS, CELLS)."""
        weights, maps = regions(lesion), maps - self.center
        shares = []
        for place, part, bias in zip(self.places, self.parts, self.bias, strict=True):
            by_region = F.conv2d(maps, part[:, :, None, None])
            own = (maps * place).sum(dim=1, keepdim=True) + (by_region * weights).sum(dim=1, keepdim=True)
            shares.append(own + bias / CELLS**2)
        return torch.cat(shares, 1)


class Texture:
    """What `Reading` reads of some pictures: rows by place and by region, less what is usual in each channel.

    So a region that is not there, where there is no lesion, looks as usual.
    """

    def __init__(self, maps: torch.Tensor, lesion: torch.Tensor, center: torch.Tensor) -> None:
        """Take maps, probabilities of lesion, and the usual value of each channel (channels, 1, 1)."""
        self.center, maps = center, maps - center
        self.places = F.avg_pool2d(maps, CELLS // PLACES).flatten(1).numpy()
        self.parts = torch.einsum("brhw,bchw->brc", regions(lesion), maps).flatten(1).numpy()


def fit_reading(texture: Texture, category: np.ndarray, categories: int) -> Reading:
    """Return the reading of categories of equal weight, by ridge regression on standard scores.

    Places and regions each count as one block, however many columns they have.
    """
    weight = (1 / np.bincount(category, minlength=categories))[category] / categories
    blocks, centers, scales = [], [], []
    for rows in (texture.places, texture.parts):
        center, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
        scale = spread * math.sqrt(rows.shape[1])
        blocks.append(np.clip((rows - center) / spread, -BOUND, BOUND) / math.sqrt(rows.shape[1]))
        centers.append(center)
        scales.append(scale)
    truth = np.eye(categories)[category] - 1 / categories
    products = 1.0 + sum(block @ block.T for block in blocks)
    dual = np.linalg.solve(products + RIDGE * np.diag(1 / (len(category) * weight)), truth)
    slopes = [block.T @ dual / scale[:, None] for block, scale in zip(blocks, scales, strict=True)]
    bias = dual.sum(axis=0) - sum(center @ slope for center, slope in zip(centers, slopes, strict=True))
    channels = texture.parts.shape[1] // 4
    places = slopes[0].T.reshape(categories, channels, PLACES, PLACES)
    parts = slopes[1].T.reshape(categories, 4, channels)
    return Reading(texture.center, *(torch.from_numpy(each.astype(np.float32)) for each in (places, parts, bias)))
