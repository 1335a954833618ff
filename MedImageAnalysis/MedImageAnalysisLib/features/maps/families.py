"""What each family of features computes from, for many neighborhoods at once.

The formulas are those of the families themselves: a builder makes the objects that they take, with one entry per
neighborhood, from counts of all neighborhoods laid side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import glcm, gldzm, glrlm, glszm, histogram, intensity, ngldm, ngtdm
from ..counts import vectorized
from ..definition import Feature, Undefined
from ..emphasis import EmphasisMatrices
from ..glcm import Cooccurrence
from ..histogram import Histogram
from ..levels import GrayLevels
from ..ngtdm import NeighborhoodDifference
from ..texture import directions
from .distributions import Distributions
from .windows import Windows

__all__ = ["MAPPABLE", "evaluate", "prepare"]

# Features of the histogram that need the number of voxels of each level, not only their distribution.
_NEED_COUNTS = frozenset(
    {
        "ih_mode",
        "ih_entropy",
        "ih_uniformity",
        "ih_max_grad",
        "ih_max_grad_g",
        "ih_min_grad",
        "ih_min_grad_g",
    }
)

Evaluate = Callable[[Feature], np.ndarray]


def prepare(family: str, windows: Windows) -> Evaluate:
    """Count what the family needs; return a function that gives a feature's value per window, NaN where undefined."""
    return _BUILDERS[family](windows)


