"""What outlines lungs and heart in a frame: the classical cascade, or a small network.

Both see the normalized content of a frame and say for each pixel how probable each of :data:`.cascade.CHANNELS` is.
The network is a U-Net (Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28) that
`benchmarks/train_chest_xray_network.py` fits; it needs the packages onnx and onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

from ...errors import InvalidModelError
from ...networks import Network, load_network
from ..pixel_classifier.stage import run_stages
from .cascade import CHANNELS, Cascade
from .plausibility import without_notches

__all__ = ["STRUCTURES", "Outliner", "classical_outliner", "load_network_outliner", "network_outliner"]

STRUCTURES = ("right-lung", "left-lung", "heart")

_WEIGHTS = "weights.onnx"
_INPUT, _OUTPUT = "frame", "probability"
# Nearly all hearts are more certain than this, and much that is taken for one in other pictures is not;
# `benchmarks/chest_xray_shown.py` counts what is shown.
_NETWORK_CERTAINTY, _CLASSICAL_CERTAINTY = 0.88, 0.89

# From normalized content, shape (2, size, size), to probabilities, shape (channels, size, size).
Look = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Outliner:
    """Two looks at a frame: a first one that places the frame better, and the outline.

    Parameters
    ----------
    first : callable
    first_size : int
        Width and height of the frame that `first` takes.
    outline : callable
    size : int
        Width and height of the frame that `outline` takes.
    structures : callable
        Makes of what `outline` returns the probabilities of :data:`STRUCTURES`.
    least_certainty : float
        How sure it is of the heart of a frontal chest, as a mean over the heart: less is something else.
    tells_turned : bool
        Whether it doubts hearts in chests that are mirrored or upside down, see :mod:`.orientation`.
    """

    first: Look
    first_size: int
    outline: Look
    size: int
    structures: Callable[[np.ndarray], tuple[np.ndarray, ...]]
    least_certainty: float
    tells_turned: bool = False


def classical_outliner(cascade: Cascade) -> Outliner:
    """Return the cascade's stages as an outliner."""
    first = cascade.outline[0]
    outline = partial(run_stages, cascade.outline)
    return Outliner(first, first.size, outline, cascade.frame_size, partial(_completed, cascade), _CLASSICAL_CERTAINTY)


def _completed(cascade: Cascade, found: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the structures with what single pixels do not tell: the heart's shape, and lung where disease hides it."""
    completed = cascade.heart.completed(found[-1])
    heart = found[-1] if completed is None else completed
    lungs = (
        without_notches(found[CHANNELS.index(key)], found[CHANNELS.index(f"{key}-whole")], heart)
        for key in STRUCTURES[:2]
    )
    return (*lungs, heart)


def _as_found(found: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the structures as they are: the network sees the whole frame and needs no completion."""
    return tuple(found[CHANNELS.index(key)] for key in STRUCTURES)


def load_network_outliner() -> Outliner:
    """Return the network that ships with the package.

    Raises
    ------
    MissingPackageError
        If onnx or onnxruntime is not installed.
    InvalidModelError
        If the file of weights is missing or damaged.
    """
    return network_outliner(Path(str(resources.files(__package__))) / _WEIGHTS)


def network_outliner(path: Path) -> Outliner:
    """Return the network in a file as an outliner; errors as those of :func:`load_network_outliner`."""
    network = load_network(path)
    shape = network.inputs.get(_INPUT, ())
    if len(shape) != 4 or shape[1] != 2 or shape[2] != shape[3]:
        raise InvalidModelError(f"{path.name} is no network for chest radiographs: it takes no square frame.")
    size = shape[2]
    if network.outputs.get(_OUTPUT, ())[1:] != (len(CHANNELS), size, size):
        raise InvalidModelError(f"{path.name} is no network for chest radiographs: it gives no probabilities of them.")
    look = partial(_look, network)
    return Outliner(look, size, look, size, _as_found, _NETWORK_CERTAINTY, tells_turned=True)


def _look(network: Network, content: np.ndarray) -> np.ndarray:
    return network.run({_INPUT: content[None]})[_OUTPUT][0]
