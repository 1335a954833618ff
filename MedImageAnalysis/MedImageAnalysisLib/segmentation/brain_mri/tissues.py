"""Cerebrospinal fluid, gray and white matter within the brain, whatever the weighting of the image."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.masks import bounding_box, component_sizes, components
from ...imaging.pixels import axis_lengths, mask_image, view
from ...progress import Progress
from ...terminology import generic_segment
from ..generic.clustering import TissueClasses
from .extraction import distance_to
from .mixture import mixed_classes

__all__ = ["CONTRASTS", "classify_tissues"]

FLUID, GRAY, WHITE = 1, 2, 3
# The tissues from dark to bright.
_ORDERS = {"t1": (FLUID, GRAY, WHITE), "t2": (WHITE, GRAY, FLUID), "flair": (FLUID, WHITE, GRAY)}
CONTRASTS = ("auto", *_ORDERS)
# In FLAIR gray and white matter are too close to tell mixed voxels of theirs and of fluid apart.
_MIXED = ("t1", "t2")
# White matter is told by its share of this shell (mm below the surface of the brain) and of the rim above it.
_SHELL_MM = (8.0, 20.0)
_RIM_MM = (1.0, 5.0)
_DEPTH_STEP_MM = 2.0
# White matter is thicker than twice the first, and reaches no further than the second beyond where it is.
_FILM_MM, _BESIDE_CORE_MM = 1.0, 2.0
_LEAST_WHITE_MM3 = 1000.0


def classify_tissues(
    image: sitk.Image, brain: np.ndarray, contrast: str, smoothness: float, progress: Progress
) -> np.ndarray:
    """Return the tissue of each voxel of the brain: 1 fluid, 2 gray matter, 3 white matter; 0 outside.

    Parameters
    ----------
    image : sitk.Image
        Bias-corrected.
    brain : numpy.ndarray of bool
    contrast : str
        One of `CONTRASTS`.
    smoothness : float
        Weight of the Markov random field.
    progress : Progress
    """
    box = bounding_box(brain)
    region = image[tuple(slice(part.start, part.stop) for part in reversed(box))]
    inside = brain[box]
    start = Segmentation((mask_image(np.ascontiguousarray(inside), region),), (generic_segment("Brain", 1),))
    found = contrast
    if contrast == "auto":
        rough = TissueClasses(classes=3, smoothness=0, region="previous")
        found = _contrast(view(rough(region, start, progress.part(0.0, 0.2)).labelmap), axis_lengths(image))
    if found in _MIXED:
        classes = mixed_classes(region, inside, smoothness, progress.part(0.2, 0.95))
    else:
        method = TissueClasses(classes=3, smoothness=smoothness, region="previous")
        classes = view(method(region, start, progress.part(0.2, 0.95)).labelmap)
    classified = np.array((0, *_ORDERS[found]), np.uint8)[classes]
    if found == "flair":
        classified[_films(classified == WHITE, region)] = GRAY
    tissues = np.zeros(brain.shape, np.uint8)
    tissues[box] = classified
    return tissues


def _films(white: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Return what is too thin to be white matter: in FLAIR, voxels half gray matter and half fluid are as bright.

    They lie in a film over the cortex, while white matter hangs together in large thick pieces.
    """
    spacing = image.GetSpacing()
    core = distance_to(~white, image) > max(_FILM_MM, min(spacing))
    pieces = components(core)
    large = component_sizes(pieces) * math.prod(spacing) >= _LEAST_WHITE_MM3
    return white & (distance_to(large[pieces], image) > _BESIDE_CORE_MM) if large.any() else np.zeros_like(white)


def _contrast(classes: np.ndarray, spacing: tuple[float, ...]) -> str:
    """Tell the weighting by which of the three classes, from dark to bright, is the white matter: the deep one."""
    strides = tuple(slice(None, None, max(1, int(_DEPTH_STEP_MM / length))) for length in spacing)
    coarse = np.ascontiguousarray(np.pad(classes[strides], 1))
    mask = sitk.GetImageFromArray((coarse > 0).view(np.uint8))
    lengths = [part.step * length for part, length in zip(strides, spacing, strict=True)]
    mask.SetSpacing(lengths[::-1])
    depth = view(sitk.SignedMaurerDistanceMap(mask, insideIsPositive=True, squaredDistance=False, useImageSpacing=True))
    deep, rim = (
        np.bincount(coarse[(depth >= low) & (depth < high) & (coarse > 0)], minlength=4)[1:4]
        for low, high in (_SHELL_MM, _RIM_MM)
    )
    # One voxel more in each keeps empty shells of very small images from dividing by zero.
    white = int(np.argmax((deep + 1) / (rim + 1)))
    return ("t2", "flair", "t1")[white]
