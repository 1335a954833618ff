"""Models of the kind "criterion": published thresholds on a measurement, with its published measurement error.

They need no training data. If the true value is X = x + e, with the measured x and a normal error e of standard
deviation sigma, the category whose bounds are lo and hi has the probability

    P(lo <= X < hi) = Phi((hi - x) / sigma) - Phi((lo - x) / sigma),

where Phi is the standard normal distribution function and no prior is assumed beyond a flat one. The measurement error
may grow with the value: sigma(x) = a + b sqrt(|x|) + c |x|.

The interval of each probability says how far it depends on which published error one believes: it holds the smallest
and the largest P for sigma anywhere in [s_min sigma, s_max sigma], the range of the published figures around the one
that the model uses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

from ..analysis import CategoryProbability, Evidence, Measurement
from .assessment import Assessment
from .case import RecognitionCase
from .model import Model
from .schema import Fields

__all__ = ["CriterionSpec", "assess", "category_probability", "probability_range"]


@dataclass(frozen=True)
class CriterionSpec:
    """Thresholds on one measurement.

    Parameters
    ----------
    measurement : str
        Name of the :class:`~MedImageAnalysisLib.analysis.Measurement`.
    units : tuple of str
        Units in which the thresholds hold; a measurement in another unit is not assessed.
    thresholds : tuple of float
        Ascending; category k lies in [thresholds[k-1], thresholds[k]), the outer ones are open.
    minimum, maximum : float
        Bounds of what is anatomically possible; a value outside is taken as a failed measurement.
    error_constant, error_square_root, error_proportional : float
        a, b and c of the error's standard deviation a + b sqrt(|x|) + c |x|.
    error_scale : tuple of float
        (s_min, s_max): the range of published errors relative to the one used.
    """

    suffix: ClassVar[str] = ""

    measurement: str
    units: tuple[str, ...]
    thresholds: tuple[float, ...]
    minimum: float
    maximum: float
    error_constant: float
    error_square_root: float
    error_proportional: float
    error_scale: tuple[float, float]

    @classmethod
    def read(cls, fields: Fields, classes: int) -> CriterionSpec:
        """Read and check the object "criterion" of a model.json."""
        spec = cls(
            measurement=fields.text("measurement", pattern=r"[a-z0-9_]{1,80}"),
            units=fields.texts("units", least=1, most=10),
            thresholds=fields.numbers("thresholds", classes - 1),
            minimum=fields.number("minimum"),
            maximum=fields.number("maximum"),
            error_constant=fields.number("error_constant", 0.0),
            error_square_root=fields.number("error_square_root", 0.0, default=0.0),
            error_proportional=fields.number("error_proportional", 0.0, default=0.0),
            error_scale=fields.numbers("error_scale", 2, 0.01, 100.0),
        )
        bounds = (spec.minimum, *spec.thresholds, spec.maximum)
        if any(low >= high for low, high in itertools.pairwise(bounds)):
            raise fields.refusal("thresholds", "must ascend strictly and lie between 'minimum' and 'maximum'")
        if not spec.error_scale[0] <= 1 <= spec.error_scale[1]:
            raise fields.refusal("error_scale", "must be a range that holds 1")
        if not spec.error_constant + spec.error_square_root + spec.error_proportional > 0:
            raise fields.refusal("error_constant", "must not leave the measurement without error")
        fields.done()
        return spec

    def standard_error(self, measured: Measurement) -> float:
        """Return sigma at the measured value: the published one, or the measurement's own if that is larger."""
        size = abs(measured.value)
        published = self.error_constant + self.error_square_root * math.sqrt(size) + self.error_proportional * size
        return max(published, measured.standard_error or 0.0, 1e-12)

    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Return (lo, hi) of each category."""
        edges = (-math.inf, *self.thresholds, math.inf)
        return tuple(itertools.pairwise(edges))


def category_probability(value: float, sigma: float, low: float, high: float) -> float:
    """Return P(low <= X < high) for X normal around `value`; see the module's formula.

    Tails are computed from the complementary error function, so that small probabilities keep their digits.
    """
    a, b = (low - value) / sigma, (high - value) / sigma
    if a > 0:  # both bounds in the upper tail: the difference of two small numbers, not of two near 1
        a, b = -b, -a
    return _phi(b) - _phi(a)


def probability_range(
    value: float, sigma: float, low: float, high: float, scale: tuple[float, float]
) -> tuple[float, float]:
    """Return the smallest and largest P(low <= X < high) for a standard error in [scale[0], scale[1]] times `sigma`.

    P is monotonic in sigma but for one maximum, where ``sigma^2 = (a^2 - b^2) / (2 ln(a/b))`` with a = low - value and
    b = high - value of the same sign: the value lies outside a bounded category.
    """
    smallest, largest = scale[0] * sigma, scale[1] * sigma
    candidates = [smallest, largest]
    a, b = low - value, high - value
    if math.isfinite(a) and math.isfinite(b) and a * b > 0:
        turning = math.sqrt((a * a - b * b) / (2 * math.log(a / b)))
        if smallest < turning < largest:
            candidates.append(turning)
    found = [category_probability(value, candidate, low, high) for candidate in candidates]
    return min(found), max(found)


def assess(model: Model, case: RecognitionCase) -> Assessment:
    """Return the probabilities of the model's categories for the measurement in `case`."""
    spec: CriterionSpec = model.spec
    measured = case.measurement(spec.measurement)
    reason = _unusable(spec, measured)
    if reason:
        return Assessment(reason=reason)
    sigma = spec.standard_error(measured)
    probabilities = [category_probability(measured.value, sigma, *bounds) for bounds in spec.bounds()]
    chosen = _smallest_set(probabilities, model.coverage)
    categories = tuple(
        CategoryProbability(
            category.title,
            probability,
            *probability_range(measured.value, sigma, *bounds, spec.error_scale),
            in_prediction_set=index in chosen,
            code=category.code,
        )
        for index, (category, probability, bounds) in enumerate(
            zip(model.classes, probabilities, spec.bounds(), strict=True)
        )
    )
    unit = "" if measured.unit == "1" else f" {measured.unit}"
    remark = f"{measured.title} {measured.value:.3g}{unit} (standard error {sigma:.2g})"
    return Assessment(categories, _evidence(model, spec, measured, sigma), remark)


