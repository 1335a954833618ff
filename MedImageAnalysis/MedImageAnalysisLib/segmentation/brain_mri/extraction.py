"""The brain within the head: a closed surface that is grown again and again, and what of it is brain tissue.

All lengths are in millimeters; the work is done on a grid along the axes of the patient, so that the way in which the
slices were acquired does not matter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...imaging.filters import gaussian_smooth
from ...imaging.masks import bounding_box, distance_to, largest_component
from ...imaging.pixels import image_like, view
from ...progress import Progress, run_filter
from .levels import TissueLevels, tissue_levels
from .stripped import stripped_brain
from .surface import HeadIntensities, ball_of, brain_surface, head_intensities, inside

__all__ = ["extract_brain"]

_STEP_MM = 1.5
_MAXIMUM_EXTENT_MM = 700.0
_LEAST_EXTENT_MM = 60.0
# The first surface is strict, so that it does not get out through a thin skull; if it did all the same, a stricter one
# is grown. In multiples of the fraction that is asked for.
_FIRST_STRICTNESS, _MOST_FRACTION = (1.3, 1.5, 1.7), 0.95
_LARGEST_ML = 1900.0
# One that has shrunk onto less than this (ventricles as wide as in hydrocephalus) is grown from a larger ball.
_COLLAPSED_ML, _LARGER_BALL = 400.0, 1.5
# What the strict one has missed is regained in rounds while the brain is as small as no adult's, and in one last round
# that is stricter again.
_SMALLEST_ML = 1000.0
_MOST_ROUNDS = 10
_LEAST_CHANGE = 0.003
_LAST_STRICTNESS = 1.24
# Bridges to eyes, muscle and marrow are thinner than twice this, or than so much of the thickest side of a voxel.
_BRIDGE_RADIUS_MM, _BRIDGE_VOXELS = 3.0, 0.75
# The first surface holds what is brain but for so much; a round regains so much beyond its own.
_FIRST_SLACK_MM, _REGAINED_MM = 2.0, 4.0
# Deeper than this in a brain that was found, what is dark is filled, so that ventricles and sulci do not hold the
# surface back.
_FILLED_MM = 2.5
# Sulci are narrower than twice this, and belong to the brain with the fluid in them.
_SULCUS_RADIUS_MM = 8.0
_NO_BRAIN = "No brain was found in this image: is it an MRI of the whole head?"


def extract_brain(image: sitk.Image, fraction: float, progress: Progress) -> np.ndarray:
    """Return the voxels of the brain, with the fluid in its sulci and ventricles, as a boolean array.

    Parameters
    ----------
    image : sitk.Image
        3D, T1-, T2-weighted or FLAIR, with the bias field corrected.
    fraction : float
        Where the border lies between background (0) and brain (1).
    progress : Progress

    Raises
    ------
    UnsupportedImageError
        If there is no head in the image, or nothing that could be a brain in it.
    """
    progress.step("Looking for the brain")
    stripped = stripped_brain(image)
    if stripped is not None:
        return stripped
    upright = _upright(image, progress.part(0.05, 0.15))
    bridge = max(_BRIDGE_RADIUS_MM, _BRIDGE_VOXELS * max(image.GetSpacing()))
    search = _Search(upright, head_intensities(upright), fraction, bridge)
    brain, levels = search.first_look(progress.part(0.15, 0.5))
    if not levels.fluid_is_bright:
        brain = search.regained(brain, levels, progress.part(0.5, 0.9))
    brain = _with_sulci(brain, upright)
    return _on_grid(image_like(distance_to(brain, upright), upright), image, progress.part(0.9, 1.0))


@dataclass(frozen=True)
class _Search:
    """The search for a brain in an upright image: brains are boolean arrays on its grid."""

    upright: sitk.Image
    head: HeadIntensities
    fraction: float
    bridge_mm: float

    def first_look(self, progress: Progress) -> tuple[np.ndarray, TissueLevels]:
        """Return a brain from which much may be missing, but in which little else is, and its intensities."""
        parts = progress.parts(len(_FIRST_STRICTNESS))
        head = self.head
        for strictness, part in zip(_FIRST_STRICTNESS, parts, strict=True):
            surface = inside(*brain_surface(self.upright, head, self._strict(strictness), part), self.upright)
            if _milliliters(surface) < _COLLAPSED_ML and head is self.head:
                head = replace(head, radius=_LARGER_BALL * head.radius)
                surface = inside(*brain_surface(self.upright, head, self._strict(strictness), part), self.upright)
            if not surface.any():
                raise UnsupportedImageError(_NO_BRAIN)
            levels = tissue_levels(self.upright, distance_to(surface, self.upright), head.threshold, self.fraction)
            brain = self._brain_of(surface, levels, _FIRST_SLACK_MM)
            if _milliliters(brain) <= _LARGEST_ML:
                break
        return brain, levels

    def regained(self, brain: np.ndarray, levels: TissueLevels, progress: Progress) -> np.ndarray:
        """Return the brain with what a first, strict look has missed of it."""
        *parts, last = progress.parts(_MOST_ROUNDS + 1)
        for part in parts:
            if _milliliters(brain) > _SMALLEST_ML:
                break
            before, brain = brain, self._round(brain, levels, self.fraction, part)
            if np.count_nonzero(before ^ brain) < _LEAST_CHANGE * np.count_nonzero(before):
                break
        whole = self._round(brain, levels, self._strict(_LAST_STRICTNESS), last)
        return whole if _milliliters(whole) <= _LARGEST_ML else brain

    def _strict(self, strictness: float) -> float:
        return min(_MOST_FRACTION, strictness * self.fraction)

    def _round(self, brain: np.ndarray, levels: TissueLevels, fraction: float, progress: Progress) -> np.ndarray:
        """Grow a surface from within a brain, whose deep parts are filled, and return what is brain in and near it."""
        deep = distance_to(brain, self.upright) < -_FILLED_MM
        share = (view(self.upright) - self.head.lowest) / (levels.least - self.head.lowest) / 2
        np.clip(share, 0, 1, out=share)
        share[deep] = 1
        even = HeadIntensities(0.0, 1.0, 0.1, 1.0, *ball_of(np.argwhere(brain), self.upright))
        surface = inside(*brain_surface(image_like(share, self.upright), even, fraction, progress), self.upright)
        return self._brain_of(surface, levels, _REGAINED_MM, deep & surface)

    def _brain_of(
        self, surface: np.ndarray, levels: TissueLevels, slack: float, firm: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the brain proper within a surface and up to `slack` mm beyond: tissue, cut free of thin bridges."""
        found = np.zeros(surface.shape, bool)
        if not surface.any():
            raise UnsupportedImageError(_NO_BRAIN)
        box = bounding_box(surface, round(2 * _SULCUS_RADIUS_MM / _STEP_MM))
        region = self.upright[tuple(slice(part.start, part.stop) for part in reversed(box))]
        outside = distance_to(surface[box], region)
        tissue = levels.holds(view(region))
        if firm is not None:
            tissue |= firm[box]
        tissue &= outside < slack
        kernel = largest_component(distance_to(~tissue, region) > self.bridge_mm)
        if not kernel.any():
            raise UnsupportedImageError(_NO_BRAIN)
        brain = tissue & (distance_to(kernel, region) <= self.bridge_mm + _STEP_MM / 3)
        found[box] = _with_sulci(brain, region) & (outside <= slack - _STEP_MM / 2)
        return found


