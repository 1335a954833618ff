"""Lesions on B-mode ultrasound of the breast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.picture_field import cut_to_field
from ...parameters import parameter
from ...progress import Progress
from ...terminology import segment
from ..method import METHODS
from ..pixel_classifier.frame import Frame
from ..pixel_classifier.outline import INSIDE, labels_on, levels
from ..pixel_classifier.picture import check_picture, exposed, reduced
from ..two_engines import TwoEngineMethod
from .classifier import LONG_SIDE, load_classifier
from .close_look import seen_closely, square_around
from .lesion import Picture, lesions
from .network import CANVAS, canvas_of, look

__all__ = ["BreastUltrasound"]

_LEAST_SIZE = 64


@METHODS.register
@dataclass(frozen=True)
class BreastUltrasound(TwoEngineMethod):
    """Lesions on a B-mode picture of the breast, the skin at the top; the segment is empty where there is none.

    Either a small network sees the whole picture (:mod:`.network`) and another one what it found from close by
    (:mod:`.close_look`), or a cascade of pixel classifiers looks for suspicious regions, another outlines each closely,
    and what outlines look like tells how well each will fit (:mod:`.lesion`). See `Docs/presets/breast-ultrasound.md`
    for data and accuracy of both.
    """

    name = "breast-ultrasound"
    title = "Breast ultrasound: lesions"

    certainty: float = parameter(
        0.35,
        "How well the outline of a lesion must be expected to fit (as a Dice coefficient) for it to be shown. Less "
        "finds more lesions, more shows fewer where there are none.",
        minimum=0.0,
        maximum=1.0,
    )

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation: one segment with all lesions, or none.

        Raises
        ------
        UnsupportedImageError
            If the image is not 2D, or too small.
        UnsuitablePresetError
            If the image is blank.
        MissingPackageError
            If the network is asked for and onnx or onnxruntime is not installed.
        """
        check_picture(image, "A B-mode picture", "to find a lesion", _LEAST_SIZE)
        if self.uses_network:
            # It was trained on pictures without a frame, and misses lesions in others; the classifiers do not.
            start, field = cut_to_field(image, _LEAST_SIZE)
            found, factor = _by_network(field, self.certainty, progress)
        else:
            start, field = [0, 0], image
            found, factor = _by_classifiers(field, self.certainty, progress)
        progress.step("Drawing smooth outlines", 0.9)
        return Segmentation((_labelmap(image, start, field, found, factor),), (segment("breast-lesion", 1),))


# What both ways return: levels whose outline is at one half, each in its frame, and how many pixels of the image make
# one pixel that the frames count in.
_Outlines = tuple[list[tuple[np.ndarray, Frame]], int]


def _by_network(image: sitk.Image, certainty: float, progress: Progress) -> _Outlines:
    progress.step("Looking for lesions", 0.1)
    canvas = canvas_of(sitk.GetArrayViewFromImage(image))
    found = look(canvas).lesions(certainty)
    progress.step("Outlining what may be a lesion", 0.6)
    squares = [square_around(each.level > INSIDE, CANVAS) for each in found]
    outlines = [levels(seen_closely(canvas, square), 0.0) for square in squares]
    scale_x, scale_y = (size / CANVAS for size in image.GetSize())
    return [(level, square.scaled(scale_x, scale_y)) for level, square in zip(outlines, squares, strict=True)], 1


def _by_classifiers(image: sitk.Image, certainty: float, progress: Progress) -> _Outlines:
    classifier = load_classifier()
    pixels, factor = reduced(image, LONG_SIDE)
    valid = exposed(pixels)
    progress.step("Looking for lesions", 0.1)
    picture = Picture(pixels, valid, classifier.suspicion(pixels, valid))
    progress.step("Outlining what may be a lesion", 0.3)
    found = lesions(picture, classifier, certainty, progress.part(0.3, 0.9, "Outlining what may be a lesion"))
    return [(outline.level, outline.frame) for outline in found], factor


def _labelmap(
    image: sitk.Image, start: list[int], field: sitk.Image, found: list[tuple[np.ndarray, Frame]], factor: int
) -> sitk.Image:
    """Return 1 inside the outlines on `field`, which begins at the index `start`, on the grid of `image`."""
    label = np.zeros((image.GetHeight(), image.GetWidth()), dtype=np.uint8)
    x, y = start
    inside = label[y : y + field.GetHeight(), x : x + field.GetWidth()]
    for level, frame in found:
        inside |= sitk.GetArrayFromImage(labels_on(field, (level,), frame, factor))
    result = sitk.GetImageFromArray(label)
    result.CopyInformation(image)
    return result
