"""Models of the kind "onnx": an ensemble of small networks over the whole image, in one ONNX file.

The network sees the canvas of :mod:`.descriptors.canvas`: the image brought to a square, its pixels to ranks. Its last
layer is a mean over the places of the image, so that the score of category k is

    s_k = b_k + mean over places p of A_k(p),

and the activation A says where the evidence lies (class activation map, Zhou et al. 2016, doi:10.1109/CVPR.2016.319).
With the scores s_m of the members m of the ensemble and the calibration temperature T,

    P(C = k | x) = exp(s_k / T) / sum_j exp(s_j / T),    s = mean over m of s_m.

Where the mirrored image is as plausible as the original, it is run too: its scores are further members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import SimpleITK as sitk

from ..analysis import Evidence
from ..errors import InvalidModelError
from ..imaging.picture_field import cut_to_field
from ..networks import Network, load_network
from .assessment import Assessment
from .case import RecognitionCase
from .descriptors.canvas import check_slice, square_canvas
from .evidence import MAXIMUM_ROWS, map_of_cells
from .inputs import Input, missing_inputs, read_input
from .model import Model
from .probabilities import category_rows, softmax
from .schema import Fields

__all__ = ["NetworkOutput", "NetworkSpec", "assess", "run_network"]

# Pixels that the field inside a frame must have each way, or the frame is taken for a part of the picture.
_LEAST_FIELD = 64


@dataclass(frozen=True)
class NetworkSpec:
    """What a network reads, and the numbers fitted on held-out cases.

    Parameters
    ----------
    size : int
        Side of the canvas, in pixels.
    fill_marks : bool
        Whether burned-in marks are filled in before ranking.
    cut_frame : bool
        Whether a flat surround, and what is written in it, is cut off before.
    inputs : tuple of Input
        Cells of the feature table and measurements: the network's second input, in this order.
    temperature, set_thresholds, priors
        As in :class:`~MedImageAnalysisLib.recognition.linear.LinearSpec`.
    stranger_limit : float or None
        Largest log-odds, as the network judges them, that the image is of another kind; None if it cannot judge.
    mirror : bool
        Also run the mirrored image.
    gate : str
        Name of a linear model that judges first whether the image is of the right kind; "" for none.
    """

    suffix: ClassVar[str] = ".onnx"

    size: int
    fill_marks: bool
    cut_frame: bool
    inputs: tuple[Input, ...]
    temperature: float
    set_thresholds: tuple[float, ...]
    priors: tuple[float, ...]
    stranger_limit: float | None
    mirror: bool
    gate: str

    @classmethod
    def read(cls, fields: Fields, classes: int) -> NetworkSpec:
        """Read and check the object "onnx" of a model.json."""
        canvas = fields.object("canvas")
        seen = {
            "size": canvas.integer("size", 32, 512),
            "fill_marks": canvas.flag("fill_marks"),
            "cut_frame": canvas.flag("cut_frame", False),
        }
        canvas.done()
        spec = cls(
            **seen,
            inputs=fields.list("inputs", read_input, (), most=1000),
            temperature=fields.number("temperature", 1e-3, 1e3),
            set_thresholds=fields.numbers("set_thresholds", classes, 0.0, 1.0),
            priors=fields.numbers("priors", classes, 1e-6, 1.0),
            stranger_limit=fields.number("stranger_limit", default=None),
            mirror=fields.flag("mirror"),
            gate=fields.text("gate", "", pattern=r"[a-z0-9-]{0,64}"),
        )
        if abs(sum(spec.priors) - 1) > 1e-6:
            raise fields.refusal("priors", "must add up to 1")
        fields.done()
        return spec

    def shown(self, image: sitk.Image) -> sitk.Image:
        """Return the part of an image that the network is shown.

        Raises
        ------
        UnsupportedImageError
            If it is not a single 2D image of one channel.
        """
        check_slice(image)
        return cut_to_field(image, _LEAST_FIELD)[1] if self.cut_frame else image

    def canvas_of(self, shown: sitk.Image) -> np.ndarray:
        """Return the canvas of what the network is shown, shape (size, size)."""
        return square_canvas(shown, self.size, self.fill_marks)

    def open_weights(self, path: Path, sha256: str, classes: int, where: str) -> Network:
        """Return the network, after checking that what goes in and out is what this kind of model needs."""
        network = load_network(path, sha256)
        inputs = {"image": (1, self.size, self.size)}
        if self.inputs:
            inputs["features"] = (len(self.inputs),)
        found = {name: shape[1:] for name, shape in network.inputs.items() if shape[0] is None}
        if found != inputs:
            raise InvalidModelError(f"{where}: the network must take {_listed(inputs)}, but takes {_listed(found)}.")
        made = network.cost(1).outputs
        _check_outputs(made, classes, where)
        return network


def _check_outputs(made: Mapping[str, tuple[int, ...]], classes: int, where: str) -> None:
    """Check the shapes of the outputs for one image."""
    scores, activation = made.get("scores", ()), made.get("activation", ())
    fit = (
        set(made) == {"scores", "activation", "strangeness"}
        and len(scores) == 3
        and scores[0] == 1
        and 1 <= scores[1] <= 100
        and scores[2] == classes
        and len(activation) == 4
        and activation[:2] == (1, classes)
        and max(activation[2:]) <= 512
        and made["strangeness"] == (1,)
    )
    if not fit:
        raise InvalidModelError(
            f"{where}: the network must return scores (members, {classes}), activation ({classes}, rows, columns) and "
            f"strangeness () of each image, but returns {_listed({name: shape[1:] for name, shape in made.items()})}."
        )


def _listed(shapes: Mapping[str, tuple[int | None, ...]]) -> str:
    return ", ".join(f"{name!s:.40} {shape}" for name, shape in shapes.items()) or "nothing"


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What a network says of one image.

    Parameters
    ----------
    scores : numpy.ndarray, shape (members, categories)
        Those of the mirrored image too, if the model asks for it.
    activation : numpy.ndarray, shape (categories, rows, columns)
    strangeness : float
    """

    scores: np.ndarray
    activation: np.ndarray
    strangeness: float

    def probabilities(self, temperature: float) -> np.ndarray:
        """Return the calibrated probabilities, shape (categories,)."""
        return softmax(self.scores.mean(axis=0) / temperature)


