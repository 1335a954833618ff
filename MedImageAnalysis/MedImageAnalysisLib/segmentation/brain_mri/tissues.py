"""Cerebrospinal fluid, gray and white matter within the brain, whatever the weighting of the image."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.masks import bounding_box, component_sizes, components, distance_to
from ...imaging.pixels import mask_image, view
from ...progress import Progress
from ...terminology import generic_segment
from ..generic.clustering import TissueClasses
from .levels import TissueLevels, tissue_levels
from .mixture import mixed_classes

__all__ = ["CONTRASTS", "classify_tissues"]

FLUID, GRAY, WHITE = 1, 2, 3
# The tissues from dark to bright.
_ORDERS = {"t1": (FLUID, GRAY, WHITE), "t2": (WHITE, GRAY, FLUID), "flair": (FLUID, WHITE, GRAY)}
CONTRASTS = ("auto", *_ORDERS)
# Between background (0) and brain (1).
_BORDER_FRACTION = 0.5
# In FLAIR gray and white matter are too close to tell mixed voxels of theirs and of fluid apart.
_MIXED = ("t1", "t2")
# Gray and white matter are told by this shell (mm below the surface of the brain), which is mostly white, and the rim
# above it, of which half is gray: by their median and their upper quartile, where fluid mixes in least.
_SHELL_MM, _RIM_MM = (8.0, 20.0), (2.0, 5.0)
_COMPARED_PERCENTILES = (50.0, 75.0)
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
    outside = distance_to(inside, region)
    levels = tissue_levels(region, outside, float(view(region).min()), _BORDER_FRACTION)
    found = _weighting(view(region), -outside, levels) if contrast == "auto" else contrast
    if found in _MIXED:
        classes = mixed_classes(region, inside, smoothness, progress.part(0.2, 0.95), levels)
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


def _weighting(values: np.ndarray, depth: np.ndarray, levels: TissueLevels) -> str:
    """Tell the weighting: in T2 fluid is bright, in T1 white matter is brighter than gray matter, in FLAIR darker."""
    if levels.fluid_is_bright:
        return "t2"
    tissue = levels.holds(values)
    deep, rim = (values[tissue & (depth >= low) & (depth < high)] for low, high in (_SHELL_MM, _RIM_MM))
    if not deep.size or not rim.size:
        return "t1"
    ratios = np.percentile(deep, _COMPARED_PERCENTILES) / np.percentile(rim, _COMPARED_PERCENTILES)
    return "t1" if np.prod(ratios) > 1 else "flair"
