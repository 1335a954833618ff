"""Teach a finished member which images do not belong, by where in the image its maps are strong.

A mean over all places hardly tells a head from a head upside down. The means over its upper, lower, left and right half
do, and the maps themselves need not change for it: only the layers over these means are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ....progress import Progress
from .architecture import build_member
from .canvases import Collection
from .fit import State, group_chances, restored
from .recipe import NetworkRecipe
from .variation import varied_batch

if TYPE_CHECKING:
    import torch

__all__ = ["fit_look"]

_BATCH = 64
# Passes over the images: the first as they are, the others varied.
_PASSES = 2
_DRAWN = 256


def fit_look(
    recipe: NetworkRecipe,
    collection: Collection,
    used: np.ndarray,
    state: State,
    seed: int,
    progress: Progress,
    steps: int = 2500,
) -> State:
    """Return the weights of the layers that look, for a member with the weights `state` that learned from `used`."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    network = restored(recipe, state)
    x, strange, chance = [], [], []
    with torch.inference_mode():
        for done, (canvases, label, weight) in _shown(recipe, collection, used, random):
            progress.step("Look at images that do not belong", 0.9 * done)
            x.append(network.seen(canvases))
            strange.append(torch.full((len(canvases),), label))
            chance.append(weight)
    return _fitted(recipe, torch.cat(x).clone(), torch.cat(strange), torch.cat(chance), random, steps)


def _shown(
    recipe: NetworkRecipe, collection: Collection, used: np.ndarray, random: torch.Generator
) -> Iterator[tuple[float, tuple[torch.Tensor, float, torch.Tensor]]]:
    """Yield how much is done, and canvases with their label (1: does not belong) and the chance to be drawn."""
    import torch

    own = torch.from_numpy(collection.canvases[used])
    others = torch.from_numpy(collection.strangers)
    groups = np.array([case.group for case in collection.cases])[used]
    chances = torch.from_numpy(group_chances(collection.categories[used], groups, recipe.priors))
    even = torch.full((len(others),), 1 / len(others), dtype=torch.float64)
    for turn in range(_PASSES):
        kinds = [
            (own, 0.0, chances / 2),
            (_turned(own, random), 1.0, 0.35 * chances),
            (others, 1.0, 0.15 * even),
        ]
        for kind, (canvases, label, weights) in enumerate(kinds):
            for start in range(0, len(canvases), _BATCH):
                part = canvases[start : start + _BATCH]
                plain = part[:, None].float() / 255
                seen = varied_batch(part, recipe.variation, recipe.size, random) if turn else plain
                done = (turn + (kind + start / len(canvases)) / len(kinds)) / _PASSES
                yield done, (seen, label, weights[start : start + _BATCH])


def _turned(canvases: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return each canvas upside down (half of them, one in two mirrored), on either side, or inverted."""
    import torch

    kind = torch.randint(8, (len(canvases),), generator=random)
    made = canvases.clone()
    for value, change in enumerate(
        (
            lambda x: x.flip(1),
            lambda x: x.flip(1),
            lambda x: x.rot90(2, (1, 2)),
            lambda x: x.rot90(2, (1, 2)),
            lambda x: x.rot90(1, (1, 2)),
            lambda x: x.rot90(3, (1, 2)),
            lambda x: 255 - x,
            lambda x: 255 - x.flip(1),
        )
    ):
        made[kind == value] = change(canvases[kind == value])
    return made


def _fitted(
    recipe: NetworkRecipe,
    x: torch.Tensor,
    strange: torch.Tensor,
    chance: torch.Tensor,
    random: torch.Generator,
    steps: int,
) -> State:
    """Return the weights of the layers over `x`, the standardization of its columns included."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    look = build_member(len(recipe.priors), recipe.widths, recipe.judging, recipe.looking).look
    mean, deviation = x.mean(0), x.std(0).clamp_min(1e-4)
    z = (x - mean) / deviation
    optimizer = torch.optim.AdamW(look.parameters(), lr=2e-3, weight_decay=0.05)
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        drawn = torch.multinomial(chance, _DRAWN, replacement=True, generator=random)
        kept = torch.rand(_DRAWN, z.shape[1], generator=random) > 0.2
        loss = binary_cross_entropy_with_logits(look(z[drawn] * kept / 0.8).squeeze(1), strange[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pace.step()
    weights = {f"look.{name}": value.numpy().copy() for name, value in look.state_dict().items()}
    scaled = weights["look.0.weight"] / deviation.numpy()
    weights["look.0.bias"] = weights["look.0.bias"] - scaled @ mean.numpy()
    return weights | {"look.0.weight": scaled}
