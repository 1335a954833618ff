"""A recipe: everything that makes a shipped image model again from its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..descriptors import ImageDescriptor
from .data import LabelledImage
from .fitting import FitSettings

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """How one linear image model is trained.

    Parameters
    ----------
    description : mapping
        The fixed part of its model.json.
    read : callable
        Takes the folder of the data and returns the cases.
    folder : str
        Name of that folder within the data.
    descriptors : tuple of ImageDescriptor
    copies : int
        Augmented copies of each training image.
    spoiled : bool
        Learn what does not belong from every training image spoiled in each of the common ways, and from noise; if not,
        the distance alone tells.
    foreign : bool
        Learn from photographs and images of the other collections too what does not belong; only beside spoiled ones.
    mirror : bool
        Whether a mirrored image is as plausible as the original.
    exemplars : bool
        Whether the model names similar training images, by the names of their files: only where those tell nothing of
        the patients.
    positive : tuple of int
        Categories that count as disease for the two-class figures.
    pair : tuple of int, optional
        Two categories; how they are told from one another, the others left aside, is judged too.
    known_failures : tuple of str
        For the card.
    """

    description: dict[str, Any]
    read: Callable[[Path], tuple[LabelledImage, ...]]
    folder: str
    descriptors: tuple[ImageDescriptor, ...]
    positive: tuple[int, ...]
    question: str
    settings: FitSettings = field(default_factory=FitSettings)
    copies: int = 1
    mirror: bool = False
    pair: tuple[int, int] | None = None
    exemplars: bool = False
    spoiled: bool = False
    foreign: bool = False
    data_notes: tuple[str, ...] = ()
    known_failures: tuple[str, ...] = field(default_factory=tuple)
