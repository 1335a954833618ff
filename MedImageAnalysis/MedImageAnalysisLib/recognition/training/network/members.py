"""The members of a network: trained one by one, kept, and asked about the cases that they have never seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....progress import Progress
from ..data import collection_key
from .canvases import Collection
from .fit import State, asked, fit_member, restored
from .recipe import NetworkRecipe

__all__ = ["LeftOut", "left_out", "member", "parts_of"]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What members say of training cases that they have never seen.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (n,)
        Indices of the cases.
    scores : numpy.ndarray, shape (n, classes)
    strangeness : numpy.ndarray, shape (n,)
    """

    rows: np.ndarray
    scores: np.ndarray
    strangeness: np.ndarray


def parts_of(recipe: NetworkRecipe, collection: Collection) -> np.ndarray:
    """Return the part of each training case, and -1 for those that are held out."""
    kept = ~collection.held_out
    parts = np.full(len(kept), -1)
    parts[kept] = recipe.parts([case for case, keep in zip(collection.cases, kept, strict=True) if keep])
    return parts


def member(recipe: NetworkRecipe, collection: Collection, index: int, work: Path, progress: Progress) -> State:
    """Return the weights of one member; those that are stored in `work` for the same data and plan are taken up."""
    parts = parts_of(recipe, collection)
    plan = recipe.widths, recipe.judging, recipe.priors, recipe.mirror, recipe.schedule, recipe.variation, recipe.seed
    canvas = recipe.size, recipe.fill_marks
    what = repr((collection_key(collection.cases), parts.tolist(), *canvas, (*plan, index)))
    stored = work / f"{recipe.name}-member-{index}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"
    if not stored.is_file():
        used = (parts >= 0) & (parts != index)
        state = fit_member(recipe, collection, used, recipe.seed + index, progress)
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.savez(stored, **state)
    with np.load(stored, allow_pickle=False) as found:
        return dict(found)


def left_out(recipe: NetworkRecipe, collection: Collection, states: list[State]) -> LeftOut:
    """Ask each member about the part that it left out."""
    parts = parts_of(recipe, collection)
    rows, scores, strangeness = [], [], []
    for index, state in enumerate(states):
        rows.append(np.flatnonzero(parts == index))
        found = asked(restored(recipe, state), collection.canvases[rows[-1]], recipe.mirror)
        scores.append(found[0])
        strangeness.append(found[1])
    return LeftOut(np.concatenate(rows), np.concatenate(scores), np.concatenate(strangeness))
