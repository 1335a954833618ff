"""Cut each segment out of the image: its box, its voxels, re-segmentation."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..analysis import Segment, Segmentation
from ..errors import GeometryError, InvalidSettingError
from ..geometry import describe_grid, resample_segmentation, same_grid
from .definition import Undefined
from .region import Region
from .settings import FeatureSettings

__all__ = ["RegionReader"]

# Labels above this are rare; a table of boxes indexed by label would then be mostly empty.
_LARGEST_DENSE_LABEL = 65535


class RegionReader:
    """Reads the region of one segment after the other; the boxes of all labels are found in one pass.

    Parameters
    ----------
    image : sitk.Image
    segmentation : Segmentation
    settings : FeatureSettings

    Raises
    ------
    GeometryError
        If a labelmap does not lie within the image.
    """

    def __init__(self, image: sitk.Image, segmentation: Segmentation, settings: FeatureSettings) -> None:
        for layer in segmentation.layers:
            _check_place(layer, image)
        self._segmentation = resample_segmentation(segmentation, image)
        self._image = image
        self._settings = settings
        self._dimension = image.GetDimension()
        self._pixels = _volume(image)
        self._layers = [_volume(layer) for layer in self._segmentation.layers]
        self._boxes = [_boxes(layer) for layer in self._layers]
        spacing = np.array(image.GetSpacing()[::-1])
        self._spacing = spacing if self._dimension == 3 else np.insert(spacing, 0, 1.0)

    def read(self, segment: Segment) -> Region:
        """Return the region of `segment`.

        Raises
        ------
        Undefined
            If the segment is empty.
        """
        if not 0 <= segment.layer < len(self._layers):
            raise InvalidSettingError(
                f"Segment '{segment.name}' names layer {segment.layer}, but the segmentation has {len(self._layers)}."
            )
        box = self._boxes[segment.layer].get(segment.label)
        if box is None:
            raise Undefined("The segment is empty.")
        mask = self._layers[segment.layer][box] == segment.label
        pixels = self._pixels[box]
        bounds = (self._settings.resegmentation_minimum, self._settings.resegmentation_maximum)
        kept = _resegmented(pixels, mask, bounds, self._settings.outlier_sigma)
        return Region(pixels, mask, kept, self._spacing, self._settings, self._dimension)


def _volume(image: sitk.Image) -> np.ndarray:
    """Return a view of the pixels, indexed (slice, row, column); it lives as long as the image."""
    pixels = sitk.GetArrayViewFromImage(image)
    return pixels if pixels.ndim == 3 else pixels[np.newaxis]


def _boxes(labels: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """Return the box of each label that occurs."""
    from scipy.ndimage import find_objects

    if not labels.size or labels.max() <= _LARGEST_DENSE_LABEL:
        found = find_objects(labels)
        return {label: box for label, box in enumerate(found, start=1) if box is not None}
    values, ranks = np.unique(labels, return_inverse=True)
    found = find_objects(ranks.reshape(labels.shape) + 1)
    return {int(value): box for value, box in zip(values, found, strict=True) if value}


def _resegmented(
    pixels: np.ndarray, mask: np.ndarray, bounds: tuple[float | None, float | None], sigma: float | None
) -> np.ndarray:
    """Return the voxels of `mask` within the bounds, and within `sigma` standard deviations of what is then left."""
    low, high = bounds
    kept = mask
    if low is not None:
        kept = kept & (pixels >= low)
    if high is not None:
        kept = kept & (pixels <= high)
    if sigma is not None and kept.any():
        values = pixels[kept].astype(np.float64)
        reach = sigma * values.std()
        kept = kept & (np.abs(pixels - values.mean()) <= reach)
    return kept


def _check_place(layer: sitk.Image, image: sitk.Image) -> None:
    """Refuse a labelmap whose labels reach out of the image by more than a voxel."""
    if same_grid(layer, image):
        return
    words = f"Segmentation: {describe_grid(layer)}. Image: {describe_grid(image)}."
    if layer.GetDimension() != image.GetDimension():
        raise GeometryError(f"The segmentation and the image differ in dimension. {words}")
    if not _labels_are_inside(layer, image):
        raise GeometryError(
            "The segmentation reaches out of the image, so it was not made on it or was moved since. "
            f"{words} Register them, or apply the transform to the image too."
        )


def _labels_are_inside(layer: sitk.Image, image: sitk.Image) -> bool:
    labels = sitk.GetArrayViewFromImage(layer)
    used = [
        np.flatnonzero(labels.any(axis=tuple(a for a in range(labels.ndim) if a != axis)))
        for axis in range(labels.ndim)
    ]
    if not used[0].size:
        return True
    ends = [(float(index[0]), float(index[-1])) for index in reversed(used)]
    size = np.array(image.GetSize())
    for corner in np.array(np.meshgrid(*ends)).reshape(len(ends), -1).T:
        point = layer.TransformContinuousIndexToPhysicalPoint(corner.tolist())
        index = np.array(image.TransformPhysicalPointToContinuousIndex(point))
        if (index < -1.5).any() or (index > size + 0.5).any():
            return False
    return True
