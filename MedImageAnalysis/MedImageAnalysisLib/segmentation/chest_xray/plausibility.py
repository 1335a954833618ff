"""What a lung and a heart can look like on a chest radiograph, and lungs with disease at their edge filled."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..pixel_classifier.outline import INSIDE, certainty, main_part

__all__ = ["LEAST_CERTAINTY", "plausible", "without_notches"]

# Notches up to twice this share of the frame wide are filled.
_NOTCH = 0.05

# Least and most share of the frame (which the lungs' bounds fill by 1 / 1.3 squared), and how much larger one lung may
# be than the other: generous, for a lung squeezed by effusion or a raised diaphragm is common.
_LUNG_SHARE = (0.03, 0.40)
_MOST_ASYMMETRY = 5.0
_HEART_SHARE = (0.03, 0.40)
LEAST_CERTAINTY = 0.75
_AROUND = 8
# Air is darker than what is around it; a lung full of fluid hardly is.
_LEAST_CONTRAST = 0.05


def without_notches(field: np.ndarray, whole: np.ndarray, heart: np.ndarray, reach: float = _NOTCH) -> np.ndarray:
    """Return the probability of a lung field with disease inside filled: a nodule at its edge is no outline.

    What a morphological closing of lung and heart adds is lung where the classifier sees the whole lung there (which
    bounds it outside) and no heart.

    Parameters
    ----------
    field, whole, heart : numpy.ndarray, shape (size, size)
        Probabilities of the lung field, of the lung with the part behind the heart, and of the heart.
    reach : float
        Radius of the closing in shares of the frame.
    """
    radius = round(reach * field.shape[0])
    solid = np.pad(main_part(field) | (heart > INSIDE), radius)
    grown = ndimage.distance_transform_edt(~solid) <= radius
    closed = (ndimage.distance_transform_edt(grown) > radius)[radius:-radius, radius:-radius]
    notch = closed & (whole > INSIDE) & (heart <= INSIDE)
    return np.where(notch, np.maximum(field, np.minimum(whole, 1 - heart)), field)


def plausible(
    right: np.ndarray, left: np.ndarray, heart: np.ndarray, ranks: np.ndarray, least_certainty: float
) -> tuple[bool, bool, bool]:
    """Tell for the levels of right lung, left lung and heart whether each can be what it is called.

    Nothing can where no heart is seen: lungs are seen in many things that are none, upside down too, but the heart is
    what a frontal chest has and they do not.

    Parameters
    ----------
    right, left, heart, ranks : numpy.ndarray, shape (size, size)
        `ranks` is the gray scale of the frame from -1 (dark) to 1 (bright).
    least_certainty : float
        Of the heart, as a mean over it.
    """
    if not _within(heart, _HEART_SHARE) or certainty(heart) < least_certainty:
        return False, False, False
    is_right, is_left = _is_lung(right, ranks), _is_lung(left, ranks)
    if is_right and is_left:
        larger, smaller = sorted([(right > INSIDE).sum(), (left > INSIDE).sum()], reverse=True)
        ordered = _center(right)[1] < _center(left)[1]
        if not ordered or larger > _MOST_ASYMMETRY * smaller:
            is_right, is_left = (
                is_right and larger == (right > INSIDE).sum() and ordered,
                False,
            )
    is_heart = not (is_right and is_left) or _center(right)[1] < _center(heart)[1] < _center(left)[1]
    return is_right, is_left, is_heart


def _is_lung(level: np.ndarray, ranks: np.ndarray) -> bool:
    return _within(level, _LUNG_SHARE) and certainty(level) >= LEAST_CERTAINTY and _darker(level, ranks)


def _darker(level: np.ndarray, ranks: np.ndarray) -> bool:
    """Tell whether what is inside is darker than what is just around it, as air is."""
    inside = level > INSIDE
    around = ndimage.binary_dilation(inside, iterations=_AROUND) & ~inside
    return float(ranks[around].mean() - ranks[inside].mean()) >= _LEAST_CONTRAST


def _within(level: np.ndarray, share: tuple[float, float]) -> bool:
    return share[0] <= float((level > INSIDE).mean()) <= share[1]


def _center(level: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(level > INSIDE)
    return float(rows.mean()), float(columns.mean())
