"""How much brighter each pixel of a limb is than the soft tissue around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["excess_over_soft_tissue", "local_expectile"]

# Soft tissue is what lies low: this expectile of the brightness around.
_LOW = 0.05
# How wide "around" is, as a share of the longer side of the picture.
_AROUND = 0.0625
# Within this share of the half width of the limb, brightness rises from the skin to where it is nearly full.
_RISE = 0.35
_COARSE = 4
_ROUNDS = 12


def excess_over_soft_tissue(pixels: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return by how much each pixel of the limb is brighter than soft tissue would be there; 0 outside.

    From the skin on soft tissue grows thicker, at first fast: its brightness is taken for that of the skin and
    b (1 - exp(-d / 0.35 R)), where d is the distance to the skin and R the half width of the limb. b is fitted around
    each place to what lies low there, since hand and wrist, finger and palm differ in thickness.

    Parameters
    ----------
    pixels : numpy.ndarray of float32, shape (rows, columns)
    limb : numpy.ndarray of bool
    """
    distance = ndimage.distance_transform_edt(np.pad(limb, 1, mode="edge"))[1:-1, 1:-1].astype(np.float32)
    deepest = float(distance.max())
    half_width = ndimage.maximum_filter(distance, size=2 * round(deepest / 2) + 1)
    half_width = np.maximum(ndimage.gaussian_filter(half_width, deepest / 4), distance)
    skin = float(np.percentile(pixels[limb & (distance <= 2)], 25))
    rise = 1 - np.exp(-distance / np.maximum(_RISE * half_width, 1))
    factor = local_expectile(pixels - skin, rise, limb, _LOW, _AROUND * max(pixels.shape))
    return np.where(limb, pixels - skin - factor * rise, 0)


def local_expectile(
    values: np.ndarray, regressor: np.ndarray, mask: np.ndarray, share: float, sigma: float
) -> np.ndarray:
    """Return the factor f at each place so that `values` around it are about f times `regressor`, or a share below.

    Asymmetric least squares: deviations upward weigh `share`, those downward 1 - share (Newey and Powell 1987,
    doi:10.2307/1911031), with the weights of a Gaussian around the place. Fitted on a grid four times as coarse.

    Parameters
    ----------
    values, regressor : numpy.ndarray of float32, shape (rows, columns)
    mask : numpy.ndarray of bool
        Only these count.
    share : float
        0.5 is the mean.
    sigma : float
        Of the Gaussian, in pixels.
    """
    from skimage.transform import downscale_local_mean, resize

    weight, y, x = (
        downscale_local_mean(part.astype(np.float32), (_COARSE, _COARSE))
        for part in (mask, values * mask, regressor * mask)
    )
    y, x = (part / np.maximum(weight, 1e-6) for part in (y, x))

    def around(part: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(part, sigma / _COARSE, truncate=3, mode="constant")

    now = weight
    for _ in range(_ROUNDS):
        factor = around(now * x * y) / (around(now * x * x) + 1e-4)
        now = np.where(y > factor * x, share, 1 - share) * weight
    whole = resize(factor, [_COARSE * length for length in factor.shape], order=1, mode="edge")
    return whole[: values.shape[0], : values.shape[1]].astype(np.float32)
