"""Tumor candidates in contrast-enhanced T1-weighted MRI of the brain, in single slices and in volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..analysis import Segmentation
from ..errors import UnsupportedImageError
from ..imaging.filters import gaussian_smooth
from ..imaging.masks import component_sizes, components, distance_to
from ..imaging.pixels import image_like, mask_image, require_scalar, view
from ..parameters import parameter
from ..progress import Progress
from ..terminology import segment
from .generic.components import voxels_of_ball
from .method import METHODS, SegmentationMethod

__all__ = ["BrainTumorMRI"]

_SMOOTHING_MM = 1.0
# In a slice: the skull and scalp lie within this share of the head's half width from its outline.
_SHELL_SHARE = 0.16
# Dura and marrow hug the border of the brain; vessels are hardly thicker than twice the second.
_RIM_MM = 3.0
_VESSEL_MM = 1.5
_MOST_BRAIN_SHARE = 0.3
_LEAST_SHELL_MM = 8.0
# Of the depth of the inner head: what lies deeper gives the intensities of brain.
_CORE_SHARE = 0.35
# Below this the skull base and the face begin.
_BRAIN_HEIGHT_MM = 95.0
# In a sagittal or coronal slice the brain ends so far below the vertex; the picture's lower border cuts off a neck
# that is wider than this share of the head.
_NECK_MM, _NECK_SHARE = 125.0, 0.2
# Where the picture is cut close all around, the lower border still shows more than the upper one by this factor.
_NECK_MORE = 1.3
# Pictures may have a narrow black frame.
_RIM_PARTS = 40
# A tumor lies among brain; within this distance of a vessel of the skull base there is bone, air and fat.
_AROUND_MM = 5.0
_BRAINLIKE = 2.5


@METHODS.register
@dataclass(frozen=True)
class BrainTumorMRI(SegmentationMethod):
    """Propose the region that is most likely an enhancing tumor: compact and much brighter than the brain around it.

    Within the brain (in a slice: within the head less the width of scalp and skull) intensities are expressed as
    robust z-scores. Bright pieces are opened, so that vessels fall apart, and the piece with the largest sum of
    z-scores, weighted by how compact it is and how far from the border, is grown back to half its contrast and filled.
    A candidate is no diagnosis: vessels, choroid plexus and blood enhance too, and tumors that do not enhance are not
    found. Nothing is proposed where nothing is bright enough.
    """

    name = "brain-tumor-mri"
    title = "Tumor candidate in contrast-enhanced brain MRI"
    threshold: float = parameter(
        3.0, "How many robust standard deviations brighter than brain a tumor is.", minimum=1, maximum=20
    )
    minimum_diameter: float = parameter(
        6.0, "Smaller candidates than a ball (disk) of this diameter are dropped.", unit="mm", minimum=0, maximum=100
    )

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the candidate; the segment is empty if there is none.

        Raises
        ------
        UnsupportedImageError
            If the image is not scalar, or shows no head.
        Cancelled
            If the user asked to stop.
        """
        part = progress.part(0.0, 1.0, self.title)
        require_scalar(image, self.title)
        brain = _inner_head(image, part.part(0.0, 0.7))
        part.step(fraction=0.7)
        smooth = view(gaussian_smooth(image, (_SMOOTHING_MM,) * image.GetDimension(), part.part(0.7, 0.8)))
        scores = _robust_scores(smooth, _core(brain, image))
        candidate = self._candidate(scores, brain, image, part.part(0.8, 1.0))
        part.step(fraction=1.0)
        return Segmentation((mask_image(candidate, image),), (segment("tumor-candidate", 1),))

    def _candidate(self, scores: np.ndarray, brain: np.ndarray, image: sitk.Image, progress: Progress) -> np.ndarray:
        nothing = np.zeros(brain.shape, bool)
        inside = -distance_to(brain, image)
        progress.step(fraction=0.3)
        bright = (scores > self.threshold) & (inside > _RIM_MM)
        if not bright.any():
            return nothing
        kernels = -distance_to(bright, image) >= _VESSEL_MM
        progress.step(fraction=0.6)
        pieces = components(bright)
        sizes = component_sizes(pieces)
        count = len(sizes) - 1
        merit = _merits(pieces, count, scores, kernels, inside)
        merit *= _surroundings(pieces, count, scores, image) ** 2
        least = voxels_of_ball(self.minimum_diameter, image.GetSpacing())
        merit[(sizes < least) | (sizes > _MOST_BRAIN_SHARE * np.count_nonzero(brain))] = 0
        if not merit.any():
            return nothing
        best = pieces == int(merit.argmax())
        progress.step(fraction=0.9)
        # The border of a blurred bright body is where its contrast has fallen to half.
        candidate = _filled(best & (scores > 0.5 * np.percentile(scores[best], 90)))
        # A vessel may be long enough, but nowhere wide.
        wide = candidate.any() and (-distance_to(candidate, image)).max() >= self.minimum_diameter / 3
        return candidate if wide else nothing


