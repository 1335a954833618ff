"""A recipe for a network: everything that makes it again from its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..data import LabelledImage
from ..recipe import Recipe
from .schedule import Schedule
from .variation import Variation

__all__ = ["NetworkRecipe", "Words"]

_RESIDUAL = """\
Each member is a small residual network over the image, brought to a square and its pixels to ranks, with a mean
over all places before its last layer. It is trained from random weights on images that are turned, cut, bent, shaded,
blurred, covered in parts and mixed; categories as common as the priors say. Each member leaves out one part of the
training images; what it says of that part gives temperature and limit of strangeness. The probabilities are the
softmax of the mean score of all members; their interval is the range of the members."""


@dataclass(frozen=True)
class Words:
    """What model.json and the card say of how a network was made.

    Parameters
    ----------
    method : str
    reference : str
        Of its architecture.
    command : str
        Makes it again; `{name}` stands for the name of the recipe.
    """

    method: str = _RESIDUAL
    reference: str = "He K et al. CVPR 2016:770. doi:10.1109/CVPR.2016.90 (residual networks)"
    command: str = "python -m MedImageAnalysisLib.recognition.training.network {name} DATA --output models/{name}"


@dataclass(frozen=True)
class NetworkRecipe:
    """How one network is trained.

    Parameters
    ----------
    base : Recipe
        The linear model for the same question: its data, categories, split and population hold for the network too.
    name : str
    parts : callable
        Takes the training cases and returns the part of each, from 0. Member m never sees part m, which calibrates it;
        there are at least as many parts as members. Cases of a group must be in the same part.
    parts_in_words : str
        How they were made, for the card.
    members : int
    size : int
        Side of the canvas in pixels, a multiple of 16 for three blocks that halve it.
    fill_marks : bool
        Whether burned-in marks are filled in on the canvas.
    cut_frame : bool
        Whether a frame around the picture is cut off when recognizing; the collection must have none.
    widths : tuple of int
        Channels of the first convolution and of each block. A block halves the side unless it is as wide as the one
        before.
    judging : int
        Hidden units of what tells images that belong from those that do not; 0 = a linear one.
    priors : tuple of float
        How common each category is in training, and for the probabilities that the model states.
    mirror : bool
        Whether mirrored images are trained on and, when recognizing, the mean is taken over image and mirrored image.
    spoiled : int
        Spoiled images and noise to learn from what does not belong.
    flagged : float
        Share of left-out training images that may be flagged as strange.
    flag_groups : bool
        Count n images of a group as √n, where a few groups are most of the images.
    known_failures : tuple of str
        For the card.
    words : Words
    """

    base: Recipe
    name: str
    parts: Callable[[Sequence[LabelledImage]], np.ndarray]
    parts_in_words: str
    priors: tuple[float, ...]
    size: int = 96
    fill_marks: bool = True
    cut_frame: bool = False
    members: int = 3
    widths: tuple[int, ...] = (16, 32, 64, 128)
    judging: int = 0
    mirror: bool = True
    schedule: Schedule = field(default_factory=Schedule)
    variation: Variation = field(default_factory=Variation)
    spoiled: int = 800
    flagged: float = 0.02
    flag_groups: bool = False
    seed: int = 20240501
    known_failures: tuple[str, ...] = ()
    words: Words = field(default_factory=Words)
