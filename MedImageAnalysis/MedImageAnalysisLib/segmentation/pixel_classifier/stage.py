"""Pixel classification: a fixed filter bank and a cascade of small perceptrons (auto-context).

Each stage sees, at every pixel, Gaussian derivatives of the normalized image at several scales, samples of the
surroundings, the position in the frame and, from the second stage on, what the stage before found there and around.
This is pixel classification after van Ginneken et al. (Med Image Anal 2006;10:19-40,
doi:10.1016/j.media.2005.02.002) with auto-context after Tu and Bai (IEEE TPAMI 2010;32:1744-57,
doi:10.1109/TPAMI.2009.186). Radiographs and
ultrasound pictures are outlined by it, each with weights of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = [
    "LOCAL_SCALE",
    "REFERENCE_SIZE",
    "Stage",
    "context_features",
    "feature_groups",
    "features",
    "image_features",
    "middle_ranks",
    "normalized",
    "run_stages",
]


# Scales in pixels of a frame 128 pixels wide; frames of other sizes scale with them.
REFERENCE_SIZE = 128
_FINE_SCALES = (1.0, 2.0, 4.0)
_COARSE_SCALES = (2.0, 4.0, 8.0)
_INTENSITY_RADII = (5.0, 10.0, 20.0, 36.0)
_CONTEXT_RADII = (3.0, 8.0, 18.0)
_ORDERS = ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
_DIRECTIONS = 8
LOCAL_SCALE = 16.0
# Pixels that the first layer is computed for at once.
_BAND = 8192


@dataclass(frozen=True, eq=False)
class Stage:
    """One pixel classifier: a perceptron with two hidden layers over standardized features.

    Parameters
    ----------
    size : int
        Width and height of the frame in pixels.
    layers : tuple of (weights, bias)
        float32 arrays of shape (inputs, outputs) and (outputs,). The standardization is folded into the first.
    """

    size: int
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def __call__(self, frame: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Return probabilities, shape (channels, size, size), for a normalized frame and the stage before."""
        columns = self._first_layer(frame, context)
        for weights, bias in self.layers[1:]:
            np.maximum(columns, 0, out=columns)
            columns = columns @ weights + bias
        np.clip(columns, -30, 30, out=columns)
        return (1 / (1 + np.exp(-columns))).T.reshape(-1, self.size, self.size)

    def _first_layer(self, frame: np.ndarray, context: np.ndarray | None) -> np.ndarray:
        """Return the sums of the first layer; the features come in groups, for all at once take a lot of memory."""
        weights, bias = self.layers[0]
        sums = np.repeat(bias[None], self.size * self.size, axis=0)
        start = 0
        for group in feature_groups(frame, context):
            rows = group.reshape(len(group), -1)
            part = weights[start : start + len(group)]
            for first in range(0, len(sums), _BAND):
                sums[first : first + _BAND] += rows[:, first : first + _BAND].T @ part
            start += len(group)
        return sums


def run_stages(stages: Sequence[Stage], frame: np.ndarray) -> np.ndarray:
    """Return what the last of `stages` finds in a normalized frame; coarser stages see it reduced.

    Returns
    -------
    numpy.ndarray of float32, shape (channels, size, size)
        At the size of the frame.
    """
    context = None
    for stage in stages:
        context = stage(
            _resized(frame, stage.size),
            None if context is None else _resized(context, stage.size),
        )
    return _resized(context, frame.shape[1])


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    factor = size / images.shape[1]
    if factor == 1:
        return images
    if factor < 1:
        images = ndimage.gaussian_filter(images, (0, 0.5 / factor, 0.5 / factor))
    return ndimage.zoom(images, (1, factor, factor), order=1, grid_mode=True, mode="nearest")


