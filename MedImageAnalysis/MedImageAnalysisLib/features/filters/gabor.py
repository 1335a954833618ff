"""Gabor filter (IBSI-2 code Q88H): the magnitude of the response to an oriented wave, in planes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import fft

from ...errors import InvalidSettingError
from ...parameters import parameter
from ...progress import Progress
from .convolution import crop, pad
from .filter import FILTERS, POOLINGS, Grid, ImageFilter

__all__ = ["Gabor"]

# Beyond this many standard deviations the envelope is below 1e-8 of its peak.
_TRUNCATION = 6.0
_PLANES_AT_ONCE = 8


@FILTERS.register
@dataclass(frozen=True)
class Gabor(ImageFilter):
    """Modulus of the response to g[k] = exp(-(u^2 + gamma^2 v^2) / (2 sigma^2) + 2 pi i u / lambda).

    u = k1 cos(theta) + k2 sin(theta) and v = k1 sin(theta) - k2 cos(theta) are the coordinates of a plane turned by
    theta. Volumes are filtered in axial planes (`by_slice`), or in the three orthogonal sets of planes, pooled.
    """

    name: ClassVar[str] = "gabor"
    title: ClassVar[str] = "Gabor"
    shown: ClassVar[tuple[str, ...]] = ("sigma_mm", "wavelength_mm")

    sigma_mm: float = parameter(5.0, "Standard deviation along the wave.", unit="mm", minimum=0.1, maximum=100.0)
    wavelength_mm: float = parameter(2.0, "Length of the wave.", unit="mm", minimum=0.1, maximum=200.0)
    aspect_ratio: float = parameter(
        1.5, "Gamma: standard deviation along the wave over that across.", minimum=0.05, maximum=20.0
    )
    orientation_deg: float = parameter(
        0.0, "Angle from the x to the y axis, or the first of them.", unit="deg", minimum=-360.0, maximum=360.0
    )
    orientation_step_deg: float = parameter(
        22.5, "Step between the pooled orientations over the full turn; 0 takes one orientation.",
        unit="deg", minimum=0.0, maximum=180.0,
    )  # fmt: skip
    pooling: str = parameter("average", "How the responses of orientations and planes are pooled.", choices=POOLINGS)

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the pooled magnitude."""
        planes = _planes(grid)
        angles = self._angles()
        parts = progress.parts(len(planes))
        return self._pool(
            self._plane_response(array, plane, angles, part) for plane, part in zip(planes, parts, strict=True)
        )

    def _pool(self, responses: Iterable[np.ndarray]) -> np.ndarray:
        """Return the average or the maximum, voxel by voxel; holds one response at a time."""
        total: np.ndarray | None = None
        count = 0
        for response in responses:
            count += 1
            if total is None:
                total = response
            elif self.pooling == "average":
                total += response
            else:
                np.maximum(total, response, out=total)
        return total / count if self.pooling == "average" else total

    def _angles(self) -> np.ndarray:
        if self.orientation_step_deg == 0:
            return np.radians([self.orientation_deg])
        count = round(360 / self.orientation_step_deg)
        if not math.isclose(count * self.orientation_step_deg, 360):
            raise InvalidSettingError(
                f"gabor: 'orientation_step_deg' is {self.orientation_step_deg:g}, which does not divide 360 degrees."
            )
        return np.radians(self.orientation_deg + self.orientation_step_deg * np.arange(count))

    def _plane_response(self, array: np.ndarray, plane: Grid, angles: np.ndarray, progress: Progress) -> np.ndarray:
        """Return the magnitude in one set of parallel planes, pooled over the angles, by the Fourier transform."""
        reach = _TRUNCATION * self.sigma_mm * max(1.0, 1 / self.aspect_ratio)
        radii = [math.ceil(reach / spacing) for spacing in plane.spacing]
        shape = [fft.next_fast_len(array.shape[axis] + 2 * n) for axis, n in zip(plane.axes, radii, strict=True)]
        transfers = [
            fft.fft2(self._kernel(radii, plane.spacing, angle).astype(np.complex64), shape) for angle in angles
        ]
        # The planes last, the stack of them first: some planes at a time keep the memory bounded.
        rows, columns = plane.axes
        stack = np.moveaxis(array, plane.axes, (-2, -1)).reshape(-1, array.shape[rows], array.shape[columns])
        result = np.empty_like(stack)
        inner = Grid((1, 2), plane.spacing)
        for start in range(0, len(stack), _PLANES_AT_ONCE):
            progress.step("Gabor filter", start / len(stack))
            part = stack[start : start + _PLANES_AT_ONCE]
            spectrum = fft.fft2(pad(part, radii, inner, self.boundary), shape)
            # The kernel's center lies at index `radii`, and so does the image's first pixel.
            starts = [2 * radius for radius in radii]
            result[start : start + _PLANES_AT_ONCE] = self._pool(
                np.abs(crop(fft.ifft2(spectrum * transfer), starts, part.shape, inner)) for transfer in transfers
            )
        moved = [array.shape[axis] for axis in range(array.ndim) if axis not in plane.axes]
        return np.moveaxis(result.reshape(*moved, *result.shape[1:]), (-2, -1), plane.axes)

    def _kernel(self, radii: list[int], spacing: tuple[float, ...], angle: float) -> np.ndarray:
        x, y = np.meshgrid(
            *(step * np.arange(-n, n + 1) for n, step in zip(radii, spacing, strict=True)), indexing="ij"
        )
        along = x * math.cos(angle) + y * math.sin(angle)
        across = x * math.sin(angle) - y * math.cos(angle)
        envelope = (along**2 + (self.aspect_ratio * across) ** 2) / (2 * self.sigma_mm**2)
        return np.exp(-envelope + 2j * math.pi * along / self.wavelength_mm)


def _planes(grid: Grid) -> list[Grid]:
    """Return the axial, sagittal and coronal planes of a volume, or the one plane of a slice."""
    pairs = [(0, 1)] if grid.dimension == 2 else [(0, 1), (1, 2), (0, 2)]
    return [Grid((grid.axes[i], grid.axes[j]), (grid.spacing[i], grid.spacing[j])) for i, j in pairs]
