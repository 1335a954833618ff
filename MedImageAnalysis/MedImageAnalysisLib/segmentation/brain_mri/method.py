"""The brain in MRI: skull-stripped, and divided into cerebrospinal fluid, gray and white matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...imaging.pixels import image_like, mask_image, require_scalar
from ...parameters import parameter
from ...progress import Progress
from ...terminology import segment
from ..method import METHODS, SegmentationMethod
from .extraction import extract_brain
from .tissues import CONTRASTS, classify_tissues

__all__ = ["BrainMRI"]

_TISSUES = ("cerebrospinal-fluid", "gray-matter", "white-matter")


@METHODS.register
@dataclass(frozen=True)
class BrainMRI(SegmentationMethod):
    """Find the brain and its tissues in a volume of the head, T1-weighted, T2-weighted or FLAIR.

    A closed surface grows from inside the brain to its boundary; what still hangs on it by thin bridges (eyes,
    muscle, marrow) is cut off. The intensities within are divided into three classes that are smooth in space; which
    class is which tissue follows from the order of their intensities, and that from where they lie: white matter is
    deep, gray matter and fluid are shallow. The image should have its bias field corrected. Already skull-stripped
    images are taken too.

    References
    ----------
    Smith 2002, doi:10.1002/hbm.10062; Zhang, Brady, Smith 2001, doi:10.1109/42.906424.
    """

    name = "brain-mri"
    title = "Brain and its tissues in MRI"
    contrast: str = parameter("auto", "Weighting of the image; auto tells it by the tissues.", choices=CONTRASTS)
    fraction: float = parameter(
        0.5, "Where the brain's border lies between background and brain: smaller gives a larger brain.",
        minimum=0.1, maximum=0.9,
    )  # fmt: skip
    smoothness: float = parameter(0.3, "Weight of the neighbors of a voxel for its tissue.", minimum=0, maximum=10)

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the brain (second layer) and its tissues (first layer).

        Raises
        ------
        UnsupportedImageError
            If the image is not a scalar volume, or shows no head.
        Cancelled
            If the user asked to stop.
        """
        part = progress.part(0.0, 1.0, self.title)
        require_scalar(image, self.title, (3,))
        brain = extract_brain(image, self.fraction, part.part(0.0, 0.6))
        tissues = classify_tissues(image, brain, self.contrast, self.smoothness, part.part(0.6, 1.0))
        part.step(fraction=1.0)
        segments = tuple(segment(key, label) for label, key in enumerate(_TISSUES, start=1))
        layers = (image_like(tissues.astype(np.uint8, copy=False), image), mask_image(brain, image))
        return Segmentation(layers, (segment("brain", 1, layer=1), *segments))
