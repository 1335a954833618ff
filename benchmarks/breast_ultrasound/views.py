"""Pictures of breast_ultrasound_busi for a network: canvases of ranks, and plausible variations of them.

A canvas is the whole picture brought to a square, its gray values to ranks; networks see it at half its size. All
variation happens on batches of canvases in torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional as F

from MedImageAnalysisLib.analysis import MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical.breast_ultrasound import BreastLesion
from MedImageAnalysisLib.preprocessing.speckle import SpeckleDiffusion
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.descriptors.canvas import area_average, square_canvas
from MedImageAnalysisLib.recognition.training.data import collection_key, read_pixels
from MedImageAnalysisLib.recognition.training.network.canvases import Collection, to_bytes
from MedImageAnalysisLib.segmentation.breast_ultrasound.close_look import OVERSAMPLING, SIZE
from MedImageAnalysisLib.terminology import segment

CANVAS = 256
# How much wider and less high pictures are made, as a logarithm: canvases are squares of pictures of any shape.
STRETCH = 0.35
LITTLE_STRETCH = 0.12


@dataclass(frozen=True, eq=False)
class Pictures:
    """The collection as bytes.

    Parameters
    ----------
    plain, smooth : numpy.ndarray of uint8, shape (pictures, CANVAS, CANVAS)
        Ranks of the picture as it is, and after its speckle was reduced.
    mask : numpy.ndarray of uint8, shape (pictures, CANVAS, CANVAS)
        Share of each pixel that is lesion.
    category : numpy.ndarray of int
        0 normal, 1 benign, 2 malignant.
    """

    plain: np.ndarray
    smooth: np.ndarray
    mask: np.ndarray
    category: np.ndarray

    def part(self, chosen: np.ndarray) -> Pictures:
        """Return the pictures with these indices, or for which this is True."""
        return Pictures(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def read_pictures(collection: Collection, work: Path) -> Pictures:
    """Return the pictures of a collection; what takes time is kept in the folder `work`."""
    stored = work / f"breast-ultrasound-pictures-{collection_key(collection.cases, CANVAS)}.npz"
    if not stored.is_file():
        smooth, mask = zip(*(_smooth_and_mask(case.path) for case in collection.cases), strict=True)
        np.savez(stored, smooth=np.array(smooth), mask=np.array(mask))
    with np.load(stored, allow_pickle=False) as found:
        return Pictures(collection.canvases, found["smooth"], found["mask"], collection.categories)


def _smooth_and_mask(path: Path) -> tuple[np.ndarray, np.ndarray]:
    image = sitk.Cast(read_pixels(path), sitk.sitkFloat32)
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(path.parent.parent / "masks" / path.name))) > 0
    return (
        to_bytes(square_canvas(SpeckleDiffusion()(image, Progress()), CANVAS, False)),
        to_bytes(area_average(mask.astype(np.float32), CANVAS, CANVAS)),
    )


def margins(mask: np.ndarray) -> np.ndarray:
    """Return how lesions are outlined by hand, shape (pictures, 3), NaN where there is none or it is cut off.

    Logarithms of irregularity, spiculation, and depth to width, as the preset measures them, in standard scores. On
    these masks the first alone tells benign from malignant (AUC 0.99): who drew them knew. So they teach a network what
    to look for, and say nothing of what measuring outlines that a machine found is worth.
    """
    rows = []
    for each in mask:
        label = sitk.GetImageFromArray((each > 127).astype(np.uint8))
        found = BreastLesion()(MedicalImage(label), Segmentation((label,), (segment("breast-lesion", 1),)), Progress())
        values = {one.name: one.value for one in found}
        rows.append(
            [
                np.log(values["lesion_margin_irregularity"]),
                np.log(2 + values["lesion_spiculation"]),
                np.log(values["lesion_depth_width_ratio"]),
            ]
        )
    found = np.array(rows)
    scores = (found - np.nanmean(found, axis=0)) / np.nanstd(found, axis=0)
    return np.clip(scores, -2.5, 2.5).astype(np.float32)


def whole(canvases: np.ndarray) -> torch.Tensor:
    """Return canvases of bytes with values 0 to 1, shape (batch, 1, CANVAS, CANVAS)."""
    return torch.as_tensor(canvases)[:, None].float() / 255


def halved(canvases: np.ndarray) -> torch.Tensor:
    """Return canvases of bytes at half their size, values 0 to 1, shape (batch, 1, CANVAS / 2, CANVAS / 2)."""
    return F.avg_pool2d(whole(canvases), 2)


def varied(
    x: torch.Tensor, mask: torch.Tensor, side: int, random: torch.Generator, elsewhere: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch moved, bent and exposed otherwise, and its masks moved along, `side` pixels wide.

    `elsewhere` varies it as widely as pictures of other hospitals differ: in shape, gain by depth, speckle, frame.
    """
    grid = _finer(_bent(_moved(len(x), random, stretch=STRETCH if elsewhere else LITTLE_STRETCH), random), side)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(mask, grid, padding_mode="zeros", align_corners=False)
    if not elsewhere:
        return exposed_otherwise(x, random), mask
    seen = 1 - _frames(len(x), x.shape[-2:], random)
    return seen * exposed_otherwise(scanned_otherwise(x, random), random), seen * mask


