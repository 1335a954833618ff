"""Torsos drawn in Hounsfield units, in patient axes (superior, posterior, left), in any orientation of the file."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

AIR, LUNG, SOFT, CORTEX, MARROW, CANAL = -1000, -860, 40, 600, 160, 20
# Direction cosines of image axes: columns are the LPS directions of i, j and k.
DIRECTIONS = {
    "axial": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "head first, axes turned": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "feet first": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "sagittal": (0, 0, -1, 1, 0, 0, 0, -1, 0),
    "coronal": (1, 0, 0, 0, 0, 1, 0, -1, 0),
}


@dataclass(frozen=True, eq=False)
class Torso:
    """A drawn torso: Hounsfield units and the truth by terminology key, with axes (superior, posterior, left)."""

    hu: np.ndarray
    truth: dict[str, np.ndarray]
    spacing: tuple[float, float, float]

    def image(self, direction: tuple[float, ...] = DIRECTIONS["axial"], noise: float = 15) -> sitk.Image:
        """Return the torso as an image whose axes run along `direction`; the noise belongs to the patient."""
        hu = self.hu + np.random.default_rng(0).normal(0, noise, self.hu.shape) if noise else self.hu
        return self.stored(np.clip(hu, -1024, 3071).astype(np.int16), direction)

    def stored(self, array: np.ndarray, direction: tuple[float, ...]) -> sitk.Image:
        """Return an array in patient axes as an image whose axes run along `direction`."""
        cosines = np.array(direction, float).reshape(3, 3)
        turned, lengths = [], []
        for image_axis in (2, 1, 0):
            patient = int(np.abs(cosines[:, image_axis]).argmax())
            turned.append(2 - patient)
            lengths.append(self.spacing[2 - patient])
            if cosines[patient, image_axis] < 0:
                array = np.flip(array, 2 - patient)
        image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(turned)))
        image.SetSpacing(lengths[::-1])
        image.SetDirection([float(value) for value in direction])
        return image


def chest(*, touching: bool = False, spacing: tuple[float, float, float] = (6, 4, 4)) -> Torso:
    """A chest 330 mm high: lungs, trachea and main bronchi, heart, spine, ribs, gas in the stomach and a table."""
    shape = tuple(round(extent / length) for extent, length in zip((330, 300, 380), spacing, strict=True))
    s, p, left = np.ogrid[: shape[0], : shape[1], : shape[2]]
    s, p, left = s * spacing[0], p * spacing[1], left * spacing[2]

    def ellipsoid(center, radii):
        parts = zip((s, p, left), center, radii, strict=True)
        return sum(((x - c) / r) ** 2 for x, c, r in parts) <= 1

    def tube(center, radii):
        return ((p - center[0]) / radii[0]) ** 2 + ((left - center[1]) / radii[1]) ** 2 <= 1

    hu = np.full(shape, AIR, np.float32)
    body = np.broadcast_to(tube((130, 190), (105, 165)), shape)
    hu[body] = SOFT
    hu[np.broadcast_to((p > 246) & (p < 254) & (abs(left - 190) < 180), shape)] = -200
    right = ellipsoid((170, 125, 115), (130, 75, 62))
    left_lung = ellipsoid((170, 125, 265), (130, 75, 62))
    if touching:
        bridge = ellipsoid((200, 80, 190), (40, 8, 40))
        right, left_lung = right | (bridge & (left < 190)), left_lung | (bridge & (left >= 190))
    heart = ellipsoid((140, 110, 205), (55, 45, 52))
    trachea = np.broadcast_to(tube((120, 190), (9, 9)), shape) & (s > 215)
    slope = abs(left - 190)
    bronchi = (abs(s - (215 - 0.6 * slope)) < 8) & (abs(p - 120) < 7) & (slope < 45)
    airways = trachea | bronchi
    spine = np.broadcast_to(tube((195, 190), (16, 19)), shape)
    canal = np.broadcast_to(tube((221, 190), (8, 9)), shape)
    arch = np.broadcast_to(tube((221, 190), (14, 15)), shape) & ~canal
    marrow = np.broadcast_to(tube((195, 190), (13, 16)), shape)
    disc = np.broadcast_to((s % 30) < 6, shape)
    ring = np.broadcast_to(tube((128, 190), (94, 148)) & ~tube((128, 190), (85, 139)), shape)
    ribs = ring & ((s + 0.35 * p) % 28 < 9) & (p < 200)
    walls = ellipsoid((170, 125, 115), (134, 79, 66)) | ellipsoid((170, 125, 265), (134, 79, 66))
    ribs = ribs & ~walls
    bone = ((spine & ~disc) | (arch & ~disc) | ribs) & body & ~canal
    lungs = (right | left_lung) & ~heart & ~spine & ~arch & ~canal
    hu[lungs] = LUNG
    hu[bone] = CORTEX
    hu[marrow & bone] = MARROW
    hu[np.broadcast_to(tube((120, 190), (11, 11)), shape) & (s > 215)] = SOFT
    hu[airways] = AIR
    gas = ellipsoid((10, 100, 250), (22, 30, 30)) & ~lungs
    hu[gas] = AIR
    vessel = (abs(s - 170) < 4) & (abs(p - 125) < 4) & (((left > 75) & (left < 150)) | ((left > 250) & (left < 310)))
    hu[vessel & lungs] = SOFT
    truth = {
        "right-lung": right & lungs & ~airways,
        "left-lung": left_lung & lungs & ~airways,
        "airways": airways,
        "heart": heart,
        "bone": bone,
        "gas": gas,
        "vessel": vessel & lungs,
    }
    return Torso(hu, truth, spacing)


def head(spacing: tuple[float, float, float] = (5, 2.5, 2.5)) -> Torso:
    """A head: skull 6 mm thick, brain of 34 HU, two lateral ventricles and a hematoma; neck and face are left out."""
    shape = tuple(round(extent / length) for extent, length in zip((200, 220, 200), spacing, strict=True))
    s, p, left = np.ogrid[: shape[0], : shape[1], : shape[2]]
    s, p, left = s * spacing[0], p * spacing[1], left * spacing[2]

    def ellipsoid(center, radii):
        parts = zip((s, p, left), center, radii, strict=True)
        return sum(((x - c) / r) ** 2 for x, c, r in parts) <= 1

    middle = (100, 110, 100)
    outer, inner = ellipsoid(middle, (80, 92, 76)), ellipsoid(middle, (74, 86, 70))
    ventricles = ellipsoid((108, 110, 84), (14, 30, 8)) | ellipsoid((108, 110, 116), (14, 30, 8))
    hematoma = ellipsoid((100, 80, 140), (12, 12, 10))
    hu = np.full(shape, AIR, np.float32)
    hu[ellipsoid(middle, (88, 100, 84))] = SOFT
    hu[outer] = 900
    hu[inner] = 34
    hu[ventricles] = 5
    hu[hematoma] = 70
    truth = {
        "skull": outer & ~inner,
        "brain": inner & ~ventricles & ~hematoma,
        "brain-ventricles": ventricles,
        "hyperdense": hematoma,
    }
    return Torso(hu, truth, spacing)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice overlap of two masks."""
    return float(2 * np.count_nonzero(first & second) / max(1, np.count_nonzero(first) + np.count_nonzero(second)))
