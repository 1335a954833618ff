"""Train one member of a network, and ask it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ....errors import MissingPackageError
from ....progress import Progress
from .architecture import build_member
from .canvases import Collection
from .device import repeatable
from .recipe import NetworkRecipe
from .variation import varied_batch

if TYPE_CHECKING:
    import torch

__all__ = ["asked", "fit_member", "restored"]

State = Mapping[str, np.ndarray]


def fit_member(recipe: NetworkRecipe, collection: Collection, used: np.ndarray, seed: int, progress: Progress) -> State:
    """Return the weights of a member that learned from the cases `used`: the running average over the last steps.

    Parameters
    ----------
    used : numpy.ndarray of bool, shape (cases,)
    seed : int
        The same seed, data, version of PyTorch and kind of device give the same weights.

    Raises
    ------
    MissingPackageError
        If PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as missing:
        raise MissingPackageError("Training a network needs PyTorch. Install it with: pip install torch") from missing
    with repeatable(seed):
        return _descended(recipe, collection, used, seed, progress)


def _descended(recipe: NetworkRecipe, collection: Collection, used: np.ndarray, seed: int, progress: Progress) -> State:
    import torch

    plan = recipe.schedule
    draw = _Draw(recipe, collection, used, seed)
    network = build_member(len(recipe.priors), recipe.widths, recipe.judging, plan.dropout)
    network = network.to(torch.get_default_device(), memory_format=torch.channels_last)
    average = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    for step in range(plan.steps):
        progress.step(f"Train: batch {step + 1} of {plan.steps}", step / plan.steps)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * _pace(step / plan.steps)
        loss = _loss(network, draw, recipe, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        _remember(average, network.state_dict(), min(plan.memory, (step + 1) / (step + 10)))
    return {name: value.cpu().numpy().copy() for name, value in average.items()}


def restored(recipe: NetworkRecipe, state: State) -> torch.nn.Module:
    """Return the member with these weights, ready to be asked."""
    import torch

    network = build_member(len(recipe.priors), recipe.widths, recipe.judging)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    return network.eval()


def asked(network: torch.nn.Module, canvases: np.ndarray, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (cases, classes) and strangeness (cases,) of canvases in bytes, as means with the mirrored ones."""
    import torch

    scores, strangeness = [], []
    with torch.inference_mode():
        for start in range(0, len(canvases), 64):
            x = torch.from_numpy(canvases[start : start + 64])[:, None].float() / 255
            found = [network(view)[:2] for view in ((x, x.flip(3)) if mirror else (x,))]
            scores.append(torch.stack([part[0] for part in found]).mean(0).numpy())
            strangeness.append(torch.stack([part[1] for part in found]).mean(0).numpy())
    return np.concatenate(scores).astype(np.float64), np.concatenate(strangeness).astype(np.float64)


def _pace(done: float) -> float:
    """Return the share of the greatest learning rate: up over the first tenth, then down as a cosine."""
    return done / 0.1 + 1e-3 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9))


def _remember(average: dict[str, torch.Tensor], now: Mapping[str, torch.Tensor], memory: float) -> None:
    for name, value in now.items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - memory)
        else:
            average[name].copy_(value)


def _loss(network: torch.nn.Module, draw: _Draw, recipe: NetworkRecipe, step: int) -> torch.Tensor:
    """Return the loss of one batch: cross-entropy of the categories, and of belonging or not."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    plan = recipe.schedule
    # Four halvings must come out even.
    side = recipe.size if step >= plan.small * plan.steps else 2 * recipe.size // 48 * 16
    raw, y, strange = draw()
    x = varied_batch(raw, recipe.variation, side, draw.random)
    belonging = plan.batch
    labels = torch.nn.functional.one_hot(y, len(recipe.priors)).float()
    labels = (1 - plan.smoothing) * labels + plan.smoothing / len(recipe.priors)
    mixed = bool(step % 2) and plan.mixing > 0
    if mixed:
        share = float(draw.numbers.beta(plan.mixing, plan.mixing))
        order = torch.randperm(belonging, generator=draw.random)
        x[:belonging] = share * x[:belonging] + (1 - share) * x[:belonging][order]
        labels = share * labels + (1 - share) * labels[order]
    scores, strangeness, _ = network(x.contiguous(memory_format=torch.channels_last))
    loss = cross_entropy(scores[:belonging], labels)
    # Two images laid over one another neither belong nor do not.
    judged = slice(belonging, None) if mixed else slice(None)
    return loss + plan.strangeness * binary_cross_entropy_with_logits(strangeness[judged], strange[judged])


class _Draw:
    """Draws batches: images that belong, the categories as common as the priors say, then images that do not."""

    def __init__(self, recipe: NetworkRecipe, collection: Collection, used: np.ndarray, seed: int) -> None:
        import torch

        self.random = torch.Generator(torch.get_default_device()).manual_seed(seed)
        self.numbers = np.random.default_rng(seed)
        self._plan = recipe.schedule
        self._own = torch.as_tensor(collection.canvases[used])
        self._y = torch.as_tensor(collection.categories[used])
        self._strangers = torch.as_tensor(collection.strangers)
        groups = np.array([case.group for case in collection.cases])[used]
        self._chances = torch.as_tensor(_chances(collection.categories[used], groups, recipe.priors))

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return canvases in bytes, the categories of those that belong, and 0 (belongs) or 1 for all."""
        import torch

        plan = self._plan
        own = torch.multinomial(self._chances, plan.batch, replacement=True, generator=self.random)
        spoiled = torch.multinomial(self._chances, plan.spoiled, replacement=True, generator=self.random)
        others = torch.randint(len(self._strangers), (plan.strangers - len(spoiled),), generator=self.random)
        turned = torch.stack([self._spoil(self._own[index]) for index in spoiled])
        canvases = torch.cat([self._own[own], turned, self._strangers[others]])
        strange = (torch.arange(len(canvases)) >= plan.batch).float()
        return canvases, self._y[own], strange

    def _spoil(self, canvas: torch.Tensor) -> torch.Tensor:
        """Return a canvas the wrong way up, on its side, or inverted."""
        kind = int(self.numbers.integers(0, 5))
        if kind == 0:
            return 255 - canvas
        if kind == 1:
            return 255 - canvas.flip(0)
        return canvas.rot90(kind - 1)


def _chances(y: np.ndarray, groups: np.ndarray, priors: tuple[float, ...]) -> np.ndarray:
    """Return the chance of each case to be drawn: categories by their priors, and n cases of a group as √n groups."""
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    chances = 1 / np.sqrt(sizes[index])
    for category, prior in enumerate(priors):
        chances[y == category] *= prior / chances[y == category].sum()
    return chances
