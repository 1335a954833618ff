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
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common import REPOSITORY
from common.data import add_data_option
from common.scoring import Case, contact_sheet, dice, hausdorff95, mask_of, overlay
from MedImageAnalysisLib.analysis import Analysis, ImageInfo, MedicalImage
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset

HU = ImageInfo(modality="CT", intensity_unit="HU", spacing_source="file header")
LUNGS = {"right-lung": (12, 13, 14), "left-lung": (10, 11)}
BONES = (*range(25, 51), *range(69, 79), *range(91, 117))
HEADER = (
    "| preset | segment | cases | Dice mean / p5 | 95 % Hausdorff mm | s (all cases) | peak memory MB |\n"
    "|---|---|---|---|---|---|---|"
)


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
    sys.path.append(str(REPOSITORY / "Testing" / "Python" / "segmentation"))
    from ct_phantoms import chest

    drawn = chest(spacing=(3, 2, 2)).image()
    grid = sitk.Image((512, 512, 300), sitk.sitkInt16)
    grid.SetSpacing((380 / 512, 300 / 512, 1.1))
    return MedicalImage(sitk.Resample(drawn, grid, sitk.Transform(), sitk.sitkLinear, -1000), HU)


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
            found = mask_of(analysis.segmentation, key, truth.shape)
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
    head = analysis.segmentation.find("brain") is not None
    low, high = (-20, 110) if head else (-1000, 500)
    hu = sitk.GetArrayFromImage(sitk.DICOMOrient(analysis.image.pixels, "LPS"))
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(analysis.segmentation.layers[0], "LPS"))
    shown = [segment for segment in analysis.segmentation.segments if segment.layer == 0]
    tiles = []
    for level in np.linspace(0, len(hu) - 1, min(columns * 3, len(hu))).astype(int):
        outlines = [(labels[level] == segment.label, segment.color) for segment in shown]
        tiles.append(overlay(hu[level], low, high, outlines))
    contact_sheet(tiles, path, columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
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