def run_network(network: Network, canvas: np.ndarray, mirror: bool, features: np.ndarray | None) -> NetworkOutput:
    """Run the network on one canvas (rows, columns) and, if `mirror`, on the mirrored one; maps are turned back."""
    views = [canvas, canvas[:, ::-1]] if mirror else [canvas]
    arrays = {"image": np.stack(views)[:, None].astype(np.float32)}
    if features is not None:
        arrays["features"] = np.repeat(features[None].astype(np.float32), len(views), axis=0)
    made = network.run(arrays)
    maps = made["activation"].astype(np.float64)
    if mirror:
        maps[1] = maps[1, :, :, ::-1]
    scores = made["scores"].astype(np.float64)
    return NetworkOutput(
        scores.reshape(-1, scores.shape[-1]), maps.mean(axis=0), float(made["strangeness"].astype(np.float64).mean())
    )


def assess(model: Model, case: RecognitionCase, prevalence: Sequence[float] | None = None) -> Assessment:
    """Return the probabilities of the model's categories for the image in `case`."""
    spec: NetworkSpec = model.spec
    readings = [source.read(case) for source in spec.inputs]
    reason = missing_inputs(spec.inputs, readings)
    if reason:
        return Assessment(reason=reason)
    shown = spec.shown(case.image.pixels)
    features = np.array([reading.value for reading in readings]) if readings else None
    found = run_network(model.weights(), spec.canvas_of(shown), spec.mirror, features)
    reason = _unlike(model, found)
    if reason:
        return Assessment(reason=reason)
    probabilities = found.probabilities(spec.temperature)
    categories = category_rows(model.classes, spec, probabilities, softmax(found.scores / spec.temperature), prevalence)
    top = int(np.argmax(probabilities))
    cells = _shares(found.activation, top) / spec.temperature
    return Assessment(
        categories,
        _cell_rows(cells, found.activation[top], model.classes[top].title),
        evidence_map=map_of_cells([cells], shown),
    )


def _unlike(model: Model, found: NetworkOutput) -> str:
    limit = model.spec.stranger_limit
    if limit is None or found.strangeness <= limit:
        return ""
    return (
        f"This image is unlike those the model was trained on ({model.population.description}): its score of being "
        f"inverted, turned or unrelated is {found.strangeness:.3g}, where up to {limit:.3g} is usual."
    )


def _shares(activation: np.ndarray, top: int) -> np.ndarray:
    """Return what each place adds to the log-odds of category `top` against the geometric mean of all."""
    return (activation[top] - activation.mean(axis=0)) / activation[0].size


def _cell_rows(cells: np.ndarray, activation: np.ndarray, category: str) -> tuple[Evidence, ...]:
    """Return the places with the largest shares, largest first; the value is the activation there."""
    rows, columns = cells.shape
    order = np.argsort(-np.abs(cells), axis=None, kind="stable")[:MAXIMUM_ROWS]
    return tuple(
        Evidence(
            f"activation[{row + 1},{column + 1}]",
            f"Class activation, row {row + 1} of {rows}, column {column + 1} of {columns}",
            float(activation[row, column]),
            "",
            category,
            float(cells[row, column]),
        )
        for row, column in zip(*np.unravel_index(order, cells.shape), strict=True)
    )
