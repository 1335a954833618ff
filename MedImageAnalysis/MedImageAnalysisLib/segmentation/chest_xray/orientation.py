"""Which way up a chest is: the heart is most certain where the picture stands as it is usually shown.

A network that has learned from hearts on the left only doubts those that lie elsewhere. So the content of the frame is
looked at once more mirrored, upside down, and turned by half a circle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..pixel_classifier.outline import certainty

__all__ = ["seems_turned"]

# How a chest may be turned, and the axes of (channels, rows, columns) that bring it back when they are flipped.
_VIEWS = {"mirrored": (2,), "upside down": (1,), "turned by 180 degrees": (1, 2)}

# A heart is this certain where it lies as usual, and more certain than in the picture as it is by this much; what that
# refuses, `benchmarks/chest_xray_shown.py` counts.
_LEAST = 0.92
_MARGIN = 0.015


def seems_turned(content: np.ndarray, heart: float, heart_in: Callable[[np.ndarray], np.ndarray]) -> str:
    """Return how a chest seems to be turned, in words; "" if it is not.

    Parameters
    ----------
    content : numpy.ndarray, shape (channels, size, size)
        The frame around the lungs.
    heart : float
        Certainty of the heart's outline in the picture as it is.
    heart_in : callable
        Returns the probability of heart at each place of such a content.
    """
    found = {name: certainty(heart_in(np.flip(content, axes).copy())) for name, axes in _VIEWS.items()}
    best = max(found, key=found.__getitem__)
    return best if found[best] >= max(_LEAST, heart + _MARGIN) else ""