def evaluate(feature: Feature, data: Any, count: int) -> np.ndarray:
    """Return one value per window of a stack; a feature that is undefined for all of them is NaN."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.broadcast_to(feature.compute(data), count)
    except Undefined:
        return np.full(count, np.nan)


def _one_by_one(items: list[Any]) -> Evaluate:
    """Evaluate a family whose formulas take one neighborhood at a time."""

    def values(feature: Feature) -> np.ndarray:
        return np.array([float(evaluate(feature, item, 1)[0]) for item in items])

    return values


def _intensity(windows: Windows) -> Evaluate:
    data = Distributions(windows.intensities)
    return lambda feature: evaluate(feature, data, len(windows.levels))


def _histogram(windows: Windows) -> Evaluate:
    flat = windows.levels.reshape(len(windows.levels), -1)
    distributions = Distributions(np.where(flat, flat, np.nan))

    @functools.cache
    def counted() -> Evaluate:
        return _one_by_one([Histogram(GrayLevels(row[row > 0], windows.level_count)) for row in flat])

    def values(feature: Feature) -> np.ndarray:
        if feature.name in _NEED_COUNTS:
            return counted()(feature)
        return evaluate(feature, distributions, len(flat))

    return values


def _averaged(parts: list[Any], filled: list[np.ndarray], count: int) -> Evaluate:
    """Evaluate a family given once per direction, where `filled` tells which windows a part holds, and average."""

    def values(feature: Feature) -> np.ndarray:
        found = np.full((len(parts), count), np.nan)
        for row, part, which in zip(found, parts, filled, strict=True):
            if which.any():
                row[which] = evaluate(feature, part, np.count_nonzero(which))
        defined = np.isfinite(found)
        sums = np.where(defined, found, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return sums / defined.sum(axis=0)

    return values


def _glcm(windows: Windows) -> Evaluate:
    settings = windows.settings
    steps = directions(settings.distance, settings.norm, windows.by_slice, exactly=True)
    groups = [steps] if windows.merged else [[step] for step in steps]
    stacks = [_cooccurrences(windows, group) for group in groups]
    filled = [stack.any(axis=(1, 2)) for stack in stacks]
    parts = [
        Cooccurrence((stack + stack.transpose(0, 2, 1))[which]) for stack, which in zip(stacks, filled, strict=True)
    ]
    return _averaged(parts, filled, len(windows.levels))


def _cooccurrences(windows: Windows, steps: Sequence[np.ndarray]) -> np.ndarray:
    """Return the co-occurrence matrix of each window, all `steps` together, shape (windows, levels, levels)."""
    width = windows.level_count + 1
    count = len(windows.levels)
    levels = windows.levels.astype(np.intp)
    first = levels * width + (np.arange(count) * width**2)[:, None, None, None]
    codes = [_shifted(first, step, 0) + _shifted(levels, step, 1) for step in steps]
    codes = np.concatenate([part.reshape(count, -1) for part in codes], axis=1)
    counts = np.bincount(codes.ravel(), minlength=count * width**2)
    return counts.reshape(count, width, width)[:, 1:, 1:]


def _shifted(array: np.ndarray, step: np.ndarray, end: int) -> np.ndarray:
    """Return the voxels that are the first (0) or the second (1) of a pair at `step` within their window."""
    keys = [slice(None)]
    for size, shift in zip(array.shape[1:], step, strict=True):
        reach = min(abs(int(shift)), size)
        keys.append(slice(0, size - reach) if (shift >= 0) == (end == 0) else slice(reach, size))
    return array[tuple(keys)]


def _glrlm(windows: Windows) -> Evaluate:
    steps = directions(1, "chebyshev", windows.by_slice, exactly=True)
    # The numpy backend: tables of pairs of so many levels, which a compiled one makes alongside, would not fit.
    runs = windows.split(vectorized.run_lengths(windows.side_by_side, windows.tiled_level_count, steps), axis=1)
    stacks = [runs.sum(axis=0)] if windows.merged else list(runs)
    voxels = windows.sizes * (len(steps) if windows.merged else 1)
    count = len(windows.levels)
    return _averaged(
        [EmphasisMatrices.from_dense(stack, voxels) for stack in stacks], [np.ones(count, bool)] * len(stacks), count
    )


def _zone_matrices(windows: Windows, zones: np.ndarray) -> Evaluate:
    """Take zones as rows of tiled level and property."""
    window, level = np.divmod(zones[:, 0] - 1, windows.level_count)
    widest = int(zones[:, 1].max(initial=0)) + 1
    codes, counts = np.unique((window * windows.level_count + level) * widest + zones[:, 1], return_counts=True)
    rest, values = np.divmod(codes, widest)
    window, level = np.divmod(rest, windows.level_count)
    data = EmphasisMatrices(window, level + 1, values, counts, windows.sizes)
    return lambda feature: evaluate(feature, data, len(windows.levels))


def _glszm(windows: Windows) -> Evaluate:
    return _zone_matrices(windows, vectorized.zones(windows.side_by_side, windows.tiled_level_count))


def _gldzm(windows: Windows) -> Evaluate:
    from scipy.ndimage import distance_transform_cdt

    tiled = windows.side_by_side
    inside = tiled > 0
    if windows.by_slice:
        distances = np.stack([distance_transform_cdt(plane, "taxicab") for plane in inside])
    else:
        distances = distance_transform_cdt(inside, "taxicab")
    zones = vectorized.zones_with_distances(tiled, windows.tiled_level_count, distances.astype(np.int32))
    return _zone_matrices(windows, zones[:, [0, 2]])


def _neighborhoods(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    settings = windows.settings
    offsets = directions(settings.distance, settings.norm, windows.by_slice, exactly=False)
    found = vectorized.neighborhoods(
        windows.side_by_side, windows.tiled_level_count, offsets, settings.dependence_tolerance
    )
    return windows.split(found.voxels), windows.split(found.differences), windows.split(found.dependences)


def _ngtdm(windows: Windows) -> Evaluate:
    voxels, differences, _ = _neighborhoods(windows)
    return _one_by_one([NeighborhoodDifference(*pair) for pair in zip(voxels, differences, strict=True)])


def _ngldm(windows: Windows) -> Evaluate:
    dependences = _neighborhoods(windows)[2]
    data = EmphasisMatrices.from_dense(dependences, windows.sizes)
    return lambda feature: evaluate(feature, data, len(windows.levels))


_BUILDERS: dict[str, Callable[[Windows], Evaluate]] = {
    "intensity": _intensity,
    "histogram": _histogram,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldzm": _gldzm,
    "ngtdm": _ngtdm,
    "ngldm": _ngldm,
}

MAPPABLE = MappingProxyType(
    {
        feature.name: feature
        for module in (intensity, histogram, glcm, glrlm, glszm, gldzm, ngtdm, ngldm)
        for feature in module.FAMILY.features
    }
)
"""All features that can be mapped, by name."""
