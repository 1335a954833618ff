"""Stages of pixel classifiers in a file of weights: ``{prefix}_size`` and ``{prefix}_weights_0``, ``_bias_0``, ..."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .stage import Stage

__all__ = ["read_stage", "stage_arrays"]


def read_stage(arrays: Mapping[str, np.ndarray], prefix: str) -> Stage:
    """Return the stage whose arrays start with `prefix`; KeyError if its size is missing."""
    layers = []
    while f"{prefix}_weights_{len(layers)}" in arrays:
        keys = (f"{prefix}_weights_{len(layers)}", f"{prefix}_bias_{len(layers)}")
        layers.append(tuple(arrays[key].astype(np.float32) for key in keys))
    return Stage(int(arrays[f"{prefix}_size"]), tuple(layers))


def stage_arrays(stage: Stage, prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays that :func:`read_stage` makes the stage of again."""
    arrays = {f"{prefix}_size": np.array(stage.size)}
    for index, (weights, bias) in enumerate(stage.layers):
        arrays[f"{prefix}_weights_{index}"] = weights
        arrays[f"{prefix}_bias_{index}"] = bias
    return arrays
