"""Accuracy, speed and memory of the CT presets against the references at hand.

    python benchmarks/segmentation_ct.py [--data FOLDER] [--sheet FOLDER] [--large]

The torso's reference is TotalSegmentator's output (3 mm, 30 slices: bases of the lungs, spine, ribs). All else at
hand has no reference: it is timed and, with `--sheet`, drawn for people to look at.
`--large` times a drawn chest of 512 x 512 x 300 voxels from end to end. Memory is the growth of the process's peak.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "MedImageAnalysis"), str(HERE.parent / "Testing" / "Python" / "segmentation")]

from MedImageAnalysisLib.analysis import Analysis, ImageInfo, MedicalImage  # noqa: E402
from MedImageAnalysisLib.image import read_image  # noqa: E402
from MedImageAnalysisLib.pipeline import run  # noqa: E402
from MedImageAnalysisLib.preset import load_preset  # noqa: E402

HU = ImageInfo(modality="CT", intensity_unit="HU", spacing_source="file header")
LUNGS = {"right-lung": (12, 13, 14), "left-lung": (10, 11)}
BONES = (*range(25, 51), *range(69, 79), *range(91, 117))
HEADER = (
    "| preset | segment | cases | Dice mean / p5 | 95 % Hausdorff mm | s (all cases) | peak memory MB |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, eq=False)
class Case:
    """An image with reference masks by segment key; without any it is only timed and drawn."""

    name: str
    image: MedicalImage
    truth: dict[str, np.ndarray]


def cases(preset: str, data: Path) -> Iterator[Case]:
    torso = data / "ct_torso"
    if preset == "brain-ct":
        yield Case("head", read_image(data / "ct_head" / "GE"), {})
        return
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(torso / "example_seg.nii.gz")))
    truth = {
        "chest-ct": {key: np.isin(labels, values) for key, values in LUNGS.items()} | {"bone": np.isin(labels, BONES)},
        "bone-ct": {"bone": np.isin(labels, BONES), "l1-vertebra": labels == 31},
        "cardiac-ct": {},
    }[preset]
    yield Case("torso", volume(torso / "example_ct_sm.nii.gz"), truth)
    yield Case("torso, abdomen", volume(torso / "example_ct.nii.gz"), {})
    yield Case("torso, arms down", read_image(torso / "dicom"), {})
    yield Case("lung cancer", volume(data / "radiomics" / "ct_radiomics_phantom" / "phantom.nii.gz"), {})


def volume(path: Path) -> MedicalImage:
    return MedicalImage(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkInt16), HU)


def large_chest() -> MedicalImage:
    from ct_phantoms import chest

    drawn = chest(spacing=(3, 2, 2)).image()
    grid = sitk.Image((512, 512, 300), sitk.sitkInt16)
    grid.SetSpacing((380 / 512, 300 / 512, 1.1))
    return MedicalImage(sitk.Resample(drawn, grid, sitk.Transform(), sitk.sitkLinear, -1000), HU)


def mask_of(analysis: Analysis, key: str) -> np.ndarray:
    segment = analysis.segmentation.find(key)
    if segment is None:
        return np.zeros(analysis.image.pixels.GetSize()[::-1], bool)
    return sitk.GetArrayFromImage(analysis.segmentation.mask(segment)).astype(bool)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))


def hausdorff95(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Return the 95th percentile of the distances (mm) between the two surfaces, both ways."""
    if not first.any() or not second.any():
        return float("nan")
    from scipy import ndimage

    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (first, second)]
    away = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return float(np.percentile(np.concatenate([away[1][edges[0]], away[0][edges[1]]]), 95))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def evaluate(name: str, data: Path, sheets: Path | None) -> list[str]:
    preset = load_preset(name)
    scores: dict[str, list[tuple[float, float]]] = {}
    seconds, count, before = 0.0, 0, peak_mb()
    notes = []
    for case in cases(name, data):
        started = time.perf_counter()
        analysis = run(case.image, preset)
        seconds += time.perf_counter() - started
        count += 1
        spacing = case.image.pixels.GetSpacing()[::-1]
        for key, truth in case.truth.items():
            found = mask_of(analysis, key)
            scores.setdefault(key, []).append((dice(found, truth), hausdorff95(found, truth, spacing)))
        values = (f"{m.name} {m.value:.4g} {m.unit}" for m in analysis.measurements if np.isfinite(m.value))
        notes.append(f"  {case.name}: {', '.join(values) or 'nothing measured: ' + analysis.measurements[0].reason}")
        if sheets:
            sheet(analysis, sheets / f"{name}-{case.name.replace(', ', '-').replace(' ', '-')}.png")
    cost = f"{seconds:.1f} ({count}) | {max(0.0, peak_mb() - before):.0f}"
    rows = []
    for key, pairs in scores.items():
        overlaps, distances = np.transpose(pairs)
        accuracy = f"{overlaps.mean():.3f} / {np.percentile(overlaps, 5):.3f} | {np.nanmean(distances):.1f}"
        rows.append(f"| {name} | {key} | {len(pairs)} | {accuracy} | {cost} |")
    return [*(rows or [f"| {name} | - | 0 | - | - | {cost} |"]), *notes]


def sheet(analysis: Analysis, path: Path, columns: int = 6) -> None:
    """Draw slices of the image with the outlines of the first layer."""
    from skimage.io import imsave
    from skimage.segmentation import find_boundaries

    head = analysis.segmentation.find("brain") is not None
    low, high = (-20, 110) if head else (-1000, 500)
    pixels = sitk.DICOMOrient(analysis.image.pixels, "LPS")
    hu = sitk.GetArrayFromImage(pixels)
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(analysis.segmentation.layers[0], "LPS"))
    tiles = []
    for level in np.linspace(0, len(hu) - 1, min(columns * 3, len(hu))).astype(int):
        tile = np.repeat(np.clip((hu[level] - low) / (high - low), 0, 1)[..., None], 3, axis=2)
        for segment in (s for s in analysis.segmentation.segments if s.layer == 0):
            tile[find_boundaries(labels[level] == segment.label, mode="inner")] = segment.color
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, (np.vstack(rows) * 255).astype(np.uint8), check_contrast=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of every case")
    parser.add_argument("--large", action="store_true", help="time 512 x 512 x 300 voxels instead")
    options = parser.parse_args()
    if options.large:
        image = large_chest()
        size = image.pixels.GetNumberOfPixels() * 2 / 2**20
        before, started = peak_mb(), time.perf_counter()
        run(image, load_preset("chest-ct"))
        print(f"512 x 512 x 300: {time.perf_counter() - started:.1f} s, image {size:.0f} MB, ", end="")
        print(f"growth of the peak {peak_mb() - before:.0f} MB")
        return
    print(HEADER)
    for name in ("chest-ct", "cardiac-ct", "bone-ct", "brain-ct"):
        print("\n".join(evaluate(name, options.data, options.sheet)), flush=True)


if __name__ == "__main__":
    main()
