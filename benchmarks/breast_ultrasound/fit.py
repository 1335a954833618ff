"""Train a member of the network of breast ultrasound, and ask it; the close look descends in the same way."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from MedImageAnalysisLib.recognition.training.network.device import repeatable

from .net import Member, losses
from .views import Pictures, halved, margins, varied

_Network = TypeVar("_Network", bound=nn.Module)

BATCH = 16
RATE = 3e-3
DECAY = 0.03
AVERAGE = 0.995
# More than half of the steps see smaller pictures: they cost half.
SMALL = 96
SMALL_SHARE = 0.6
# How often normal, benign and malignant pictures are drawn.
DRAWN = (0.16, 0.42, 0.42)
# Every so many epochs it is told how good the average is.
WATCHED = 15


def train_member(
    pictures: Pictures,
    seed: int,
    epochs: int,
    watch: Callable[[Member], str] | None = None,
    elsewhere: bool = False,
) -> Member:
    """Return a member trained on these pictures; `watch` says how good it is, which changes nothing.

    With `elsewhere` they are varied as widely as pictures of other hospitals differ.
    """
    with repeatable(seed):
        return _learned(pictures, seed, epochs, watch, elsewhere).to("cpu")


def _learned(
    pictures: Pictures, seed: int, epochs: int, watch: Callable[[Member], str] | None, elsewhere: bool
) -> Member:
    plain, smooth, mask = (halved(getattr(pictures, name)) for name in ("plain", "smooth", "mask"))
    category, margin = torch.as_tensor(pictures.category), torch.as_tensor(margins(pictures.mask))
    balance = 1 / torch.tensor(DRAWN)

    def loss(member: Member, chosen: torch.Tensor, done: float, random: torch.Generator) -> torch.Tensor:
        is_smooth = (torch.rand(BATCH, 1, 1, 1, generator=random) < 0.4).float()
        x = torch.lerp(plain[chosen], smooth[chosen], is_smooth)
        side = SMALL if done < SMALL_SHARE else x.shape[-1]
        x, truth = varied(x, mask[chosen], side, random, elsewhere)
        outputs = member(x.contiguous(memory_format=torch.channels_last))
        return losses(outputs, truth, margin[chosen], category[chosen], balance)

    chances = torch.as_tensor((np.array(DRAWN) / np.bincount(pictures.category))[pictures.category])
    return descended(Member().to(memory_format=torch.channels_last), loss, chances, seed, epochs, watch)


def descended(
    network: _Network,
    loss_of: Callable[[_Network, torch.Tensor, float, torch.Generator], torch.Tensor],
    chances: torch.Tensor,
    seed: int,
    epochs: int,
    watch: Callable[[_Network], str] | None,
) -> _Network:
    """Return the moving average of a network on its way down the loss, ready to be asked.

    `loss_of` takes the network, indices of a batch of cases, the share of the epochs that are done, and a generator of
    random numbers; `chances` (cases,) are those of each case to be drawn.
    """
    random = torch.Generator(torch.get_default_device()).manual_seed(seed)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = len(chances) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs * steps, pct_start=0.15)
    for epoch in range(epochs):
        network.train()
        total = 0.0
        for _ in range(steps):
            chosen = torch.multinomial(chances, BATCH, replacement=True, generator=random)
            loss = loss_of(network, chosen, epoch / epochs, random)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            _follow(average, network)
            total += loss.item()
        if watch and (epoch % WATCHED == WATCHED - 1 or epoch == epochs - 1):
            said = watch(average.eval())
            print(f"epoch {epoch + 1}: {time.process_time():.0f} s, loss {total / steps:.3f}, {said}", flush=True)
    return average.eval()


def stored(path: Path, network: _Network, train: Callable[[], _Network]) -> _Network:
    """Return a network with the weights in a file, ready to be asked; it is trained first if there is no such file."""
    if not path.is_file():
        torch.save(train().state_dict(), path)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _follow(average: nn.Module, network: nn.Module) -> None:
    """Move the average a little towards the network."""
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if new.dtype.is_floating_point:
                old.lerp_(new, 1 - AVERAGE)
            else:
                old.copy_(new)


@torch.no_grad()
def seen(member: Member, canvases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and probabilities of lesion (at a quarter of the canvas) of each canvas, mirrored mean included."""
    scores, lesions = [], []
    for start in range(0, len(canvases), BATCH):
        x = halved(canvases[start : start + BATCH])
        first, second = member(x), member(x.flip(-1))
        scores.append((first[0] + second[0]) / 2)
        lesions.append(torch.sigmoid((first[2] + second[2].flip(-1)) / 2))
    return torch.cat(scores).cpu().numpy(), torch.cat(lesions)[:, 0].cpu().numpy()
