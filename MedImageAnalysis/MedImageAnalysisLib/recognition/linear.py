"""Models of the kind "linear": softmax over standardized features.

With the features x of a case, standardized to z = (x - mean) / scale and projected to u = z A,

    P(C = k | x) = exp((u w_k + b_k) / T) / sum_j exp((u w_j + b_j) / T),

where T is the calibration temperature. A holds the principal axes of the training features (or is the identity), so
that the weight of feature i for category k is (A w_k)_i. The same axes tell how unlike the training data a case is:
its squared Mahalanobis distance under the probabilistic principal component model,

    D^2 = sum_m u_m^2 / lambda_m + |z - u A'|^2 / r,

with the variances lambda of the axes and the mean residual variance r per remaining dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import SimpleITK as sitk

from ..analysis import Evidence
from ..errors import InvalidModelError, MedImageError
from .assessment import Assessment
from .case import RecognitionCase
from .descriptors import DESCRIPTORS, ImageDescriptor
from .descriptors.canvas import square_canvas
from .evidence import cell_evidence, evidence_map, input_evidence
from .exemplars import Exemplars
from .inputs import Input, Reading, missing_inputs, read_input
from .model import Model
from .probabilities import category_rows, softmax
from .schema import Fields
from .weights import read_weights

__all__ = [
    "LinearSpec",
    "assess",
    "describe",
    "outlier_distance",
    "project",
    "score_of_whitened",
    "stranger_score",
    "unlike",
    "whitened",
]

MAXIMUM_FEATURES = 20_000
# Coordinates beyond this many standard deviations say no more: a classifier must not extrapolate.
WHITENED_LIMIT = 5.0
_ARRAYS = {
    "mean",
    "scale",
    "axes",
    "variances",
    "residual_variance",
    "weights",
    "intercept",
    "ensemble_weights",
    "ensemble_intercept",
}


_STRANGER_ARRAYS = {"stranger_weights", "stranger_intercept"}
_HIDDEN_ARRAYS = {"stranger_hidden", "stranger_hidden_intercept"}


@dataclass(frozen=True)
class LinearSpec:
    """What a linear model reads, and the numbers fitted on held-out cases.

    Parameters
    ----------
    inputs : tuple of Input
        Cells of the feature table and measurements: the first features, in the order of the weights.
    descriptors : tuple of ImageDescriptor
        Descriptors of the whole original image: the features after those.
    temperature : float
        T of the softmax, fitted by maximum likelihood on held-out cases (Guo et al. 2017, arXiv:1706.04599).
    set_thresholds : tuple of float
        Category k is in the prediction set if its probability is at least set_thresholds[k]: class-conditional split
        conformal prediction with the score 1 - p_k (Sadinle et al. 2019, doi:10.1080/01621459.2017.1395341), so that
        the coverage holds within each category and does not depend on their prevalence.
    outlier_range : tuple of float
        Smallest and largest squared distance D^2 that is assessed. In many dimensions typical cases lie at a distance
        from the mean; what is nearer than any of them, such as noise without structure, is as strange as what is far.
    stranger_limit : float or None
        Largest score of the classifier that was trained to tell the training images from spoiled ones and from noise
        (outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606); None if there is none. It sees what the distance
        misses where the training images differ much among themselves.
    gate : str
        Name of another linear model that judges whether the image is of the right kind, for a model whose own features
        are too few to tell; "" for none.
    priors : tuple of float
        Shares of the categories in the training data, for :func:`adjust_prior`.
    exemplars : Exemplars or None
        Training images to compare with.
    """

    suffix: ClassVar[str] = ".npz"

    inputs: tuple[Input, ...]
    descriptors: tuple[ImageDescriptor, ...]
    temperature: float
    set_thresholds: tuple[float, ...]
    outlier_range: tuple[float, float]
    priors: tuple[float, ...]
    stranger_limit: float | None = None
    gate: str = ""
    exemplars: Exemplars | None = None

    @classmethod
    def read(cls, fields: Fields, classes: int) -> LinearSpec:
        """Read and check the object "linear" of a model.json."""
        exemplars = fields.object("exemplars", None)
        spec = cls(
            inputs=fields.list("inputs", read_input, (), most=10_000),
            descriptors=fields.list("descriptors", _read_descriptor, (), most=8),
            temperature=fields.number("temperature", 1e-3, 1e3),
            set_thresholds=fields.numbers("set_thresholds", classes, 0.0, 1.0),
            outlier_range=fields.numbers("outlier_range", 2, 0.0),
            priors=fields.numbers("priors", classes, 1e-6, 1.0),
            stranger_limit=fields.number("stranger_limit", default=None),
            gate=fields.text("gate", "", pattern=r"[a-z0-9-]{0,64}"),
            exemplars=Exemplars.read(exemplars, classes) if exemplars else None,
        )
        if abs(sum(spec.priors) - 1) > 1e-6:
            raise fields.refusal("priors", "must add up to 1")
        if spec.outlier_range[0] >= spec.outlier_range[1]:
            raise fields.refusal("outlier_range", "must ascend")
        if not 1 <= spec.size <= MAXIMUM_FEATURES:
            raise fields.refusal("inputs", f"and 'descriptors' must give 1 to {MAXIMUM_FEATURES:,} features")
        fields.done()
        return spec

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.inputs) + sum(descriptor.length for descriptor in self.descriptors)

    def open_weights(self, path: Path, sha256: str, classes: int, where: str) -> Mapping[str, np.ndarray]:
        """Return the arrays of the weights file, after checking that their shapes fit one another."""
        arrays = read_weights(path, sha256)
        self._check_weights(arrays, classes, where)
        if self.exemplars:
            self.exemplars.coordinates(path.parent, len(arrays["variances"]))
        return arrays

    def _check_weights(self, arrays: Mapping[str, np.ndarray], classes: int, where: str) -> None:
        names = _ARRAYS if self.stranger_limit is None else _ARRAYS | _STRANGER_ARRAYS
        if self.stranger_limit is not None and "stranger_hidden" in arrays:
            names = names | _HIDDEN_ARRAYS
        if set(arrays) != names:
            raise InvalidModelError(f"{where}: the weights must be exactly {', '.join(sorted(names))}.")
        axes = arrays["axes"].shape[-1] if arrays["axes"].ndim else 0
        members = arrays["ensemble_intercept"].shape[0] if arrays["ensemble_intercept"].ndim else 0
        hidden = "stranger_hidden" in names
        units = arrays["stranger_hidden"].shape[-1] if hidden and arrays["stranger_hidden"].ndim else 0
        expected = {
            "mean": (self.size,),
            "scale": (self.size,),
            "axes": (self.size, axes),
            "variances": (axes,),
            "residual_variance": (),
            "weights": (axes, classes),
            "intercept": (classes,),
            "ensemble_weights": (members, axes, classes),
            "ensemble_intercept": (members, classes),
            "stranger_hidden": (axes, units),
            "stranger_hidden_intercept": (units,),
            "stranger_weights": (units,) if hidden else (axes,),
            "stranger_intercept": (),
        }
        for name, shape in expected.items():
            if name in names and (arrays[name].shape != shape or 0 in shape):
                raise InvalidModelError(f"{where}: '{name}' has the shape {arrays[name].shape}, expected {shape}.")
        for name in ("scale", "variances", "residual_variance"):
            if not (arrays[name] > 0).all():
                raise InvalidModelError(f"{where}: '{name}' must be positive.")


def stranger_score(arrays: Mapping[str, np.ndarray], u: np.ndarray) -> np.ndarray:
    """Return the log-odds that rows of coordinates belong to a spoiled or unrelated image."""
    return score_of_whitened(arrays, whitened(arrays, u))


def whitened(arrays: Mapping[str, np.ndarray], u: np.ndarray) -> np.ndarray:
    """Return rows of coordinates in standard deviations of the training data, cut off where that says no more."""
    return np.clip(u / np.sqrt(arrays["variances"]), -WHITENED_LIMIT, WHITENED_LIMIT)


def score_of_whitened(arrays: Mapping[str, np.ndarray], v: np.ndarray) -> np.ndarray:
    """Return the log-odds of :func:`stranger_score` for whitened coordinates v.

    They are v w + b, or max(v A + a, 0) w + b where the model has hidden units: what is spoiled in several ways is not
    all on one side of the training images.
    """
    if "stranger_hidden" in arrays:
        v = np.maximum(v @ arrays["stranger_hidden"].astype(np.float64) + arrays["stranger_hidden_intercept"], 0.0)
    return v @ arrays["stranger_weights"] + float(arrays["stranger_intercept"])


def project(arrays: Mapping[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardized features z and their coordinates u on the model's axes."""
    z = (x - arrays["mean"].astype(np.float64)) / arrays["scale"]
    return z, z @ _axes(arrays)