def _with_sulci(brain: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Close the sulci and fill the ventricles."""
    from scipy.ndimage import binary_fill_holes

    grown = distance_to(brain, image) <= _SULCUS_RADIUS_MM
    return binary_fill_holes((distance_to(~grown, image) > _SULCUS_RADIUS_MM) | brain)


def _milliliters(brain: np.ndarray) -> float:
    return np.count_nonzero(brain) * _STEP_MM**3 / 1000


def _upright(image: sitk.Image, progress: Progress) -> sitk.Image:
    """Return the image on an isotropic grid along the patient's axes that holds all of it."""
    ends = itertools.product(*((-0.5, size - 0.5) for size in image.GetSize()))
    corners = np.array([image.TransformContinuousIndexToPhysicalPoint(end) for end in ends])
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    if extent.min() < _LEAST_EXTENT_MM or extent.max() > _MAXIMUM_EXTENT_MM:
        measures = " x ".join(f"{length:.0f}" for length in extent)
        raise UnsupportedImageError(
            f"The brain is looked for in volumes of {_LEAST_EXTENT_MM:g} to {_MAXIMUM_EXTENT_MM:g} mm, but this one is "
            f"{measures} mm. Check the spacing."
        )
    smooth = gaussian_smooth(image, (_STEP_MM / 2,) * 3, progress.part(0.0, 0.6))
    resample = sitk.ResampleImageFilter()
    resample.SetSize([int(np.ceil(length / _STEP_MM)) for length in extent])
    resample.SetOutputOrigin((low + _STEP_MM / 2).tolist())
    resample.SetOutputSpacing((_STEP_MM,) * 3)
    resample.SetDefaultPixelValue(float(view(smooth).min()))
    return run_filter(resample, smooth, progress=progress.part(0.6, 1.0))


def _on_grid(distance: sitk.Image, image: sitk.Image, progress: Progress) -> np.ndarray:
    """Return the voxels of an image that lie in a brain, whose distance is given on another grid.

    Distances count from centers of voxels: the border is half a voxel farther out.
    """
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(image)
    resample.SetDefaultPixelValue(_STEP_MM)
    return view(run_filter(resample, distance, progress=progress)) < _STEP_MM / 2
