"""Reduce the multiplicative speckle of ultrasound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.pixels import as_float, axis_lengths, image_like, is_constant, radius_in_voxels, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["LeeFilter", "SpeckleDiffusion"]


@STEPS.register
@dataclass(frozen=True)
class SpeckleDiffusion(ScalarStep):
    """Speckle reducing anisotropic diffusion (SRAD), ``dI/dt = div(c(q) grad I)``.

    With d the differences to the 2N neighbors, ``q^2 = (mean(d^2) - mean(d)^2) / (I + mean(d))^2`` is the local
    coefficient of variation (in 2D the formula of the paper), and ``c = 1 / (1 + (q^2 - q0^2) / (q0^2 (1 + q0^2)))``.
    The speckle level q0 is the median of q at the start and decays as ``exp(-t / 6)``. Thick slices count less, by the
    squared ratio of the spacings. B-mode images are log-compressed: diffusion runs on the exponential of the values,
    scaled to 0-1, and the logarithm is taken at the end.

    References
    ----------
    Yu, Acton 2002, doi:10.1109/TIP.2002.804276.
    """

    name = "speckle-diffusion"
    title = "Speckle reduction (SRAD)"
    iterations: int = parameter(50, "How many steps of diffusion; more is smoother.", minimum=1, maximum=1000)
    time_step: float = parameter(0.5, "Size of one step; 1 is the limit of stability.", minimum=0.01, maximum=1)
    log_compressed: bool = parameter(True, "The values are log-compressed, as in B-mode pictures.")

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        if is_constant(image):
            return as_float(image)
        values = view(image)
        lowest, width = float(values.min()), float(values.max()) - float(values.min())
        state = values.astype(np.float32)
        state -= np.float32(lowest)
        state *= np.float32(1 / width)
        if self.log_compressed:
            np.exp(state, out=state)
        else:
            # The coefficient of variation is relative: a hundredth of the range keeps it finite at zero.
            state += np.float32(0.01)
        self._diffuse(state, axis_lengths(image), progress)
        if self.log_compressed:
            np.log(state, out=state)
        else:
            state -= np.float32(0.01)
        state *= np.float32(width)
        state += np.float32(lowest)
        return image_like(state, image)

    def _diffuse(self, state: np.ndarray, spacing: tuple[float, ...], progress: Progress) -> None:
        """Diffuse `state` in place."""
        weights = [(min(spacing) / length) ** 2 for length in spacing]
        share = [np.float32(weight / (2 * sum(weights))) for weight in weights]
        level: float | None = None
        for iteration, part in enumerate(progress.parts(self.iterations)):
            variation = _squared_variation(state, share, part)
            if level is None:
                level = max(float(np.median(variation)), 1e-8)
            # q0 decays as exp(-t / 6), its square twice as fast.
            q0 = level * math.exp(-iteration * self.time_step / 3)
            variation -= np.float32(q0)
            variation *= np.float32(1 / (q0 * (1 + q0)))
            variation += np.float32(1)
            part.step(fraction=0.6)
            # Below the speckle level the formula exceeds 1 and may change sign: full conductance there.
            conductance = np.reciprocal(np.maximum(variation, np.float32(1), out=variation), out=variation)
            _flow(state, conductance, share, np.float32(self.time_step), part)


def _squared_variation(state: np.ndarray, share: list[np.float32], progress: Progress) -> np.ndarray:
    """Return the squared coefficient of variation among each voxel's neighbors; outside continues the edge."""
    mean = np.zeros_like(state)
    square = np.zeros_like(state)
    for axis, weight in enumerate(share):
        lower, upper = _neighbors(state.ndim, axis)
        difference = state[upper] - state[lower]
        mean[lower] += weight * difference
        mean[upper] -= weight * difference
        np.square(difference, out=difference)
        difference *= weight
        square[lower] += difference
        square[upper] += difference
        progress.step(fraction=0.5 * (axis + 1) / len(share))
    square -= mean**2
    mean += state
    np.square(mean, out=mean)
    return np.divide(square, mean, out=square)


def _flow(
    state: np.ndarray, conductance: np.ndarray, share: list[np.float32], time_step: np.float32, progress: Progress
) -> None:
    """Let intensity flow between neighbors, in place; none flows over the border, and the sum is kept."""
    change = np.zeros_like(state)
    for axis, weight in enumerate(share):
        lower, upper = _neighbors(state.ndim, axis)
        flow = state[upper] - state[lower]
        flow *= conductance[upper]
        flow *= weight * time_step
        change[lower] += flow
        change[upper] -= flow
        progress.step(fraction=0.6 + 0.4 * (axis + 1) / len(share))
    state += change


def _neighbors(dimension: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the indices of all pairs of neighbors along an axis: the lower ones and the upper ones."""
    everything = (slice(None),) * dimension
    lower = (*everything[:axis], slice(None, -1), *everything[axis + 1 :])
    upper = (*everything[:axis], slice(1, None), *everything[axis + 1 :])
    return lower, upper


@STEPS.register
@dataclass(frozen=True)
class LeeFilter(ScalarStep):
    """Average where only speckle varies, keep where structure does: ``I' = m + (1 - Cu^2 / Ci^2) (I - m)``.

    m and Ci are the mean and the coefficient of variation in a window; Cu, that of the speckle, is the median of Ci
    over the image.

    References
    ----------
    Lee 1980, doi:10.1109/TPAMI.1980.4766994; Lopes, Touzi, Nezry 1990, doi:10.1109/36.62623.
    """

    name = "lee"
    title = "Lee speckle filter"
    radius: float | None = parameter(
        None, "Half width of the window; empty means 3 pixels.", unit="mm", minimum=0.001, maximum=50
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        from scipy.ndimage import uniform_filter1d

        if is_constant(image):
            return as_float(image)
        values = view(image)
        # Speckle is relative to the signal, so the darkest value counts as none.
        offset = np.float32(values.min())
        signal = values.astype(np.float32) - offset
        mean, square = signal, signal**2
        radius = radius_in_voxels(self.radius, axis_lengths(image), default=3)
        for axis, half in enumerate(radius):
            mean = uniform_filter1d(mean, 2 * half + 1, axis=axis)
            progress.step(fraction=0.4 * (axis + 0.5) / len(radius))
            square = uniform_filter1d(square, 2 * half + 1, axis=axis)
            progress.step(fraction=0.4 * (axis + 1) / len(radius))
        variance = np.maximum(square - mean**2, 0)
        variation = np.divide(variance, mean**2, out=np.zeros_like(mean), where=mean > 0)
        progress.step(fraction=0.6)
        speckle = np.median(variation)
        weight = 1 - np.divide(speckle, variation, out=np.ones_like(mean), where=variation > speckle)
        progress.step(fraction=0.9)
        return image_like(mean + weight * (signal - mean) + offset, image)
