"""Penalized regressions that give the same result for the same data: a convex one, and one through hidden units."""

from __future__ import annotations

import numpy as np

__all__ = ["hidden_regression", "softmax_regression"]

_HIDDEN_ITERATIONS = 200


def softmax_regression(
    u: np.ndarray,
    variances: np.ndarray,
    y: np.ndarray,
    case_weights: np.ndarray,
    penalty: float,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and intercept of the L2-penalized softmax regression of `y` on `u`.

    Minimizes ``sum_i c_i log(1 / P(y_i | u_i)) + penalty / 2 |W|^2`` with case weights c that add up to 1. The search
    runs in coordinates of unit variance, where it converges fast.
    """
    from scipy.optimize import minimize

    size, classes = u.shape[1], int(y.max()) + 1
    spread = np.sqrt(variances)[:, None]
    v = u / spread.T
    truth = np.eye(classes)[y]
    c = (case_weights / case_weights.sum())[:, None]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat.reshape(size + 1, classes)
        w = parameters[:-1]
        scores = v @ w + parameters[-1]
        top = scores.max(axis=1, keepdims=True)
        exponents = np.exp(scores - top)
        total = exponents.sum(axis=1, keepdims=True)
        loss = float((c * (np.log(total) + top - (scores * truth).sum(axis=1, keepdims=True))).sum())
        error = c * (exponents / total - truth)
        natural = w / spread
        gradient = np.vstack([v.T @ error + penalty * natural / spread, error.sum(axis=0)])
        return loss + 0.5 * penalty * float((natural * natural).sum()), gradient.ravel()

    first = np.zeros((size + 1, classes)) if start is None else np.vstack([start[0] * spread, start[1]])
    found = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-9})
    parameters = found.x.reshape(size + 1, classes)
    return parameters[:-1] / spread, parameters[-1]


def hidden_regression(
    v: np.ndarray, y: np.ndarray, case_weights: np.ndarray, penalty: float, units: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return the logistic regression of `y` (0 or 1) on `units` rectified sums of the columns of `v`.

    The score is ``max(v A + a, 0) w + b``. Minimizes ``sum_i c_i log(1 / P(y_i | v_i)) + penalty / 2 (|A|^2 + |w|^2)``
    with case weights c that add up to 1, in at most 200 steps from weights drawn with `seed`.

    Parameters
    ----------
    v : numpy.ndarray, shape (cases, size)
        Of about unit variance.

    Returns
    -------
    tuple
        A (size, units), a (units,), w (units,) and b.
    """
    from scipy.optimize import minimize

    size = v.shape[1]
    v = v.astype(np.float32)
    c = (case_weights / case_weights.sum()).astype(np.float32)
    side = (2 * y - 1).astype(np.float32)
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(size, units)) / np.sqrt(size)
    first = np.concatenate([hidden.ravel(), np.zeros(units), random.normal(size=units) / np.sqrt(units), [0.0]])

    def parts(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        a, rest = flat[: size * units].reshape(size, units), flat[size * units :]
        return a, rest[:units], rest[units:-1], float(rest[-1])

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        a, offset, w, b = (np.asarray(part, dtype=np.float32) for part in parts(flat))
        active = np.maximum(v @ a + offset, 0)
        margin = side * (active @ w + b)
        loss = float((c * np.logaddexp(0, -margin)).sum())
        error = -c * side / (1 + np.exp(np.clip(margin, -50, 50)))
        through = np.outer(error, w) * (active > 0)
        gradient = [(v.T @ through + penalty * a).ravel(), through.sum(axis=0), active.T @ error + penalty * w]
        size_of_weights = float((a * a).sum() + (w * w).sum())
        return loss + 0.5 * penalty * size_of_weights, np.concatenate([*gradient, [error.sum()]]).astype(np.float64)

    found = minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": _HIDDEN_ITERATIONS})
    return parts(found.x)
