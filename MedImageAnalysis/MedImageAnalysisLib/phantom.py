"""An image of known content that is made, not taken: for self-tests and examples that must not need the network."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .analysis import ImageInfo, MedicalImage

__all__ = ["chest_radiograph"]

_AIR, _BODY, _LUNG, _DENSE = 150, 1900, 650, 2400
_NOISE = 30


def chest_radiograph() -> MedicalImage:
    """Return a drawing like a frontal chest radiograph, always the same: 400 x 400 pixels of 1 mm.

    Two dark lungs, 124 mm wide each, lie in a bright body 372 mm wide; a heart 140 mm wide and a spine are brighter
    still.
    """
    y, x = np.mgrid[:400, :400]

    def ellipse(center_x: float, center_y: float, radius_x: float, radius_y: float) -> np.ndarray:
        return ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 <= 1

    film = np.full(x.shape, _AIR, dtype=np.float32)
    film[ellipse(200, 260, 186, 280)] = _BODY
    film[ellipse(115, 195, 62, 135) | ellipse(285, 195, 62, 135)] = _LUNG
    film[ellipse(222, 250, 70, 68) | (abs(x - 200) < 20)] = _DENSE
    film += np.random.default_rng(0).normal(0, _NOISE, x.shape)
    pixels = sitk.GetImageFromArray(film.astype(np.int16))
    return MedicalImage(pixels, ImageInfo(modality="DX", body_part="CHEST", view="PA", spacing_source="PixelSpacing"))
