"""Where the heart ends below: on the diaphragm, which hangs between its lowest contacts with the two lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..pixel_classifier.outline import INSIDE

__all__ = ["Base", "above_diaphragm", "base_of"]

# Heart and lung touch where they are this close (share of the frame).
_NEAR = 0.016
# How far the diaphragm hangs below the straight line, in the middle, as a share of its width. V7's masks of
# chest_xray_lungs show it behind the left half of the heart: three of four end above 0.11 (network), 0.13 (classical).
SAG = 0.125
# A lung whose lowest contact is higher up on the heart (share of its height) is hidden below, by an effusion say.
_LOW = 0.6
_LEAST_WIDTH = 0.1
# Who would lose more than this share of the heart does not know its base.
_MOST_CUT = 0.25
# How fast levels fall beyond the border, per pixel.
_SLOPE = 0.25


@dataclass(frozen=True)
class Base:
    """Row and column of the heart's lowest contacts with the right and with the left lung.

    They are the right cardiophrenic angle and the apex.
    """

    right: tuple[int, int]
    left: tuple[int, int]

    @property
    def width(self) -> int:
        return self.left[1] - self.right[1]

    def along(self, columns: np.ndarray) -> np.ndarray:
        """Return 0 at the right end, 1 at the left one, and no less and no more beyond."""
        return np.clip((columns - self.right[1]) / self.width, 0, 1)

    def rows(self, columns: np.ndarray, sag: float) -> np.ndarray:
        """Return the row of a parabola through both ends that hangs `sag` times the width below their line."""
        share = self.along(columns)
        return self.right[0] + (self.left[0] - self.right[0]) * share + 4 * sag * self.width * share * (1 - share)


def base_of(heart: np.ndarray, right: np.ndarray, left: np.ndarray) -> Base | None:
    """Return the base of a heart; None where a lung does not show it.

    Parameters
    ----------
    heart, right, left : numpy.ndarray of bool, shape (rows, columns)
    """
    rows = np.flatnonzero(heart.any(axis=1))
    if not rows.size:
        return None
    ends = []
    for lung, outermost in ((right, np.min), (left, np.max)):
        contact = heart & ndimage.binary_dilation(lung, iterations=max(1, round(_NEAR * len(heart))))
        touched = np.flatnonzero(contact.any(axis=1))
        if not touched.size or touched[-1] < rows[0] + _LOW * (rows[-1] - rows[0]):
            return None
        ends.append((int(touched[-1]), int(outermost(np.flatnonzero(contact[touched[-1]])))))
    # The apex points down: where the contact ends higher up, a base of the lung was missed.
    base = Base(ends[0], (max(ends[0][0], ends[1][0]), ends[1][1]))
    return base if base.width > _LEAST_WIDTH * heart.shape[1] else None


def above_diaphragm(heart: np.ndarray, right: np.ndarray, left: np.ndarray, aspect: float) -> np.ndarray:
    """Return the levels of a heart, cut where it would hang below the diaphragm.

    Below the domes heart, liver and stomach are equally bright: what is drawn there follows from where the heart meets
    the lungs.

    Parameters
    ----------
    heart, right, left : numpy.ndarray, shape (size, size)
        Levels; inside above one half.
    aspect : float
        Width of a pixel relative to its height.
    """
    base = base_of(heart > INSIDE, right > INSIDE, left > INSIDE)
    if base is None:
        return heart
    # The last row that touches is within: half a pixel more.
    limit = base.rows(np.arange(heart.shape[1]), SAG * aspect) + 0.5
    cut = np.minimum(heart, INSIDE + _SLOPE * (limit - np.arange(len(heart))[:, None])).astype(heart.dtype)
    kept = np.count_nonzero(cut > INSIDE) / np.count_nonzero(heart > INSIDE)
    return cut if kept >= 1 - _MOST_CUT else heart
