"""What the generic methods have in common: the check of the input, and how labels become a segmentation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import InvalidSettingError, UnsupportedImageError
from ...imaging.geometry import describe_grid, same_grid
from ...imaging.histogram import Histogram, multi_otsu
from ...imaging.masks import bounding_box
from ...imaging.pixels import axis_lengths, image_like, require_scalar, view
from ...progress import Progress
from ...terminology import generic_segment
from ..method import SegmentationMethod

__all__ = ["Refinement", "ScalarMethod", "foreground", "in_raster_order", "labeled", "starting_region"]

MAXIMUM_LABEL = 65535


@dataclass(frozen=True)
class ScalarMethod(SegmentationMethod):
    """A method on 2D or 3D images with one finite real value per pixel."""

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation of `image`; see the base class.

        Raises
        ------
        UnsupportedImageError
            If the image is not 2D or 3D, not scalar, empty, or holds NaN or infinity.
        InvalidSettingError
            If the method needs a previous segmentation and there is none, or it is on another grid.
        Cancelled
            If the user asked to stop.
        """
        part = progress.part(0.0, 1.0, self.title)
        part.step()
        require_scalar(image, self.title)
        for layer in previous.layers if previous else ():
            if not same_grid(layer, image):
                raise InvalidSettingError(
                    f"{self.title}: the segmentation made before is on another grid ({describe_grid(layer)}) than the "
                    f"image ({describe_grid(image)})."
                )
        result = self._segment(image, previous, part)
        part.step(fraction=1.0)
        return result

    @abstractmethod
    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Segment a checked image."""


@dataclass(frozen=True)
class Refinement(ScalarMethod):
    """A method that changes each segment of the previous segmentation, one at a time, inside its layer."""

    def _segment(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        if previous is None:
            raise InvalidSettingError(
                f"{self.title} refines a segmentation: put a method that makes one, e.g. 'otsu', before '{self.name}'."
            )
        layers = [np.array(view(layer)) for layer in previous.layers]
        parts = progress.parts(max(1, len(previous.segments)))
        for segment, part in zip(previous.segments, parts, strict=False):
            part.step()
            self._replace(layers[segment.layer], segment.label, axis_lengths(image), part)
        images = tuple(image_like(layer, image) for layer in layers)
        return replace(previous, layers=images)

    def _replace(self, layer: np.ndarray, label: int, spacing: tuple[float, ...], progress: Progress) -> None:
        """Refine one segment in place, in its bounding box; it may grow into background only."""
        box = bounding_box(layer == label, self._reach(spacing))
        if box is None:
            return
        part = layer[box]
        mask = part == label
        refined = self._refine(mask, spacing, progress)
        part[mask & ~refined] = 0
        part[refined & (part == 0)] = label

    def _reach(self, spacing: tuple[float, ...]) -> tuple[int, ...]:
        """Return by how many voxels along each array axis a segment may grow."""
        return (0,) * len(spacing)

    @abstractmethod
    def _refine(self, mask: np.ndarray, spacing: tuple[float, ...], progress: Progress) -> np.ndarray:
        """Return the refined boolean mask; `spacing` is in mm in the axis order of arrays."""


def labeled(labels: np.ndarray, names: Sequence[str], image: sitk.Image) -> Segmentation:
    """Return a segmentation of one layer: label i+1 is called ``names[i]``.

    Parameters
    ----------
    labels : numpy.ndarray of int
        0 is background.
    names : sequence of str
    image : sitk.Image
        Whose geometry the labelmap gets.
    """
    if len(names) > MAXIMUM_LABEL:
        raise UnsupportedImageError(
            f"{len(names)} segments were found, above {MAXIMUM_LABEL}. Smooth the image or ask for larger ones."
        )
    kind = np.uint8 if len(names) <= 255 else np.uint16
    segments = tuple(generic_segment(name, index) for index, name in enumerate(names, start=1))
    return Segmentation((image_like(labels.astype(kind, copy=False), image),), segments)


def foreground(previous: Segmentation) -> np.ndarray:
    """Return the voxels of all segments of all layers as a boolean array."""
    found = view(previous.layers[0]) > 0
    for layer in previous.layers[1:]:
        found |= view(layer) > 0
    return found


def starting_region(image: sitk.Image, previous: Segmentation | None) -> np.ndarray:
    """Return all previous segments or, without any, the bright side of an Otsu threshold, as a boolean array."""
    if previous is not None:
        return foreground(previous)
    values = view(image)
    thresholds = multi_otsu(Histogram.of(values), 2)
    return values > thresholds[0] if thresholds else np.zeros(values.shape, bool)


def in_raster_order(labels: np.ndarray) -> np.ndarray:
    """Renumber positive labels 1, 2, ... by the raster position of their first pixel; 0 stays."""
    flat = labels.reshape(-1)
    first = np.full(int(flat.max(initial=0)) + 1, flat.size, np.int64)
    # Of repeated indices the last assignment stands: going backwards, that is each label's first pixel.
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    first[0] = -1
    number = np.empty(first.size, np.int32)
    number[np.argsort(first, kind="stable")] = np.arange(first.size)
    return number[labels]
