"""Folds of a cross-validation that keep each group on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["group_folds"]


def group_folds(groups: Sequence[str], y: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each case; a group is never split, and the categories are spread evenly.

    Groups are dealt out in random order within the category of their first case.
    """
    names, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(y[first][order], kind="stable")]
    fold_of_group = np.empty(len(names), dtype=np.int64)
    fold_of_group[order] = np.arange(len(names)) % folds
    return fold_of_group[inverse]