def normalized(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return ranks and local contrast of a frame: independent of any monotonic gray scale, respectively of shading.

    Parameters
    ----------
    pixels : numpy.ndarray of float, shape (rows, columns)
    valid : numpy.ndarray of bool
        Where the frame shows the image; elsewhere the result is 0.

    Returns
    -------
    numpy.ndarray of float32, shape (2, rows, columns)
        Ranks from -1 (dark) to 1 (bright), and deviations from the local mean in local standard deviations.
    """
    ranks = middle_ranks(pixels, valid)
    sigma = LOCAL_SCALE * pixels.shape[1] / REFERENCE_SIZE
    weight = ndimage.gaussian_filter(valid.astype(np.float32), sigma) + 1e-3
    mean = ndimage.gaussian_filter(ranks, sigma) / weight
    difference = np.where(valid, ranks - mean, 0).astype(np.float32)
    deviation = np.sqrt(ndimage.gaussian_filter(difference**2, sigma) / weight) + 0.05
    return np.stack([ranks, difference / deviation])


def middle_ranks(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the ranks of valid pixels among them, float32 from -1 (dark) to 1 (bright), and 0 elsewhere."""
    ranks = np.zeros(pixels.shape, dtype=np.float32)
    values = pixels[valid]
    ordered = np.sort(values)
    # Equal values get their middle rank, so that a saturated background cannot push the rest aside.
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    ranks[valid] = below / max(len(ordered), 1) - 1
    return ranks


def features(frame: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
    """Return all of :func:`feature_groups` as one array, shape (features, rows, columns), float32."""
    return np.concatenate(list(feature_groups(frame, context)))


def feature_groups(frame: np.ndarray, context: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield the feature images of a normalized frame in groups of shape (features, rows, columns), float32.

    Parameters
    ----------
    frame : numpy.ndarray, shape (2, rows, columns)
        As :func:`normalized` returns it.
    context : numpy.ndarray, shape (channels, rows, columns), optional
        Probabilities of the stage before, on the same grid.
    """
    yield from image_features(frame)
    if context is not None:
        yield from context_features(context)


def image_features(frame: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the features that come from the image and the place in it."""
    scale = frame.shape[2] / REFERENCE_SIZE
    ranks, contrast = frame
    for sigma in _FINE_SCALES:
        yield _jet(contrast, sigma * scale)
    for sigma in _COARSE_SCALES:
        yield _jet(ranks, sigma * scale)
    yield from _rings(ndimage.gaussian_filter(ranks, 2.5 * scale)[None], _INTENSITY_RADII, scale)
    yield from _rings(ndimage.gaussian_filter(contrast, 2.5 * scale)[None], _INTENSITY_RADII[:3], scale)
    yield _position(frame.shape[1:])


def context_features(context: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the features that come from what the stage before found."""
    scale = context.shape[2] / REFERENCE_SIZE
    yield context
    smooth = np.stack([ndimage.gaussian_filter(channel, 1.0 * scale) for channel in context])
    yield from _rings(smooth, _CONTEXT_RADII, scale)


def _jet(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the scale-normalized Gaussian derivatives up to second order, shape (6, rows, columns)."""
    down = [ndimage.gaussian_filter1d(image, sigma, 0, order, mode="nearest", truncate=3) for order in range(3)]
    return np.stack(
        [
            ndimage.gaussian_filter1d(down[y], sigma, 1, x, mode="nearest", truncate=3) * np.float32(sigma ** (y + x))
            for y, x in _ORDERS
        ]
    )


def _rings(images: np.ndarray, radii: tuple[float, ...], scale: float) -> Iterator[np.ndarray]:
    """Yield for each radius `images` as seen from a circle around each pixel; beyond the edge the edge repeats."""
    margin = int(np.ceil(max(radii) * scale))
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    rows, columns = images.shape[1:]
    for radius in radii:
        seen = []
        for angle in np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS):
            down = margin + int(np.rint(radius * scale * np.sin(angle)))
            right = margin + int(np.rint(radius * scale * np.cos(angle)))
            seen.append(padded[:, down : down + rows, right : right + columns])
        yield np.concatenate(seen)


def _position(shape: tuple[int, ...]) -> np.ndarray:
    """Return the place in the frame, from -1 to 1, and its second powers, shape (5, rows, columns)."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return np.stack([x, y, x * x, x * y, y * y]).astype(np.float32)
