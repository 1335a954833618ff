"""Denoise by non-local means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..imaging.filters import noise_level
from ..imaging.pixels import as_float, blocks, image_like, view
from ..parameters import parameter
from ..progress import Progress
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["NonLocalMeans"]

# Edge of the blocks that are worked on one after the other, so that cancel is heard: by dimension.
_BLOCK = {2: 256, 3: 64}
_PATCH = {2: 5, 3: 3}
_SEARCH = {2: 6, 3: 2}


@STEPS.register
@dataclass(frozen=True)
class NonLocalMeans(ScalarStep):
    """Average pixels whose surroundings look alike, ``w(x, y) = exp(-max(d^2 - 2 s^2, 0) / h^2)``.

    d^2 is the mean squared difference of two patches, s the noise measured in the image, ``h = strength * s``. Keeps
    texture and edges better than local averages, and takes longer.

    References
    ----------
    Buades, Coll, Morel 2005, doi:10.1109/CVPR.2005.38; fast form: Froment 2014, doi:10.5201/ipol.2014.120.
    """

    name = "non-local-means"
    title = "Non-local means"
    strength: float = parameter(0.8, "How much to smooth, in multiples of the noise.", minimum=0.05, maximum=10)
    search_radius: float | None = parameter(
        None,
        "How far similar places are looked for; empty means 6 pixels in 2D, 2 in 3D.",
        unit="mm",
        minimum=0.01,
        maximum=50,
    )

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        from skimage.restoration import denoise_nl_means

        noise = noise_level(image)
        if noise == 0:
            return as_float(image)
        dimension = image.GetDimension()
        search = _SEARCH[dimension]
        if self.search_radius is not None:
            search = max(1, round(self.search_radius / min(image.GetSpacing())))
        values = view(image)
        denoised = np.empty(values.shape, np.float32)
        margin = search + _PATCH[dimension] // 2 + 1
        pieces = list(blocks(values.shape, _BLOCK[dimension], margin))
        for done, (source, inner, target) in enumerate(pieces):
            progress.step(fraction=done / len(pieces))
            block = denoise_nl_means(
                values[source].astype(np.float32),
                patch_size=_PATCH[dimension],
                patch_distance=search,
                h=self.strength * noise,
                sigma=noise,
                fast_mode=True,
            )
            # scikit-image drops axes of length one.
            denoised[target] = block.reshape(values[source].shape)[inner]
        return image_like(denoised, image)
