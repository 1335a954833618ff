"""Accuracy of brain-mri on heads that are drawn from label maps of real people, in the contrasts of many scanners.

    python benchmarks/brain_heads.py MAPS [--heads 8] [--contrast T1-strong ...]

MAPS is a folder of label maps (NIfTI, 1 mm) in FreeSurfer's numbers with what surrounds the brain: skull, scalp, eyes,
vessels. The 20 of SynthSeg (Billot et al. 2023, doi:10.1016/j.media.2023.102789; young and old heads) are such ones:
https://github.com/BBillot/SynthSeg, folder data/training_label_maps, Apache License 2.0.

Each tissue has one intensity (fat and muscle alternate at random), blurred by 0.6 mm, with a smooth shading of up to
20 % along each axis and its square, and noise (4). "5 mm" has slices of that thickness. The reference of the brain is
gray and white matter and the ventricles, closed by 8 mm and filled, as the method closes sulci; that of the fluid lies
within. Drawn heads are easier than real ones: there is one intensity to a tissue, and no vessel flows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from common.scoring import dice, mask_of, wrong_milliliters
from MedImageAnalysisLib.imaging.masks import distance_to
from segmentation_mri import segmented

# FreeSurfer's and SAMSEG's numbers.
WHITE = (2, 41, 7, 46, 16, 28, 60, 85)
CORTEX = (3, 42, 8, 47)
DEEP = (10, 49, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58, 136, 137, 163, 164)
PALLIDUM = (13, 52)
VENTRICLES = (4, 43, 5, 44, 14, 15, 25, 57, 30, 62, 72)
OUTER_FLUID, SOFT_TISSUE = 24, 507
AROUND = {"artery": 502, "eye": 506, "muscle": 508, "mucosa": 509, "skin": 511, "vein": 514, "bone": 515, "marrow": 516}
LIKE_WHITE = (512, 530)
ORDER = ("white", "cortex", "deep", "pallidum", "fluid", "artery", "eye", "muscle", "fat", "mucosa", "skin", "vein",
         "bone", "marrow")  # fmt: skip
CONTRASTS = {
    "T1-strong": (100, 55, 75, 92, 18, 30, 18, 45, 130, 60, 60, 40, 8, 85),
    "T1": (100, 80, 88, 96, 35, 40, 30, 60, 140, 75, 80, 45, 12, 95),
    "T1-agent": (100, 80, 88, 96, 30, 170, 30, 70, 150, 170, 100, 180, 12, 95),
    "T2": (45, 65, 52, 40, 180, 15, 180, 30, 90, 120, 50, 20, 6, 60),
    "FLAIR": (65, 85, 75, 62, 12, 25, 12, 40, 90, 90, 60, 30, 6, 50),
}
THICK = ("T1", "T2", "FLAIR")
THICK_MM = 5
NOISE = 4.0
SULCUS_MM = 8.0


def drawn(labels: np.ndarray, contrast: str, generator: np.random.Generator) -> np.ndarray:
    """Return the intensities of a head in one contrast."""
    level = dict(zip(ORDER, CONTRASTS[contrast], strict=True))
    table = np.zeros(1024, np.float32)
    for numbers, tissue in ((WHITE + LIKE_WHITE, "white"), (CORTEX, "cortex"), (DEEP, "deep"), (PALLIDUM, "pallidum")):
        table[list(numbers)] = level[tissue]
    table[[*VENTRICLES, OUTER_FLUID]] = level["fluid"]
    for tissue, number in AROUND.items():
        table[number] = level[tissue]
    values = table[labels]
    coarse = generator.normal(size=[length // 8 + 1 for length in labels.shape]).astype(np.float32)
    fat = ndimage.zoom(coarse, 8, order=1)[tuple(slice(length) for length in labels.shape)] > 0
    soft = labels == SOFT_TISSUE
    values[soft] = np.where(fat[soft], level["fat"], level["muscle"])
    values = ndimage.gaussian_filter(values, 0.6)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in labels.shape), indexing="ij", sparse=True)
    shading = generator.uniform(-0.2, 0.2, 6)
    values *= np.exp(sum(a * axis + b * axis**2 for a, b, axis in zip(shading[:3], shading[3:], axes, strict=True)))
    noise = generator.normal(0, NOISE, (2, *values.shape)).astype(np.float32)
    return np.hypot(values + noise[0], noise[1]).astype(np.float32)


def reference(labels: np.ndarray, like: sitk.Image) -> np.ndarray:
    """Return 1 fluid, 2 gray matter, 3 white matter within the brain; 0 around it."""
    tissues = np.zeros(labels.shape, np.uint8)
    tissues[np.isin(labels, (*VENTRICLES, OUTER_FLUID))] = 1
    tissues[np.isin(labels, CORTEX + DEEP + PALLIDUM)] = 2
    tissues[np.isin(labels, WHITE)] = 3
    proper = (tissues > 1) | np.isin(labels, VENTRICLES)
    grown = distance_to(proper, like) <= SULCUS_MM
    tissues[~ndimage.binary_fill_holes((distance_to(~grown, like) > SULCUS_MM) | proper)] = 0
    return tissues


def cases(maps: Path, count: int, contrasts: list[str]) -> Iterator[tuple[str, str, sitk.Image, sitk.Image]]:
    """Yield a kind, a name, the image and the reference."""
    files = sorted(maps.glob("*.nii*"))
    for file in files[:: max(1, len(files) // count)][:count]:
        stored = sitk.DICOMOrient(sitk.ReadImage(str(file), sitk.sitkInt16), "LPS")
        labels = sitk.GetArrayFromImage(stored)
        truth = sitk.GetImageFromArray(reference(labels, stored))
        truth.CopyInformation(stored)
        for number, contrast in enumerate(contrasts):
            image = sitk.GetImageFromArray(drawn(labels, contrast, np.random.default_rng((number, files.index(file)))))
            image.CopyInformation(stored)
            yield contrast, file.name, image, truth
            if contrast in THICK:
                thick = sitk.BinShrink(image, (1, 1, THICK_MM))
                nearest = sitk.Resample(truth, thick, sitk.Transform(), sitk.sitkNearestNeighbor)
                yield f"{contrast}, {THICK_MM} mm", file.name, thick, nearest


def scored(image: sitk.Image, truth: sitk.Image) -> tuple[float, ...]:
    """Return Dice of brain, fluid, gray and white matter, mL that are missing and too much, and seconds."""
    found, seconds = segmented("brain-mri", image)
    tissues = sitk.GetArrayViewFromImage(truth)
    masks = [mask_of(found, key, tissues.shape) for key in ("cerebrospinal-fluid", "gray-matter", "white-matter")]
    brain, true = mask_of(found, "brain", tissues.shape), tissues > 0
    overlaps = [dice(mask, tissues == label) for label, mask in enumerate(masks, start=1)]
    return (dice(brain, true), *overlaps, *wrong_milliliters(brain, true, image.GetSpacing()), seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="folder of label maps")
    parser.add_argument("--heads", type=int, default=8, help="how many of them, evenly spread")
    parser.add_argument("--contrast", nargs="+", choices=CONTRASTS, default=list(CONTRASTS))
    options = parser.parse_args()
    scores: dict[str, list[tuple[float, ...]]] = {}
    for kind, _, image, truth in cases(options.maps, options.heads, options.contrast):
        scores.setdefault(kind, []).append(scored(image, truth))
    if not scores:
        parser.error(f"There is no label map (*.nii, *.nii.gz) in {options.maps}.")
    print("| contrast | heads | brain Dice mean / least | fluid | gray | white | missing mL | too much mL | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, rows in scores.items():
        mean, least = np.mean(rows, axis=0), np.min(rows, axis=0)[0]
        parts = " | ".join([*(f"{value:.3f}" for value in mean[1:4]), f"{mean[4]:.0f} | {mean[5]:.0f} | {mean[6]:.1f}"])
        print(f"| {kind} | {len(rows)} | {mean[0]:.3f} / {least:.3f} | {parts} |")


if __name__ == "__main__":
    main()
