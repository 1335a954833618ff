"""Head CT without contrast agent: skull, brain, cerebrospinal fluid, ventricles and hyperdense areas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.masks import component_sizes, components
from ...parameters import parameter
from ...progress import Progress
from ..generic.scalar_method import ScalarMethod
from ..method import METHODS
from .ventricles import find_ventricles
from .volume import (
    Canvas,
    CoarseVolume,
    Part,
    ball_closing,
    ball_dilation,
    ball_erosion,
    drop_small,
    filled_in_slices,
    interior_of_body,
    outlined,
)

__all__ = ["BrainCt"]

_SKULL_HU = 200
# Thin bone of the base is mixed with soft tissue in the voxels; as a wall it counts from here.
_WALL_HU = 140
# Openings of the skull base and the orbits are bridged up to twice this, necks up to twice that are cut (mm).
_CLOSING_MM = 10.0
_OPENING_MM = 7.0
_BRAIN_HU = (-10, 130)
_LEAST_BRAIN_ML = 40.0
_LEAST_BONE_ML = 2.0
# Noise is smoothed over about this before tissues are told apart (mm).
_SMOOTHING_MM = 1.2
# Ventricles lie this deep under the inner side of the skull (mm).
_DEPTH_MM = 24.0
# Next to bone, voxels mixed with it look like blood (mm).
_BONE_MARGIN_MM = 5.0


@METHODS.register
@dataclass(frozen=True)
class BrainCt(ScalarMethod):
    """Skull, brain, fluid and hyperdense areas on CT of the head, in Hounsfield units.

    What the closed skull encloses is told apart by density: fluid is below the brain's most frequent value by a fixed
    distance, so that a shift of the scale does not matter; hyperdense candidates (blood, but also calcification and
    beam hardening) are above it. Old infarcts are as dark as fluid and are counted as such.

    References
    ----------
    Densities: Broder JS 2011, Diagnostic Imaging for the Emergency Physician, ch. 1 (fluid 0 to 15, white matter 20 to
    30, gray matter 37 to 45, acute blood 50 to 100 HU).
    """

    name = "brain-ct"
    title = "Head CT: skull, brain, fluid, hyperdense areas"
    fluid: float = parameter(13.0, "Fluid is darker than the brain by at least this.", unit="HU", minimum=5, maximum=40)
    dense: float = parameter(
        20.0, "Hyperdense areas are brighter than the brain by at least this.", unit="HU", minimum=8, maximum=60
    )
    densest: float = parameter(100.0, "Blood is not denser than this.", unit="HU", minimum=60, maximum=300)
    smallest: float = parameter(0.2, "Hyperdense areas are at least this large.", unit="mL", minimum=0, maximum=100)

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        volume = CoarseVolume.of(image, progress.part(0.0, 0.05))
        inside = interior_of_body(volume, progress.part(0.05, 0.15))
        cavity = _cranial_cavity(volume, inside, progress.part(0.15, 0.5, "Find the brain"))
        canvas = Canvas(image)
        skull = drop_small(inside & (volume.hu > _SKULL_HU), _LEAST_BONE_ML / volume.voxel_ml)
        near = ball_dilation(skull, max(volume.spacing), volume.spacing)
        outline = outlined(volume, np.zeros_like(near), near & ~cavity, lambda hu: hu > _SKULL_HU)
        canvas.structure("skull", outline, progress.part(0.5, 0.6))
        if cavity.any():
            self._paint_brain(canvas, volume, cavity, progress.part(0.6, 1.0, "Tell brain and fluid apart"))
        return canvas.segmentation()

    def _paint_brain(self, canvas: Canvas, volume: CoarseVolume, cavity: np.ndarray, progress: Progress) -> None:
        smooth, level = _smoothed(volume, cavity)
        progress.step(fraction=0.1)
        fluid = cavity & (smooth < level - self.fluid)
        deep = fluid & _in_slices(ball_erosion, cavity, _DEPTH_MM, volume)
        ventricles = find_ventricles(volume, cavity, deep)
        progress.step(fraction=0.3)
        dense = self._hyperdense(volume, cavity, smooth, level)
        progress.step(fraction=0.5)
        painting = progress.part(0.5, 1.0).parts(4)
        canvas.structure("hyperdense", _exactly(volume, dense), painting[0])
        canvas.structure("brain-ventricles", _exactly(volume, ventricles), painting[1])
        canvas.structure("cerebrospinal-fluid", _exactly(volume, fluid), painting[2])
        canvas.structure("brain", _exactly(volume, cavity), painting[3])

    def _hyperdense(self, volume: CoarseVolume, cavity: np.ndarray, smooth: np.ndarray, level: float) -> np.ndarray:
        """Return areas brighter than brain, away from bone and calcification."""
        soft = cavity & (volume.hu <= self.densest)
        allowed = ball_erosion(soft, _BONE_MARGIN_MM, volume.spacing)
        return drop_small(allowed & (smooth > level + self.dense), self.smallest / volume.voxel_ml)


def _cranial_cavity(volume: CoarseVolume, inside: np.ndarray, progress: Progress) -> np.ndarray:
    """Return what the skull encloses, fluid included, without eyes and sinuses, as a coarse mask."""
    progress.step()
    bone = inside & (volume.hu > _SKULL_HU)
    closed = _in_slices(ball_closing, inside & (volume.hu > _WALL_HU), _CLOSING_MM, volume)
    progress.step(fraction=0.4)
    soft = filled_in_slices(closed, 0) & ~bone & (volume.hu > _BRAIN_HU[0]) & (volume.hu < _BRAIN_HU[1])
    progress.step(fraction=0.6)
    core = _in_slices(ball_erosion, soft, _OPENING_MM, volume)
    labels = components(core)
    sizes = component_sizes(labels)
    if sizes.max(initial=0) == 0:
        return np.zeros_like(inside)
    cavity = _in_slices(ball_dilation, labels == int(sizes.argmax()), _OPENING_MM + 1.0, volume) & soft
    progress.step(fraction=0.8)
    # Calcifications and vessels inside are part of it.
    cavity = filled_in_slices(cavity, 0) & ~drop_small(bone, _LEAST_BONE_ML / volume.voxel_ml)
    return cavity if cavity.sum() * volume.voxel_ml >= _LEAST_BRAIN_ML else np.zeros_like(inside)


def _smoothed(volume: CoarseVolume, cavity: np.ndarray) -> tuple[np.ndarray, float]:
    """Return intensities smoothed inside the cavity only, and the most frequent one: that of the brain."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    weight = (cavity & (volume.hu < 150)).astype(np.float32)
    sigma = [_SMOOTHING_MM / length for length in volume.spacing]
    total = gaussian_filter(volume.hu * weight, sigma)
    share = gaussian_filter(weight, sigma)
    smooth = np.where(share > 0.05, total / np.maximum(share, 0.05), volume.hu.astype(np.float32))
    counts = np.bincount(np.clip(smooth[cavity], 0, 99).astype(np.int64), minlength=100).astype(np.float64)
    # Fluid of wide ventricles may make a peak of its own: brain is above 18 HU.
    return smooth, float(gaussian_filter1d(counts, 2.0)[18:].argmax() + 18.5)


def _in_slices(
    operation: Callable[[np.ndarray, float, tuple[float, ...]], np.ndarray],
    mask: np.ndarray,
    radius: float,
    volume: CoarseVolume,
) -> np.ndarray:
    """Apply an operation to each axial slice on its own: head scans often have thick slices, and few."""
    planes = [operation(mask[level : level + 1], radius, volume.spacing) for level in range(len(mask))]
    return np.concatenate(planes)


def _exactly(volume: CoarseVolume, mask: np.ndarray) -> Iterator[Part]:
    """Return a coarse mask at full resolution as it is: densities are told apart only after smoothing."""
    return outlined(volume, mask, np.zeros_like(mask), np.isfinite)