def outlier_distance(arrays: Mapping[str, np.ndarray], z: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the squared distance D^2 from the training data; see the module's formula."""
    residual = z - u @ _axes(arrays).T
    inside = (u * u / arrays["variances"]).sum(axis=-1)
    return inside + (residual * residual).sum(axis=-1) / float(arrays["residual_variance"])


def _axes(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the axes in a precision to compute in; single is ample for axes that are stored in half."""
    axes = arrays["axes"]
    return axes.astype(np.float32) if axes.dtype == np.float16 else axes


def assess(model: Model, case: RecognitionCase, prevalence: Sequence[float] | None = None) -> Assessment:
    """Return the probabilities of the model's categories for the features in `case`."""
    spec: LinearSpec = model.spec
    readings = [source.read(case) for source in spec.inputs]
    reason = missing_inputs(spec.inputs, readings)
    if reason:
        return Assessment(reason=reason)
    arrays = model.weights()
    image = case.image.pixels
    z, u = project(arrays, _vector(spec, readings, image))
    reason = _unlike(model, arrays, z, u)
    if reason:
        return Assessment(reason=reason)
    probabilities = softmax((u @ arrays["weights"] + arrays["intercept"]) / spec.temperature)
    members = np.einsum("m,bmk->bk", u, arrays["ensemble_weights"].astype(np.float64)) + arrays["ensemble_intercept"]
    categories = category_rows(model.classes, spec, probabilities, softmax(members / spec.temperature), prevalence)
    top = int(np.argmax(probabilities))
    shares = z * _direction(arrays, top) / spec.temperature
    title = model.classes[top].title
    evidence = (
        *input_evidence(spec.inputs, readings, shares, z, title),
        *cell_evidence(spec.descriptors, shares[len(readings) :], z[len(readings) :], title),
        *_similar(model, u),
    )
    drawn = evidence_map(spec.descriptors, shares[len(readings) :], image) if spec.descriptors else None
    return Assessment(categories, evidence, evidence_map=drawn)


def _similar(model: Model, u: np.ndarray) -> tuple[Evidence, ...]:
    """Return the training images that are nearest to the coordinates `u`, if the model names any."""
    exemplars = model.spec.exemplars
    return exemplars.nearest(model.folder, u, [each.title for each in model.classes]) if exemplars else ()


def unlike(model: Model, case: RecognitionCase) -> str:
    """Return why the image of `case` is not of the kind that `model` was trained on, or "" if it is."""
    readings = [source.read(case) for source in model.spec.inputs]
    arrays = model.weights()
    return _unlike(model, arrays, *project(arrays, _vector(model.spec, readings, case.image.pixels)))


def _unlike(model: Model, arrays: Mapping[str, np.ndarray], z: np.ndarray, u: np.ndarray) -> str:
    low, high = model.spec.outlier_range
    distance = float(outlier_distance(arrays, z, u))
    start = f"This image is unlike those the model was trained on ({model.population.description}): "
    if not low <= distance <= high:
        return start + f"its distance from them is {distance:.4g}, where {low:.4g} to {high:.4g} is usual."
    if model.spec.stranger_limit is not None:
        score = float(stranger_score(arrays, u))
        if score > model.spec.stranger_limit:
            return start + (
                f"its score of being inverted, turned or unrelated is {score:.3g}, where up to "
                f"{model.spec.stranger_limit:.3g} is usual."
            )
    return ""


def _vector(spec: LinearSpec, readings: Sequence[Reading], image: sitk.Image) -> np.ndarray:
    values = np.array([reading.value for reading in readings], dtype=np.float64)
    return np.concatenate([values, describe(spec.descriptors, image)])


def describe(descriptors: Sequence[ImageDescriptor], image: sitk.Image) -> np.ndarray:
    """Return the vectors of all descriptors of `image`, one after the other."""
    wanted = [(descriptor.size, descriptor.fill_marks) for descriptor in descriptors]
    canvases = {key: square_canvas(image, *key) for key in set(wanted)}
    parts = [descriptor.describe(canvases[key]).ravel() for descriptor, key in zip(descriptors, wanted, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _read_descriptor(data: Any, place: str) -> ImageDescriptor:
    fields = Fields(data, place)
    name = fields.text("descriptor", pattern=r"[a-z0-9-]{1,64}")
    try:
        return DESCRIPTORS[name].from_settings(fields.rest())
    except MedImageError as error:
        raise InvalidModelError(f"{place}: {error!s:.300}") from None


def _direction(arrays: Mapping[str, np.ndarray], top: int) -> np.ndarray:
    """Return the weight of each feature for category `top` against the mean of all categories.

    What the features and the intercept add up to with it is the log-odds of that category against the geometric mean.
    """
    weights = arrays["weights"].astype(np.float64)
    return _axes(arrays) @ (weights[:, top] - weights.mean(axis=1))
