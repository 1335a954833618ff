"""Laws' kernels (IBSI-2 code JTXT): response and texture energy maps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from ...errors import InvalidSettingError
from ...parameters import parameter
from ...progress import Progress
from .convolution import convolve, pooled
from .filter import FILTERS, POOLINGS, Grid, ImageFilter

__all__ = ["LAWS_KERNELS", "Laws"]

LAWS_KERNELS = MappingProxyType(
    {
        "L5": (1, 4, 6, 4, 1),
        "E5": (-1, -2, 0, 2, 1),
        "S5": (-1, 0, 2, 0, -1),
        "W5": (-1, 2, 0, -2, 1),
        "R5": (1, -4, 6, -4, 1),
        "L3": (1, 2, 1),
        "E3": (-1, 0, 1),
        "S3": (-1, 2, -1),
    }
)
"""Level, edge, spot, wave and ripple of three or five samples, before normalization to unit Euclidean norm."""


@FILTERS.register
@dataclass(frozen=True)
class Laws(ImageFilter):
    """Outer product of short 1D kernels, one per axis, e.g. ``"L5E5E5"`` along x, y and z."""

    name: ClassVar[str] = "laws"
    title: ClassVar[str] = "Laws' kernel"
    shown: ClassVar[tuple[str, ...]] = ("kernels",)

    kernels: str = parameter("L5E5E5", "One kernel of L5 E5 S5 W5 R5 L3 E3 S3 per axis, in the order x, y(, z).")
    rotation_invariant: bool = parameter(True, "Pool the responses to all right-angle rotations of the kernel.")
    pooling: str = parameter("max", "How the responses of rotations are pooled.", choices=POOLINGS)
    energy_radius: int = parameter(
        7, "Average the magnitude of the response over this radius (texture energy); 0 keeps the response.",
        unit="voxels", minimum=0, maximum=100,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(f"({'|'.join(LAWS_KERNELS)}){{2,3}}", self.kernels):
            raise InvalidSettingError(
                f"laws: 'kernels' is {self.kernels!r:.80}. Write two or three of {' '.join(LAWS_KERNELS)} without "
                "spaces, one per axis, e.g. 'L5E5' in 2D or 'L5E5E5' in 3D."
            )

    def respond(self, array: np.ndarray, grid: Grid, progress: Progress) -> np.ndarray:
        """Return the (pooled) response, or its energy: the mean magnitude in a neighborhood."""
        progress.step("Laws' kernels")
        kernels = [_unit(name) for name in re.findall("..", self.kernels)]
        if len(kernels) != grid.dimension:
            raise InvalidSettingError(
                f"laws: 'kernels' is {self.kernels!r}, which is for {len(kernels)}D, but the image is filtered in "
                f"{grid.dimension}D. Name one kernel per axis, or change 'by_slice'."
            )
        if self.rotation_invariant:
            response = pooled(array, [kernels], grid, self.boundary, self.pooling, progress)
        else:
            response = convolve(array, kernels, grid, self.boundary)
        if not self.energy_radius:
            return response
        width = 2 * self.energy_radius + 1
        return convolve(
            np.abs(response, out=response), [np.full(width, 1 / width)] * grid.dimension, grid, self.boundary
        )


def _unit(name: str) -> tuple[float, ...]:
    kernel = LAWS_KERNELS[name]
    norm = math.sqrt(sum(value**2 for value in kernel))
    return tuple(value / norm for value in kernel)