def _unusable(spec: CriterionSpec, measured: Measurement | None) -> str:
    if measured is None:
        return f"The measurement '{spec.measurement}' was not made. Choose a preset that makes it."
    if not math.isfinite(measured.value):
        return f"{measured.title} could not be measured: {measured.reason or 'no reason was given'}"
    if measured.unit not in spec.units:
        return f"{measured.title} is given in '{measured.unit}', but the thresholds are in '{spec.units[0]}'."
    if not spec.minimum <= measured.value <= spec.maximum:
        return (
            f"{measured.title} of {measured.value:.3g} is outside the possible range {spec.minimum:g} to "
            f"{spec.maximum:g}: the segmentation has probably failed. Look at it and correct it."
        )
    return ""


def _evidence(model: Model, spec: CriterionSpec, measured: Measurement, sigma: float) -> tuple[Evidence, ...]:
    """Return the distance of the value from each threshold, in standard errors, in favor of the category above it."""
    rows = []
    for threshold, above in zip(spec.thresholds, model.classes[1:], strict=True):
        distance = (measured.value - threshold) / sigma
        title = f"{measured.title}, distance from {threshold:g} in standard errors"
        rows.append(Evidence(measured.name, title, measured.value, measured.unit, above.title, distance, distance))
    return tuple(rows)


def _smallest_set(probabilities: list[float], coverage: float) -> set[int]:
    """Return the fewest categories that together reach `coverage`, most probable first."""
    chosen: set[int] = set()
    covered = 0.0
    for index in sorted(range(len(probabilities)), key=lambda k: -probabilities[k]):
        chosen.add(index)
        covered += probabilities[index]
        if covered >= coverage:
            break
    return chosen


def _phi(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))
