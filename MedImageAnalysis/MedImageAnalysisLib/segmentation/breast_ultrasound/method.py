"""Lesions on B-mode ultrasound of the breast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...parameters import parameter
from ...progress import Progress
from ...terminology import segment
from ..method import METHODS, SegmentationMethod
from ..pixel_classifier.outline import labels_on
from ..pixel_classifier.picture import check_picture, exposed, reduced
from .classifier import LONG_SIDE, load_classifier
from .lesion import Outline, Picture, lesions

__all__ = ["BreastUltrasound"]

_LEAST_SIZE = 64


@METHODS.register
@dataclass(frozen=True)
class BreastUltrasound(SegmentationMethod):
    """Lesions on a B-mode picture of the breast, the skin at the top; the segment is empty where there is none.

    A cascade of pixel classifiers looks for suspicious regions in the whole picture, another outlines each closely,
    and what outlines look like tells how well each will fit. See :mod:`.lesion` for the method and
    `Docs/presets/breast-ultrasound.md` for data and accuracy.
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

    def __call__(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation: one segment with all lesions, or none.

        Raises
        ------
        UnsupportedImageError
            If the image is not 2D, or too small.
        UnsuitablePresetError
            If the image is blank.
        """
        check_picture(image, "A B-mode picture", "to find a lesion", _LEAST_SIZE)
        classifier = load_classifier()
        pixels, factor = reduced(image, LONG_SIDE)
        valid = exposed(pixels)
        progress.step("Looking for lesions", 0.1)
        picture = Picture(pixels, valid, classifier.suspicion(pixels, valid))
        progress.step("Outlining what may be a lesion", 0.3)
        found = lesions(picture, classifier, self.certainty, progress.part(0.3, 0.9, "Outlining what may be a lesion"))
        progress.step("Drawing smooth outlines", 0.9)
        labelmap = _labelmap(image, found, factor)
        return Segmentation((labelmap,), (segment("breast-lesion", 1),))


def _labelmap(image: sitk.Image, found: list[Outline], factor: int) -> sitk.Image:
    """Return 1 inside the outlines, on the grid of `image`."""
    label = np.zeros((image.GetHeight(), image.GetWidth()), dtype=np.uint8)
    for outline in found:
        label |= sitk.GetArrayFromImage(labels_on(image, (outline.level,), outline.frame, factor))
    result = sitk.GetImageFromArray(label)
    result.CopyInformation(image)
    return result
