"""Plots for a model card: how well the categories are told apart, and whether the probabilities can be believed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_plots", "reliability", "roc_curve"]

RELIABILITY_BINS = 10


def draw_plots(probabilities: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> Mapping[str, bytes]:
    """Return ROC curves, reliability diagram and confusion matrix as PNG files by name.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (cases, categories)
    y : numpy.ndarray of int, shape (cases,)
    titles : sequence of str

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    parts = {"roc.png": _draw_roc, "reliability.png": _draw_reliability, "confusion.png": _draw_confusion}
    return {name: _png(draw, probabilities, y, titles) for name, draw in parts.items()}


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at every threshold, from (0, 0) to (1, 1); equal scores move together."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    hits, misses = np.cumsum(positive[order])[last_of_ties], np.cumsum(~positive[order])[last_of_ties]
    rates = (np.append(0, count) / max(int(count[-1]), 1) for count in (misses, hits))
    return tuple(rates)


def reliability(probabilities: np.ndarray, y: np.ndarray, bins: int = RELIABILITY_BINS) -> np.ndarray:
    """Return mean confidence, accuracy and count of the most probable category, in bins of equal count."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(y)))
    return np.array([(confidence[part].mean(), hit[part].mean(), len(part)) for part in parts])


def _png(draw, probabilities: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> bytes:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingPackageError.of("matplotlib", "train", "Drawing the plots of a model card") from missing
    figure: Figure = Figure(figsize=(5, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot(), probabilities, y, titles)
    content = io.BytesIO()
    # Without date and version in it, the same figures give the same file.
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _draw_roc(axes: Axes, probabilities: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> None:
    for k, title in enumerate(titles):
        axes.plot(*roc_curve(probabilities[:, k], y == k), label=title)
    axes.plot((0, 1), (0, 1), color="#bbbbbb", linewidth=1)
    axes.set(xlabel="1 − specificity", ylabel="sensitivity", title="Each category against the others")
    axes.legend(loc="lower right", frameon=False)


def _draw_reliability(axes: Axes, probabilities: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> None:
    confidence, accuracy, _ = reliability(probabilities, y).T
    axes.plot((0, 1), (0, 1), color="#bbbbbb", linewidth=1)
    axes.plot(confidence, accuracy, marker="o")
    axes.set(xlabel="probability of the most probable category", ylabel="share that is right", title="Reliability")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))


def _draw_confusion(axes: Axes, probabilities: np.ndarray, y: np.ndarray, titles: Sequence[str]) -> None:
    counts = np.zeros((len(titles),) * 2, dtype=int)
    np.add.at(counts, (y, probabilities.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=color)
    axes.set_xticks(range(len(titles)), titles, rotation=20, ha="right")
    axes.set_yticks(range(len(titles)), titles)
    axes.set(xlabel="most probable", ylabel="truth", title="Cases")
