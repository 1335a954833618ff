"""The exposed field of a radiograph: what lies between collimator blades, and within what was padded around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...imaging.masks import at_edge, component_sizes, components, largest_component

__all__ = ["exposed_field"]

# A blade's edge is looked for in this part of each side, and must be this high, as a share of the gray range.
_BLADE_REACH = 0.45
_BLADE_STEP = 0.2
# Padding is black, and what a blade at the picture's edge leaves is white.
_BLACK, _WHITE = 0.004, 0.93
# What is uniform at the picture's edge counts from this share of the picture on.
_LEAST_UNIFORM = 0.002
# The field is a polygon: it has few corners (to this many pixels), and hardly anything uniform lies within its hull.
_MOST_CORNERS, _CORNER_PX = 8, 5.0
_MOST_WITHIN = 0.2
# It is in one piece, but for this share: what cuts the picture in two is a bright limb.
_WHOLE = 0.8
# A limb with straight sides in black air is brighter by this factor at the second depth below its edge than at the
# first (shares of the longer side).
_RISE, _BELOW_EDGE, _DEEPER = 1.4, (0.005, 0.012), (0.025, 0.04)
# How wide the edge of a film in black padding is, and that of a blade's white shadow, as shares of the longer side.
_FILM_EDGE, _BLADE_EDGE = 0.03, 0.008


def exposed_field(pixels: np.ndarray) -> np.ndarray:
    """Return True within the exposed field.

    Each side of the picture may have a collimator blade, bright and about straight, and the field as a whole may be
    a polygon in a black or white surrounding, as where it was turned.

    Parameters
    ----------
    pixels : numpy.ndarray of float32, shape (rows, columns)
        From 0 to 1.
    """
    field = np.ones(pixels.shape, dtype=bool)
    white = ndimage.binary_opening(pixels >= _WHITE, iterations=2)
    for uniform, edge in ((pixels <= _BLACK, _FILM_EDGE), (white, _BLADE_EDGE)):
        surrounding = _surrounding(uniform)
        if surrounding.any() and not _is_air(pixels, surrounding):
            field &= ~ndimage.binary_dilation(surrounding, iterations=max(1, round(edge * max(pixels.shape))))
    for turns in range(4):
        # Each side in turn is made the left one.
        _cut_left(np.rot90(pixels, turns), np.rot90(field, turns))
    return field


def _is_air(pixels: np.ndarray, surrounding: np.ndarray) -> bool:
    """Tell whether what is surrounded grows brighter inward, as a limb does below its skin; a film is even there."""
    depth = ndimage.distance_transform_edt(~surrounding) / max(pixels.shape)
    near, deep = (np.median(pixels[(depth > low) & (depth <= high)]) for low, high in (_BELOW_EDGE, _DEEPER))
    return bool(deep > _RISE * near)


def _cut_left(pixels: np.ndarray, field: np.ndarray) -> None:
    """Set `field` False left of a blade's edge, if there is one."""
    smooth = ndimage.gaussian_filter(pixels, (2.0, 1.0))
    reach = int(_BLADE_REACH * pixels.shape[1])
    drop = smooth[:, :-4] - smooth[:, 4:]
    profile = np.median(drop[:, :reach], axis=0)
    edge = int(np.argmax(profile))
    outside = np.median(smooth[:, : edge + 1], axis=0)
    # A blade is bright all the way to the picture's border; a bone is not.
    if profile[edge] < _BLADE_STEP or outside.min() < np.median(smooth[:, edge + 4]) + _BLADE_STEP / 2:
        return
    near = slice(max(0, edge - reach // 5), edge + reach // 5 + 1)
    rows = np.arange(pixels.shape[0])
    at = near.start + drop[:, near].argmax(axis=1) + 2
    sharp = drop[:, near].max(axis=1) >= _BLADE_STEP
    # A blade may stand slightly askew; rows where something else crosses its edge do not count.
    for _ in range(3):
        slope, start = np.polyfit(rows[sharp], at[sharp], 1)
        sharp &= np.abs(at - (start + slope * rows)) <= 3
        if sharp.sum() < pixels.shape[0] // 4:
            return
    border = start + slope * rows
    columns = np.arange(pixels.shape[1])[None, :]
    # The penumbra of a blade is a few pixels wide.
    field &= columns > border[:, None] + 3


def _surrounding(uniform: np.ndarray) -> np.ndarray:
    """Return what lies around a polygon in something uniform that reaches the picture's edge; nothing if it is none."""
    from skimage.measure import approximate_polygon, find_contours
    from skimage.morphology import convex_hull_image

    nothing = np.zeros(uniform.shape, dtype=bool)
    parts = components(uniform)
    around = ((component_sizes(parts) >= _LEAST_UNIFORM * uniform.size) & at_edge(parts))[parts]
    rest = ndimage.binary_opening(~around, iterations=3)
    if not around.any() or not rest.any():
        return nothing
    field = largest_component(rest)
    if np.count_nonzero(field) < _WHOLE * np.count_nonzero(rest):
        return nothing
    hull = convex_hull_image(field)
    outline = find_contours(np.pad(hull, 2).astype(np.float32), 0.5)[0]
    corners = len(approximate_polygon(outline, _CORNER_PX)) - 1
    within = np.count_nonzero(hull & around) / np.count_nonzero(around)
    return ~hull if corners <= _MOST_CORNERS and within < _MOST_WITHIN else nothing
