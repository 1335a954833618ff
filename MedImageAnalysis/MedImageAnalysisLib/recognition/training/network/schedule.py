"""How long and how hard a member is trained."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """The numbers of one training run.

    Parameters
    ----------
    steps : int
        Batches.
    batch : int
        Images of a batch that belong, drawn so that the categories are as common as the recipe's priors.
    strangers : int
        Images of a batch that do not belong.
    spoiled : int
        How many of them are images that would belong, but are turned, upside down or inverted.
    small : float
        Share of the steps on canvases of at most two thirds of the side, which take less than half the time; they come
        first.
    rate, decay : float
        Greatest learning rate and weight decay of AdamW; the rate rises over the first tenth and falls as a cosine.
    smoothing : float
        Share of each label that is spread over all categories.
    mixing : float
        Parameter of the beta distribution of mixup (Zhang et al. 2018, arXiv:1710.09412), in every other batch.
    dropout : float
        Before the last layer.
    memory : float
        Share of the running average of the weights that each step keeps; the average is the result.
    strangeness : float
        Weight of the loss of the strangeness beside that of the categories.
    """

    steps: int = 1000
    batch: int = 56
    strangers: int = 8
    spoiled: int = 4
    small: float = 0.6
    rate: float = 4e-3
    decay: float = 0.05
    smoothing: float = 0.06
    mixing: float = 0.3
    dropout: float = 0.2
    memory: float = 0.99
    strangeness: float = 0.3
