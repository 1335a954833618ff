"""Fit a linear model: standardize, find principal axes, softmax regression, calibrate, bootstrap.

Everything that is tuned or calibrated uses out-of-fold scores of a cross-validation that keeps each group (patient, or
set of near-duplicates) on one side. Given the same data and seed, the result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...progress import Progress
from ..linear import outlier_distance, project, whitened
from ..probabilities import softmax
from .calibration import balanced, fit_temperature, score_spread
from .conformal import set_thresholds
from .folds import group_folds
from .regression import softmax_regression
from .stranger_classifier import Strangers, fit_stranger_classifier

__all__ = ["FitSettings", "LinearFit", "compact", "fit_linear"]


@dataclass(frozen=True)
class FitSettings:
    """How a linear model is fitted.

    Parameters
    ----------
    maximum_axes : int
        Most principal axes kept; fewer if they hold `explained` of the variance.
    explained : float
    penalties : tuple of float
        Candidates for the L2 penalty per case; the one with the best out-of-fold likelihood is taken.
    folds : int
    members : int
        Bootstrap refits behind the interval of each probability.
    coverage : float
        Of the prediction sets.
    repeats : int
        Bootstrap samples behind the intervals of the figures.
    flagged : float
        Share of the training images that may be flagged by their distance from the others.
    stranger_flagged : float
        Share of the training images that may be flagged by the classifier of strangers.
    stranger_penalty : float
        L2 penalty per case of that classifier.
    stranger_units : int
        Hidden units through which that classifier sees the coordinates; 0 = it weighs them directly.
    seed : int
    """

    maximum_axes: int = 300
    explained: float = 0.999
    penalties: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    folds: int = 5
    members: int = 40
    repeats: int = 1000
    coverage: float = 0.9
    flagged: float = 0.02
    stranger_flagged: float = 0.01
    stranger_penalty: float = 1e-3
    stranger_units: int = 0
    seed: int = 20240501


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted linear model: the arrays of its weights file, and the numbers of its model.json."""

    arrays: dict[str, np.ndarray]
    temperature: float
    set_thresholds: tuple[float, ...]
    outlier_range: tuple[float, float]
    priors: tuple[float, ...]
    penalty: float
    stranger_limit: float | None
    out_of_fold: np.ndarray

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities of rows of features."""
        _, u = project(self.arrays, x)
        return softmax((u @ self.arrays["weights"] + self.arrays["intercept"]) / self.temperature)

    def distances(self, x: np.ndarray) -> np.ndarray:
        """Return the squared distance of rows of features from the training data."""
        return outlier_distance(self.arrays, *project(self.arrays, x))


def fit_linear(
    x: np.ndarray,
    y: np.ndarray,
    groups: Sequence[str],
    settings: FitSettings = FitSettings(),
    progress: Progress = Progress(),  # noqa: B008
    genuine: np.ndarray | None = None,
    strangers: Strangers | None = None,
) -> LinearFit:
    """Fit a linear model to features and categories.

    The categories are given equal weight, as if each were equally common: the shares of a collection of images say
    nothing of those in a clinic, and the probabilities can be adjusted to a known prevalence later.

    Parameters
    ----------
    x : numpy.ndarray, shape (cases, features)
    y : numpy.ndarray of int, shape (cases,)
        Category of each case, 0 to K-1.
    groups : sequence of str
        Cases that must stay together.
    genuine : numpy.ndarray of bool, shape (cases,), optional
        Cases that calibrate; the others, e.g. augmented copies, only train.
    strangers : Strangers, optional
        Spoiled and unrelated images, to learn what does not belong.
    """
    genuine = np.ones(len(y), dtype=bool) if genuine is None else genuine
    classes = int(y.max()) + 1
    balance = balanced(y, classes)
    fold = group_folds(groups, y, settings.folds, settings.seed)
    held_out = _cross_validate(x, y, fold, genuine, settings, progress.part(0.0, 0.6))

    progress.step("Fit on all cases", 0.65)
    arrays = _axes(x, settings)
    z, u = project(arrays, x)
    weights, intercept = softmax_regression(u, arrays["variances"], y, balance, held_out.penalty)
    arrays |= {"weights": weights, "intercept": intercept}
    arrays |= _bootstrap(u, arrays, y, groups, held_out.penalty, settings, progress.part(0.7, 0.98))
    limit = None
    if strangers is not None:
        progress.step("Learn what does not belong", 0.98)
        v, v_strange = whitened(arrays, u[genuine]), whitened(arrays, project(arrays, strangers.x)[1])
        how = settings.stranger_penalty, settings.stranger_units, settings.seed
        found, scores = fit_stranger_classifier(v, v_strange, fold[genuine], strangers.source, *how)
        arrays |= found
        limit = float(np.quantile(scores, 1 - settings.stranger_flagged))
    own_distances = outlier_distance(arrays, z[genuine], u[genuine])
    # Out-of-fold models see fewer cases and are less sure: the temperature brings the final scores to their scale.
    scale = score_spread(u @ weights + intercept) / score_spread(held_out.scores)
    out_of_fold = softmax(held_out.scores[genuine] / held_out.temperature)
    return LinearFit(
        arrays=arrays,
        temperature=held_out.temperature * scale,
        set_thresholds=set_thresholds(out_of_fold, y[genuine], settings.coverage),
        outlier_range=_usual_range(held_out.distances[genuine], own_distances, settings.flagged),
        priors=(1 / classes,) * classes,
        penalty=held_out.penalty,
        stranger_limit=limit,
        out_of_fold=out_of_fold,
    )


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Out-of-fold scores and distances of all cases at the best penalty, with their temperature."""

    penalty: float
    temperature: float
    scores: np.ndarray
    distances: np.ndarray


