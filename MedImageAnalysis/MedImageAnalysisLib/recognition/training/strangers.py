"""Images that a model was not made for: they test whether it notices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .data import read_pixels, spread

__all__ = ["FOREIGN", "foreign", "spoiled", "spoiled_each_way", "strangers"]

# How many images of each other collection, and cuttings of photographs, show what does not belong.
FOREIGN = 150
_COLLECTIONS = {
    "chest radiographs of children": ("chest_xray_kermany", "*/*.jpeg"),
    "chest radiographs of adults": ("chest_xray_lungs", "images/*"),
    "breast ultrasound": ("breast_ultrasound_busi", "images/*"),
    "brain MR slices": ("brain_mri_tumor", "*/*.jpg"),
}
# Only for judging: what is known of adults must come from images that no model has learned from.
_NEVER_LEARNED = ("chest_xray_lungs",)
_JUDGED = 60
_JUDGED_OWN = 300
_PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coins", "horse", "clock", "hubble_deep_field")
_LEARNED_PHOTOGRAPHS = ("coffee", "rocket", "brick", "gravel", "grass", "moon", "page", "text", "immunohistochemistry")


def strangers(own: Sequence[sitk.Image], data: Path, folder: str) -> Iterator[tuple[str, list[sitk.Image]]]:
    """Yield named lists of images: up to 300 of `own`, spoiled; noise; and up to 60 images of each other collection."""
    random = np.random.default_rng(0)
    arrays = [sitk.GetArrayFromImage(image) for image in spread(own, _JUDGED_OWN)]
    yield "own images, inverted", [_image(array.max() - array.astype(np.float32)) for array in arrays]
    yield "own images, upside down", [_image(array[::-1]) for array in arrays]
    yield "own images, turned by 90 degrees", [_image(np.rot90(array)) for array in arrays]
    yield "noise", [_image(random.normal(size=(224, 224))) for _ in range(60)]
    yield "uniform images with a gradient", [_gradient(random) for _ in range(60)]
    yield "photographs", _cuttings(_PHOTOGRAPHS, 60, random)
    for name, (collection, pattern) in _COLLECTIONS.items():
        paths = sorted((data / collection).glob(pattern))
        if collection != folder and paths:
            yield name, [read_pixels(path) for path in _judged(paths)]


def foreign(data: Path, folder: str, number: int, random: np.random.Generator) -> list[sitk.Image]:
    """Return up to `number` images of each other collection, and as many cuttings of photographs, to learn from.

    None of them, and no part of the same photograph, is among those that :func:`strangers` yields.
    """
    found = _cuttings(_LEARNED_PHOTOGRAPHS, number, random)
    for collection, pattern in _COLLECTIONS.values():
        if collection == folder or collection in _NEVER_LEARNED:
            continue
        paths = sorted((data / collection).glob(pattern))
        free = sorted(set(paths) - set(_judged(paths)))
        found += [read_pixels(free[i]) for i in random.permutation(len(free))[:number]]
    return found


def _judged(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, len(paths) // _JUDGED)][:_JUDGED]


def _cuttings(names: Sequence[str], number: int, random: np.random.Generator) -> list[sitk.Image]:
    """Return random rectangles, a third to all of each side, of gray photographs that come with scikit-image."""
    import skimage.data
    from skimage.color import rgb2gray

    photographs = [np.asarray(getattr(skimage.data, name)()) for name in names]
    gray = [rgb2gray(array[..., :3]) if array.ndim == 3 else array for array in photographs]
    found = []
    for index in range(number):
        array = gray[index % len(gray)].astype(np.float32)
        size = [max(16, int(length * random.uniform(0.34, 1.0))) for length in array.shape]
        corner = [random.integers(0, length - part + 1) for length, part in zip(array.shape, size, strict=True)]
        found.append(_image(array[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]))
    return found


def spoiled(image: sitk.Image, random: np.random.Generator) -> sitk.Image:
    """Return `image` spoiled in one way, or noise of its size: what a model should learn to refuse."""
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    kind = random.integers(0, 8)
    if kind == 0:
        return _image(array.max() - array)
    if kind == 1:
        return _image(array[::-1])
    if kind == 2:
        return _image(np.rot90(array, random.choice([1, 3])))
    if kind == 3:
        return _image(array.max() - array[::-1])
    if kind == 4:
        return _image(_shuffled(array, random))
    if kind == 5:
        return _image(random.normal(size=array.shape))
    if kind == 6:
        return _gradient(random)
    return _image(_rough(array.shape, random))


def spoiled_each_way(image: sitk.Image, random: np.random.Generator, rare: bool) -> list[sitk.Image]:
    """Return `image` upside down, turned either way and inverted; if `rare`, also less likely things.

    The inverted image comes twice: it keeps most of its structure, and is the hardest to tell from a sound one.
    """
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    inverted = array.max() - array
    found = [array[::-1], np.rot90(array), np.rot90(array, 3), inverted, inverted]
    if rare:
        found += [
            inverted[::-1],
            _shuffled(array, random),
            random.normal(size=array.shape),
            _rough(array.shape, random),
        ]
    return [_image(each) for each in found] + ([_gradient(random)] if rare else [])


def _shuffled(array: np.ndarray, random: np.random.Generator, parts: int = 4) -> np.ndarray:
    """Return the image with its tiles in random order."""
    height, width = (length // parts * parts for length in array.shape)
    tiles = array[:height, :width].reshape(parts, height // parts, parts, width // parts).swapaxes(1, 2)
    mixed = random.permutation(tiles.reshape(-1, height // parts, width // parts))
    return mixed.reshape(tiles.shape).swapaxes(1, 2).reshape(height, width)


def _rough(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Return noise whose spectrum falls with frequency, as in photographs and clouds."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(random.normal(size=shape)) / frequency ** random.uniform(0.5, 2.0)
    return np.fft.irfft2(spectrum, s=shape)


def _image(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))


def _gradient(random: np.random.Generator) -> sitk.Image:
    rows, columns = np.mgrid[0:1:224j, 0:1:224j]
    slope = random.normal(size=2)
    return _image(slope[0] * rows + slope[1] * columns)
