"""Accuracy and speed of the MRI presets: brain-mri, cardiac-mri, brain-tumor-mri.

    python benchmarks/segmentation_mri.py [--data FOLDER] [--cases 6]

brain-mri: the ICBM152 template against its own mask and tissue maps (skull-stripped already, so the extraction from a
whole head is not tested by it). cardiac-mri: ACDC, both phases, with 350 mm assumed for the width of the picture, since
the files have no spacing; distances are scaled so. brain-tumor-mri: the two labeled volumes of pyradiomics. No model is
trained on these sets, but constants of all three methods were chosen by trying values on some of these very cases (and,
for the brain, on the brainchop head): the figures are optimistic, and no case is set apart as untouched.
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
sys.path.insert(0, str(HERE.parent / "MedImageAnalysis"))

from MedImageAnalysisLib.analysis import MedicalImage, Segmentation  # noqa: E402
from MedImageAnalysisLib.features.clinical.cardiac_mri import ejection_fraction  # noqa: E402
from MedImageAnalysisLib.preset import load_preset  # noqa: E402
from MedImageAnalysisLib.progress import Progress  # noqa: E402
from MedImageAnalysisLib.terminology import segment  # noqa: E402

CARDIAC_WIDTH_MM = 350.0


@dataclass(frozen=True)
class Score:
    """Overlap of one structure in one case."""

    structure: str
    dice: float
    hausdorff_mm: float


def segmented(preset_name: str, image: sitk.Image) -> tuple[Segmentation, float]:
    """Run stages 1 and 2 of a preset; return the segmentation and the seconds."""
    preset = load_preset(preset_name)
    started = time.perf_counter()
    for step in preset.preprocessing:
        image = step(image, Progress())
    found = None
    for method in preset.segmentation:
        found = method(image, found, Progress())
    return found, time.perf_counter() - started


def scored(found: Segmentation, truth: dict[str, np.ndarray], spacing: tuple[float, ...]) -> list[Score]:
    scores = []
    for key, true in truth.items():
        segment_found = found.find(key)
        mask = np.zeros_like(true)
        if segment_found is not None:
            mask = sitk.GetArrayFromImage(found.mask(segment_found)) > 0
        overlap = 2 * np.count_nonzero(mask & true) / max(np.count_nonzero(mask) + np.count_nonzero(true), 1)
        scores.append(Score(key, overlap, hausdorff95(mask, true, spacing)))
    return scores


def hausdorff95(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Return the 95th percentile of the distances between two borders, both ways, in mm."""
    from scipy import ndimage

    if not a.any() or not b.any():
        return float("nan")
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    away = [ndimage.distance_transform_edt(~edge, sampling=spacing[::-1]) for edge in edges]
    return float(np.percentile(np.concatenate([away[1][edges[0]], away[0][edges[1]]]), 95))


def brain(data: Path) -> Iterator[tuple[list[Score], float]]:
    image = sitk.ReadImage(data / "mr_brain" / "mni152_t1.nii.gz", sitk.sitkFloat32)
    gray, white = (
        sitk.GetArrayFromImage(sitk.ReadImage(data / "mr_brain" / f"mni152_{m}.nii.gz")) for m in ("gm", "wm")
    )
    whole = sitk.GetArrayFromImage(image) > 20
    fluid = 255 - np.minimum(gray.astype(int) + white, 255)
    tissue = np.argmax([fluid, gray, white], axis=0)
    names = ("cerebrospinal-fluid", "gray-matter", "white-matter")
    truth = {"brain": whole, **{key: (tissue == i) & whole for i, key in enumerate(names)}}
    found, seconds = segmented("brain-mri", image)
    yield scored(found, truth, image.GetSpacing()), seconds


def tumor(data: Path) -> Iterator[tuple[list[Score], float]]:
    for name in ("brain1", "brain2"):
        image = sitk.ReadImage(data / "mr_brain" / f"{name}_image.nrrd", sitk.sitkFloat32)
        truth = sitk.GetArrayFromImage(sitk.ReadImage(data / "mr_brain" / f"{name}_label.nrrd")) > 0
        found, seconds = segmented("brain-tumor-mri", image)
        yield scored(found, {"tumor-candidate": truth}, image.GetSpacing()), seconds


def cardiac(data: Path, cases: int | None, errors: list[float]) -> Iterator[tuple[list[Score], float]]:
    patients = sorted(
        {path.name.split("_")[0] for path in (data / "cardiac_mri_acdc").glob("patient*_ed_image.nii.gz")}
    )
    for patient in patients[:cases]:
        phases, references = [], []
        for phase in ("ed", "es"):
            path = data / "cardiac_mri_acdc" / f"{patient}_{phase}_image.nii.gz"
            image = sitk.ReadImage(path, sitk.sitkFloat32)
            image.SetSpacing((CARDIAC_WIDTH_MM / image.GetWidth(),) * 3)
            labels = sitk.ReadImage(path.with_name(path.name.replace("image", "label")), sitk.sitkUInt8)
            labels.CopyInformation(image)
            array = sitk.GetArrayFromImage(labels)
            truth = {"left-ventricle": array == 3, "left-ventricular-myocardium": array == 2}
            found, seconds = segmented("cardiac-mri", image)
            yield (
                [
                    Score(f"{s.structure} {phase}", s.dice, s.hausdorff_mm)
                    for s in scored(found, truth, image.GetSpacing())
                ],
                seconds,
            )
            phases.append((MedicalImage(image), found))
            references.append((MedicalImage(image), Segmentation((labels,), (segment("left-ventricle", 3),))))
        errors.append(ejection_fraction(*phases)[0].value - ejection_fraction(*references)[0].value)


def report(name: str, cases: Iterator[tuple[list[Score], float]]) -> None:
    results = list(cases)
    seconds = np.median([result[1] for result in results])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for structure in dict.fromkeys(score.structure for scores, _ in results for score in scores):
        chosen = [score for scores, _ in results for score in scores if score.structure == structure]
        dices = np.array([score.dice for score in chosen])
        distances = [score.hausdorff_mm for score in chosen if np.isfinite(score.hausdorff_mm)]
        distance = f"{np.mean(distances):.1f}" if distances else "-"
        print(
            f"| {name} | {structure} | {len(chosen)} | {dices.mean():.3f} / {np.percentile(dices, 5):.3f} | {distance} "
            f"| {seconds:.1f} | {memory:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--cases", type=int, help="at most so many patients of ACDC")
    options = parser.parse_args()
    print("| preset | structure | cases | Dice mean / p5 | 95 % Hausdorff mm | s | peak MiB of the process |")
    print("|---|---|---|---|---|---|---|")
    report("brain-mri", brain(options.data))
    report("brain-tumor-mri", tumor(options.data))
    errors: list[float] = []
    report("cardiac-mri", cardiac(options.data, options.cases, errors))
    measured = np.array([error for error in errors if np.isfinite(error)])
    print(
        f"\nEjection fraction, {len(measured)} of {len(errors)} patients measured: mean absolute error "
        f"{np.abs(measured).mean():.1f} points, median {np.median(np.abs(measured)):.1f}, bias {measured.mean():+.1f}"
    )


if __name__ == "__main__":
    main()
