"""A small picture of a case: the segments over the image, so that thousands can be looked through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..analysis import Analysis
from ..export.images import write_image

__all__ = ["SIDE", "says_burned_in", "write_thumbnail"]

# Small enough that text burned into an image cannot be read. A small image is reduced fourfold for that; slices of
# volumes are not, since they are computed and not captured from a screen.
SIDE = 96
_LEAST_STRIDE = {2: 4, 3: 1}
_OPACITY = 0.35


def write_thumbnail(analysis: Analysis, path: Path) -> Path:
    """Write a PNG whose longest side has at most :data:`SIDE` pixels, those of 2D images the means of at least 4 x 4.

    Volumes show the slice with most labels.
    """
    gray, labels = _plane(analysis)
    stride = max(_LEAST_STRIDE[analysis.image.pixels.GetDimension()], -(-max(gray.shape) // SIDE))
    low, high = np.percentile(gray, (0.5, 99.5))
    small = _block_means(gray, stride)
    shade = np.clip((small - low) / max(high - low, 1e-9), 0, 1)
    picture = np.repeat(shade[..., None], 3, axis=2)
    for segment in analysis.segmentation.segments:
        share = _OPACITY * _block_means(labels[segment.layer] == segment.label, stride)[..., None]
        picture = (1 - share) * picture + share * np.array(segment.color)
    image = sitk.GetImageFromArray(np.rint(255 * picture).astype(np.uint8), isVector=True)
    return write_image(image, path)


def says_burned_in(file: Path) -> bool:
    """Tell whether a file is DICOM and says that text about the patient is burned into its pixels."""
    from ..dicom.folder import looks_like_dicom

    if not looks_like_dicom(file):
        return False
    from ..dicom.header import read_header

    return str(read_header(file, also=("BurnedInAnnotation",)).get("BurnedInAnnotation") or "").upper() == "YES"


def _plane(analysis: Analysis) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return pixels and layers of the one plane that is drawn."""
    pixels = sitk.GetArrayViewFromImage(analysis.image.pixels)
    layers = [sitk.GetArrayViewFromImage(layer) for layer in analysis.segmentation.layers]
    if pixels.ndim == 2:
        return pixels, layers
    counts = sum(np.count_nonzero(layer, axis=(1, 2)) for layer in layers)
    index = int(np.argmax(counts)) if np.any(counts) else len(pixels) // 2
    return pixels[index], [layer[index] for layer in layers]


def _block_means(plane: np.ndarray, stride: int) -> np.ndarray:
    rows, columns = (max(1, length // stride) for length in plane.shape)
    row_step, column_step = min(stride, plane.shape[0]), min(stride, plane.shape[1])
    whole = plane[: rows * row_step, : columns * column_step]
    return whole.reshape(rows, row_step, columns, column_step).mean(axis=(1, 3), dtype=np.float64)
