"""Cut each segment out of the image: its box, its voxels, re-segmentation."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..analysis import Segment, Segmentation
from ..errors import GeometryError, InvalidSettingError
from ..imaging.geometry import describe_grid, resample_segmentation, same_grid
from ..imaging.masks import bounding_box
from .definition import Undefined
from .local_intensity import RADIUS
from .region import Region
from .resampling import new_spacing, resampled_patch
from .settings import FeatureSettings

__all__ = ["RegionReader"]

# Labels above this are rare; a table of boxes indexed by label would then be mostly empty.
_LARGEST_DENSE_LABEL = 65535
# For so few labels, looking for each is faster than the pass that finds all.
_FEW_LABELS = 4


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

    def __init__(
        self, image: sitk.Image, segmentation: Segmentation, settings: FeatureSettings, length_unit: str = "mm"
    ) -> None:
        elsewhere = [layer for layer in segmentation.layers if not same_grid(layer, image)]
        for layer in elsewhere:
            _check_place(layer, image)
        self._segmentation = resample_segmentation(segmentation, image) if elsewhere else segmentation
        self._image = image
        self._settings = settings
        self._dimension = image.GetDimension()
        self._pixels = _volume(image)
        self._layers = [_volume(layer) for layer in self._segmentation.layers]
        self._boxes = [
            _boxes(layer, {segment.label for segment in segmentation.segments if segment.layer == k})
            for k, layer in enumerate(self._layers)
        ]
        self._length_unit = length_unit
        self._new_spacing = new_spacing(image, settings)
        spacing = np.array((self._new_spacing or image.GetSpacing())[::-1])
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
        if self._new_spacing is None:
            mask = self._layers[segment.layer][box] == segment.label
            return self._region(self._pixels, box, mask)
        return self._resampled(segment, box)

    def _resampled(self, segment: Segment, box: tuple[slice, ...]) -> Region:
        layer = self._segmentation.layers[segment.layer]
        margin = RADIUS if "local-intensity" in self._settings.families else 0.0
        sides = box[::-1][: self._dimension]
        patch = resampled_patch(self._image, layer, segment.label, sides, self._new_spacing, margin, self._settings)
        shape = patch.mask.shape if self._dimension == 3 else (1, *patch.mask.shape)
        mask = patch.mask.reshape(shape)
        if not mask.any():
            raise Undefined("The segment is too small for the new spacing: no voxel is half inside.")
        tight = bounding_box(mask)
        return self._region(patch.image.reshape(shape), tight, mask[tight])

    def _region(self, surroundings: np.ndarray, box: tuple[slice, ...], mask: np.ndarray) -> Region:
        return Region(
            image=surroundings[box],
            shape_mask=mask,
            mask=_resegmented(surroundings[box], mask, self._settings),
            spacing=self._spacing,
            settings=self._settings,
            surroundings=surroundings,
            corner=tuple(part.start for part in box),
            dimension=self._dimension,
            length_unit=self._length_unit,
        )


def _volume(image: sitk.Image) -> np.ndarray:
    """Return a view of the pixels, indexed (slice, row, column); it lives as long as the image."""
    pixels = sitk.GetArrayViewFromImage(image)
    return pixels if pixels.ndim == 3 else pixels[np.newaxis]


def _boxes(labels: np.ndarray, wanted: set[int]) -> dict[int, tuple[slice, ...]]:
    """Return the box of each wanted label that occurs."""
    outer = bounding_box(labels)
    if outer is None:
        return {}
    inner = labels[outer]
    if len(wanted) <= _FEW_LABELS:
        found = {label: bounding_box(inner == label) for label in wanted}
        boxes = {label: box for label, box in found.items() if box is not None}
    else:
        boxes = _boxes_in_one_pass(inner)
    return {
        label: tuple(
            slice(part.start + around.start, part.stop + around.start) for part, around in zip(box, outer, strict=True)
        )
        for label, box in boxes.items()
    }


def _boxes_in_one_pass(labels: np.ndarray) -> dict[int, tuple[slice, ...]]:
    from scipy.ndimage import find_objects

    if labels.max() <= _LARGEST_DENSE_LABEL:
        found = find_objects(labels)
        return {label: box for label, box in enumerate(found, start=1) if box is not None}
    values, ranks = np.unique(labels, return_inverse=True)
    found = find_objects(ranks.reshape(labels.shape) + 1)
    return {int(value): box for value, box in zip(values, found, strict=True) if value}


def _resegmented(pixels: np.ndarray, mask: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Return the voxels of `mask` in the intensity range, and of these the ones that are no outliers."""
    low, high, sigma = settings.resegmentation_minimum, settings.resegmentation_maximum, settings.outlier_sigma
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
    """Refuse a labelmap on another grid whose labels reach out of the image by more than a voxel."""
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
    box = bounding_box(labels)
    if box is None:
        return True
    ends = [(float(part.start), float(part.stop - 1)) for part in reversed(box)]
    size = np.array(image.GetSize())
    for corner in np.array(np.meshgrid(*ends)).reshape(len(ends), -1).T:
        point = layer.TransformContinuousIndexToPhysicalPoint(corner.tolist())
        index = np.array(image.TransformPhysicalPointToContinuousIndex(point))
        if (index < -1.5).any() or (index > size + 0.5).any():
            return False
    return True
