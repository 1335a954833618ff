"""What recognition is given: one case, after the first three stages."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..analysis import FeatureTable, Measurement, MedicalImage, Segmentation

__all__ = ["RecognitionCase"]


@dataclass(frozen=True, eq=False)
class RecognitionCase:
    """One image with all that the earlier stages found in it.

    Parameters
    ----------
    image : MedicalImage
        The original.
    processed : sitk.Image
        The result of preprocessing.
    segmentation : Segmentation or None
        On the grid of the original; None where no segmentation was made.
    features : FeatureTable or None
    measurements : tuple of Measurement
    """

    image: MedicalImage
    processed: sitk.Image
    segmentation: Segmentation | None = None
    features: FeatureTable | None = None
    measurements: tuple[Measurement, ...] = ()

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement called `name`, or None."""
        return next((m for m in self.measurements if m.name == name), None)
