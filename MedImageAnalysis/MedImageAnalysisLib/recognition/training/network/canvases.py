"""The canvases that a network learns from, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ....progress import Progress
from ...descriptors.canvas import square_canvas
from ..data import LabelledImage, collection_key, read_pixels
from ..strangers import FOREIGN, foreign, spoiled
from .recipe import NetworkRecipe

__all__ = ["Collection", "collect", "to_bytes"]


@dataclass(frozen=True, eq=False)
class Collection:
    """All cases of a recipe, with their canvases.

    Parameters
    ----------
    cases : tuple of LabelledImage
    canvases : numpy.ndarray of uint8, shape (cases, size, size)
        Ranks, 0 to 255.
    strangers : numpy.ndarray of uint8, shape (any, size, size)
        Canvases of spoiled training images, of noise, of photographs and of other collections.
    """

    cases: tuple[LabelledImage, ...]
    canvases: np.ndarray
    strangers: np.ndarray

    @property
    def categories(self) -> np.ndarray:
        """The category of each case, shape (cases,)."""
        return np.array([case.category for case in self.cases])

    @property
    def held_out(self) -> np.ndarray:
        """Which cases are kept for the final figures, shape (cases,)."""
        return np.array([case.held_out for case in self.cases])


def to_bytes(canvas: np.ndarray) -> np.ndarray:
    """Return ranks from 0 to 1 as integers from 0 to 255."""
    return np.round(canvas * 255).astype(np.uint8)


def collect(recipe: NetworkRecipe, data: Path, work: Path, progress: Progress) -> Collection:
    """Return the cases of `recipe` with their canvases; what is stored in `work` is not computed again."""
    cases = recipe.base.read(data / recipe.base.folder)
    settings = recipe.size, recipe.fill_marks
    name = recipe.base.folder
    canvases = _stored(
        work / f"{name}-{collection_key(cases, settings)}.npy",
        lambda: _canvases([case.path for case in cases], recipe, progress),
    )
    key = collection_key(cases, settings, recipe.spoiled, FOREIGN, recipe.seed)
    strangers = _stored(work / f"{name}-strangers-{key}.npy", lambda: _strangers(recipe, cases, data))
    return Collection(cases, canvases, strangers)


def _stored(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, compute(), allow_pickle=False)
    return np.load(path, allow_pickle=False)


def _canvases(paths: Sequence[Path], recipe: NetworkRecipe, progress: Progress) -> np.ndarray:
    found = np.empty((len(paths), recipe.size, recipe.size), dtype=np.uint8)
    for index, path in enumerate(paths):
        progress.step(f"Read image {index + 1} of {len(paths)}", index / len(paths))
        found[index] = to_bytes(_canvas(read_pixels(path), recipe))
    return found


def _strangers(recipe: NetworkRecipe, cases: Sequence[LabelledImage], data: Path) -> np.ndarray:
    random = np.random.default_rng(recipe.seed)
    paths = [case.path for case in cases if not case.held_out]
    chosen = random.permutation(len(paths))
    images: list[sitk.Image] = [
        spoiled(read_pixels(paths[chosen[index % len(chosen)]]), random) for index in range(recipe.spoiled)
    ]
    images += foreign(data, recipe.base.folder, FOREIGN, random)
    return np.stack([to_bytes(_canvas(image, recipe)) for image in images])


def _canvas(image: sitk.Image, recipe: NetworkRecipe) -> np.ndarray:
    return square_canvas(image, recipe.size, recipe.fill_marks)