def _cross_validate(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, genuine: np.ndarray, settings: FitSettings, progress: Progress
) -> _HeldOut:
    """Choose the penalty with the best likelihood of the genuine cases, each seen by a model that did not know it."""
    classes = int(y.max()) + 1
    balance = balanced(y, classes)
    scores = np.zeros((len(settings.penalties), len(y), classes))
    distances = np.zeros(len(y))
    for index in range(settings.folds):
        progress.step(f"Cross-validate: fold {index + 1} of {settings.folds}", index / settings.folds)
        scores[:, fold == index], distances[fold == index] = _held_out(x, y, balance, fold == index, settings)
    truth, case_weights = y[genuine], balanced(y[genuine], classes)
    temperatures = [fit_temperature(s[genuine], truth, case_weights) for s in scores]
    losses = [_loss(s[genuine] / t, truth, case_weights) for s, t in zip(scores, temperatures, strict=True)]
    best = int(np.argmin(losses))
    return _HeldOut(settings.penalties[best], temperatures[best], scores[best], distances)


def _held_out(
    x: np.ndarray, y: np.ndarray, balance: np.ndarray, held: np.ndarray, settings: FitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores for each penalty and the distance of the held-out cases, from a model that never saw them."""
    arrays = _axes(x[~held], settings)
    _, u = project(arrays, x[~held])
    z_held, u_held = project(arrays, x[held])
    scores = []
    start = None
    for penalty in sorted(settings.penalties, reverse=True):
        weights, intercept = softmax_regression(u, arrays["variances"], y[~held], balance[~held], penalty, start)
        start = weights, intercept
        scores.append(u_held @ weights + intercept)
    order = np.argsort(np.argsort(-np.asarray(settings.penalties)))
    return np.array(scores)[order], outlier_distance(arrays, z_held, u_held)


def _axes(x: np.ndarray, settings: FitSettings) -> dict[str, np.ndarray]:
    """Return mean, scale, principal axes and variances of the rows of `x`."""
    mean = x.mean(axis=0)
    scale = x.std(axis=0)
    scale = np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1e-12), scale, 1.0)
    z = ((x - mean) / scale).astype(x.dtype, copy=False)
    features = z.shape[1]
    most = min(settings.maximum_axes, features, len(x) - 1)
    variances, axes = _principal_axes(z, most)
    total = float((z * z).sum() / (len(x) - 1))
    keep = max(1, min(most, 1 + int(np.searchsorted(np.cumsum(variances), settings.explained * total))))
    variances, axes = np.maximum(variances[:keep], 1e-9), axes[:, :keep]
    # The sign of an eigenvector is arbitrary: fix it, so that the weights are the same on every machine.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(keep)])
    residual = max(total - float(variances.sum()), 1e-6 * total) / max(features - keep, 1)
    return {
        "mean": mean,
        "scale": scale,
        "axes": axes,
        "variances": variances,
        "residual_variance": np.array(residual),
    }


def _principal_axes(z: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `most` greatest variances of centered rows, greatest first, and their axes as columns.

    Where there are fewer cases than features, the axes follow from the far smaller matrix of products of cases:
    if z z' v = c v, then z' v is an eigenvector of z' z with the same eigenvalue c.
    """
    from scipy.linalg import eigh

    cases, features = z.shape
    products = z @ z.T if cases < features else z.T @ z
    size = len(products)
    variances, vectors = eigh(products / (cases - 1), subset_by_index=(size - most, size - 1))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    if cases >= features:
        return variances, vectors
    spread = np.sqrt(np.maximum(variances, 1e-12) * (cases - 1))
    return variances, z.T @ vectors / spread


def _bootstrap(
    u: np.ndarray,
    arrays: dict[str, np.ndarray],
    y: np.ndarray,
    groups: Sequence[str],
    penalty: float,
    settings: FitSettings,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Refit on groups drawn with replacement, as many as there are."""
    random = np.random.default_rng(settings.seed)
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    number = int(inverse.max()) + 1
    start = arrays["weights"], arrays["intercept"]
    classes = int(y.max()) + 1
    refits = []
    for member in range(settings.members):
        progress.step(f"Bootstrap refit {member + 1} of {settings.members}", member / settings.members)
        drawn = np.bincount(random.integers(0, number, number), minlength=number)[inverse]
        case_weights = drawn * balanced(np.repeat(y, drawn), classes, y)
        kept = case_weights > 0
        refits.append(softmax_regression(u[kept], arrays["variances"], y[kept], case_weights[kept], penalty, start))
    return {
        "ensemble_weights": np.array([weights for weights, _ in refits]),
        "ensemble_intercept": np.array([intercept for _, intercept in refits]),
    }


def _loss(scores: np.ndarray, y: np.ndarray, case_weights: np.ndarray) -> float:
    top = scores.max(axis=1)
    logs = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - scores[np.arange(len(y)), y]
    return float((case_weights * logs).sum() / case_weights.sum())


def _usual_range(distances: np.ndarray, own: np.ndarray, flagged: float) -> tuple[float, float]:
    """Return three quarters of the smallest distance, and the one that all but the share `flagged` keep within.

    Out-of-fold distances tell it, and those of the training cases from their own model (`own`), to which they lie
    nearer: they, and what nearly repeats them, are not strange.
    """
    return 0.75 * float(min(distances.min(), own.min())), float(np.quantile(distances, 1 - flagged))


def compact(fit: LinearFit) -> LinearFit:
    """Return the fit with arrays in the precision they are stored in: half for axes and ensemble, single otherwise."""
    half = {"axes", "ensemble_weights"}
    arrays = {
        name: np.asarray(array, dtype=np.float16 if name in half else np.float32) for name, array in fit.arrays.items()
    }
    return replace(fit, arrays=arrays)