def varied_closely(
    x: torch.Tensor, mask: torch.Tensor, squares: torch.Tensor, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a batch and its masks show in squares (batch, 3) and near them, moved, bent and exposed otherwise.

    A square is the column and the row of its middle, from -1 to 1 over the picture, and half its side.
    """
    middle, half = squares[:, None, None, :2], squares[:, None, None, 2:]
    grid = middle + half * _finer(_bent(_moved(len(x), random), random), SIZE * OVERSAMPLING)
    x, mask = (
        F.avg_pool2d(F.grid_sample(each, grid, padding_mode=padding, align_corners=False), OVERSAMPLING)
        for each, padding in ((x, "border"), (mask, "zeros"))
    )
    return exposed_otherwise(x, random), mask


def _finer(grid: torch.Tensor, side: int) -> torch.Tensor:
    """Return sampling grids (count, side, side, 2) of what coarser ones say."""
    planes = F.interpolate(grid.permute(0, 3, 1, 2), size=(side, side), mode="bilinear", align_corners=False)
    return planes.permute(0, 2, 3, 1)


def _uniform(count: int, low: float, high: float, random: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=random)


def _moved(count: int, random: torch.Generator, side: int = 20, stretch: float = LITTLE_STRETCH) -> torch.Tensor:
    """Return sampling grids (count, side, side, 2) of random transforms, half of them mirrored.

    `stretch` bounds the logarithm of how much wider, and how much less high, they make a picture.
    """
    angle = _uniform(count, -0.25, 0.25, random)
    scale = torch.exp(_uniform(count, -0.3, 0.3, random))
    ratio = torch.exp(_uniform(count, -stretch, stretch, random))
    mirror = 1 - 2 * torch.randint(0, 2, (count,), generator=random).float()
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    shifts = [_uniform(count, -0.2, 0.2, random) for _ in range(2)]
    rows = torch.stack(
        [mirror * cosine * ratio, -sine, shifts[0], mirror * sine, cosine / ratio, shifts[1]], dim=1
    ).view(count, 2, 3)
    return F.affine_grid(rows, [count, 1, side, side], align_corners=False)


def _bent(grid: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return grids with a smooth random displacement."""
    noise = 0.05 * torch.randn(len(grid), 2, 5, 5, generator=random)
    noise = F.interpolate(noise, size=grid.shape[1:3], mode="bicubic", align_corners=False)
    return grid + noise.permute(0, 2, 3, 1)


def scanned_otherwise(x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return a batch with other gain by depth, coarser speckle, and blurred."""
    count, size = len(x), x.shape[-2:]

    def some(share: float, low: float, high: float) -> torch.Tensor:
        chosen = torch.rand(count, generator=random) < share
        return (chosen * _uniform(count, low, high, random)).view(-1, 1, 1, 1)

    depth = torch.linspace(-1, 1, size[0]).view(1, 1, -1, 1)
    x = x + some(0.5, -0.35, 0.35) * depth
    coarse = torch.randn(count, 1, size[0] // 2, size[1] // 3, generator=random)
    x = x * (1 + some(0.4, 0, 0.6) * F.interpolate(coarse, size=size, mode="bilinear", align_corners=False))
    return torch.lerp(x, F.avg_pool2d(x, 5, 1, 2, count_include_pad=False), some(0.25, 0, 1))


def exposed_otherwise(x: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return a batch with other gain over the picture, speckle, sharpness, shadows, hidden parts and marks."""
    count, size = len(x), x.shape[-2:]

    def some(share: float) -> torch.Tensor:
        return (torch.rand(count, 1, 1, 1, generator=random) < share).float()

    def each(low: float, high: float) -> torch.Tensor:
        return _uniform(count, low, high, random).view(-1, 1, 1, 1)

    x = x.clamp(0, 1) ** torch.exp(each(-0.4, 0.4))
    gain = F.interpolate(
        0.15 * torch.randn(count, 1, 4, 4, generator=random), size=size, mode="bilinear", align_corners=False
    )
    x = x * (1 + gain) + 0.3 * gain
    speckle = F.avg_pool2d(torch.randn(x.shape, generator=random), 3, 1, 1)
    x = x * (1 + some(0.5) * each(0, 0.6) * speckle)
    blurred = F.avg_pool2d(x, 3, 1, 1)
    x = x + some(0.5) * each(-0.8, 1.0) * (blurred - x)
    x = x * (1 - some(0.25) * each(0.2, 0.7) * _shadow(count, size, random))
    hidden = some(0.3) * _rectangles(count, size, 0.08, 0.25, random)
    x = x * (1 - hidden) + hidden * each(0, 1)
    return _marked(x, random).clamp(-0.2, 1.3)


def _shadow(count: int, size: torch.Size, random: torch.Generator) -> torch.Tensor:
    """Return bands that begin at some depth and go down, slightly slanted: 0 outside, 1 inside."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, size[0]), torch.linspace(-1, 1, size[1]), indexing="ij")
    middle, slant, width, start = (
        _uniform(count, *bounds, random).view(-1, 1, 1) for bounds in ((-1, 1), (-0.3, 0.3), (0.05, 0.25), (-0.9, 0.6))
    )
    across = torch.sigmoid((width - (columns - middle - slant * rows).abs()) / 0.04)
    return (across * torch.sigmoid((rows - start) / 0.05))[:, None]


def _rectangles(count: int, size: torch.Size, low: float, high: float, random: torch.Generator) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.linspace(0, 1, size[0]), torch.linspace(0, 1, size[1]), indexing="ij")
    y, x = (_uniform(count, 0, 1, random).view(-1, 1, 1) for _ in range(2))
    height, width = (_uniform(count, low, high, random).view(-1, 1, 1) for _ in range(2))
    return (((rows - y).abs() < height / 2) & ((columns - x).abs() < width / 2)).float()[:, None]


def _frames(count: int, size: torch.Size, random: torch.Generator) -> torch.Tensor:
    """Return 1 in the black frames that a third of the pictures get, on any of their sides, and 0 elsewhere."""
    framed = (torch.rand(count, 1, generator=random) < 0.33) & (torch.rand(count, 4, generator=random) < 0.5)
    widths = framed * 0.15 * torch.rand(count, 4, generator=random)
    top, bottom, left, right = widths.view(count, 4, 1, 1).unbind(1)
    rows = torch.linspace(0, 1, size[0]).view(1, -1, 1)
    columns = torch.linspace(0, 1, size[1]).view(1, 1, -1)
    return ((rows < top) | (rows > 1 - bottom) | (columns < left) | (columns > 1 - right)).float()[:, None]


def _marked(x: torch.Tensor, random: torch.Generator, most: int = 4, reach: int = 2) -> torch.Tensor:
    """Return the batch, a third of it with small bright crosses like calipers anywhere: they must not mean a lesion."""
    x = x.clone()
    height, width = x.shape[-2:]
    for index in range(len(x)):
        if torch.rand(1, generator=random) < 0.35:
            count = int(torch.randint(1, most + 1, (1,), generator=random))
            for _ in range(count):
                row = int(torch.randint(reach, height - reach, (1,), generator=random))
                column = int(torch.randint(reach, width - reach, (1,), generator=random))
                x[index, 0, row - reach : row + reach + 1, column] = 1.0
                x[index, 0, row, column - reach : column + reach + 1] = 1.0
    return x