def _inner_head(image: sitk.Image, progress: Progress) -> np.ndarray:
    """Return what lies deeper in the head than scalp and skull; of a volume the upper part only.

    Of a slice that shows the neck, too.
    """
    values = view(image)
    low, high = np.percentile(values, (2, 98))
    progress.step()
    pieces = components(values > low + 0.1 * (high - low))
    sizes = component_sizes(pieces)
    if not sizes.any():
        raise UnsupportedImageError("No head stands out from the background of this image.")
    progress.step(fraction=0.3)
    head = _filled(pieces == sizes.argmax())
    depth = -distance_to(head, image)
    progress.step(fraction=0.7)
    inner = depth > max(_SHELL_SHARE * depth.max(), _LEAST_SHELL_MM)
    if inner.ndim == 3:
        inner &= _upper_head(inner, image)
    elif _shows_neck(head):
        inner[np.flatnonzero(head.any(axis=1))[0] + round(_NECK_MM / image.GetSpacing()[1]) :] = False
    if not inner.any():
        raise UnsupportedImageError("No head stands out from the background of this image.")
    return inner


def _shows_neck(head: np.ndarray) -> bool:
    """Tell whether a slice is a sagittal or coronal one: the head goes on below the picture, and not above it."""
    rim = 1 + len(head) // _RIM_PARTS
    wide, below, above = (np.count_nonzero(part.any(axis=0)) for part in (head, head[-rim:], head[:rim]))
    return below > _NECK_SHARE * wide and below > _NECK_MORE * above


def _upper_head(head: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Return the voxels at most the height of the brain below the top of the head, in the patient's axes."""
    toward_head = np.array(image.GetDirection()).reshape(3, 3)[2] * image.GetSpacing()
    z, y, x = np.indices(head.shape, sparse=True)
    height = (toward_head[0] * x + toward_head[1] * y + toward_head[2] * z).astype(np.float32)
    return height > height[head].max(initial=-math.inf) - _BRAIN_HEIGHT_MM


def _core(brain: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Return the depth of the inner head: brain only, even where scalp and skull are thick or cut obliquely."""
    depth = -distance_to(brain, image)
    return depth > _CORE_SHARE * depth.max()


def _robust_scores(values: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Return intensities as distances from the median of the brain in robust standard deviations, as float32."""
    if not brain.any():
        raise UnsupportedImageError("No brain was found in this image.")
    inner = values[brain]
    median = np.median(inner)
    spread = max(1.4826 * float(np.median(np.abs(inner - median))), 1e-6)
    return ((values - median) / np.float32(spread)).astype(np.float32)


def _merits(pieces: np.ndarray, count: int, scores: np.ndarray, kernels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return how much each piece is like a tumor: bright, large, compact, and away from the border of the brain."""
    flat = pieces.reshape(-1)
    sizes = np.bincount(flat, minlength=count + 1).astype(float)
    core = np.bincount(flat, kernels.reshape(-1), count + 1)
    brightness = np.bincount(flat, np.minimum(scores, 10).reshape(-1), count + 1) / np.maximum(sizes, 1)
    depth = np.bincount(flat, inside.reshape(-1), count + 1) / np.maximum(sizes, 1)
    merit = core * brightness * np.minimum(depth / (3 * _RIM_MM), 1) * (core / np.maximum(sizes, 1))
    merit[0] = 0
    return merit


def _surroundings(pieces: np.ndarray, count: int, scores: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Return, for each piece, how much of what surrounds it is as bright as brain, 0 to 1."""
    sigma = (_AROUND_MM,) * image.GetDimension()
    brainlike, other = (
        view(gaussian_smooth(image_like(mask.astype(np.float32), image), sigma, Progress()))
        for mask in (np.abs(scores) < _BRAINLIKE, scores <= -_BRAINLIKE)
    )
    share = brainlike / np.maximum(brainlike + other, 1e-3)
    sizes = np.bincount(pieces.reshape(-1), minlength=count + 1)
    return np.bincount(pieces.reshape(-1), share.reshape(-1), count + 1) / np.maximum(sizes, 1)


def _filled(mask: np.ndarray) -> np.ndarray:
    """Fill what the mask encloses in each slice: necrosis within an enhancing rim."""
    from scipy.ndimage import binary_fill_holes

    if mask.ndim == 2:
        return binary_fill_holes(mask)
    return np.stack([binary_fill_holes(plane) for plane in mask])
