"""Accuracy and speed of the MRI presets: brain-mri, cardiac-mri, brain-tumor-mri.

    python benchmarks/segmentation_mri.py [PRESET ...] [--data FOLDER] [--cases 6]

brain-mri: the ICBM152 template against its own mask and tissue maps (skull-stripped already, so the extraction from a
whole head is not tested by it), and drawings in T1, T2 and FLAIR, whose intensities are mixtures by these maps. A whole
head in T1, its slices averaged to thick ones, against the brain that is found in the thin ones: there is no mask of it.
cardiac-mri: ACDC, both phases, with 350 mm assumed for the width of the picture, since the files have no spacing;
distances are scaled so. brain-tumor-mri: the two labeled volumes of pyradiomics, and how often a candidate is given in
slices of brain_mri_tumor with and without a tumor (no masks there). No model is trained on ACDC and pyradiomics'
volumes. Constants of brain-mri and brain-tumor-mri were chosen while looking at these very cases. Those of cardiac-mri
are chosen on the first two patients of each of the five groups ("seen") and on four more ("looked at"), and judged on
the other 11 ("judged"); an earlier round of choices looked at some of those too, and for the right ventricle pictures
of six of them were looked at (004, 026, 043, 044, 063, 084). Pictures of the worst cases and the costs in processor
time and memory:
benchmarks/segmentation.py brain-mri cardiac-mri brain-tumor-mri --sheets FOLDER.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from common.scoring import Case, contact_sheet, dice, hausdorff95, mask_of, overlay
from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.errors import UnsupportedImageError
from MedImageAnalysisLib.features.clinical.cardiac_mri import ejection_fraction
from MedImageAnalysisLib.image import read_image
from MedImageAnalysisLib.imaging.pixels import image_like
from MedImageAnalysisLib.pipeline import run
from MedImageAnalysisLib.preset import load_preset
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import segment

CARDIAC_WIDTH_MM = 350.0
# The first two patients of each group of ACDC were looked at while constants were chosen, then four more.
LOOKED_AT = ("patient006", "patient024", "patient064", "patient066")
SEEN = tuple(f"patient{number:03d}" for number in (1, 2, 21, 22, 41, 42, 61, 62, 81, 82))
# Intensities of fluid, gray and white matter.
DRAWN_LEVELS = {"T1": (40, 110, 160), "T2": (220, 120, 75), "FLAIR": (25, 125, 90)}
DRAWN_NOISE = 5.0
# In voxels of a head that has 1 mm.
THICKNESSES = (3, 4, 6)
SLICE_KINDS = ("glioma", "meningioma", "pituitary", "notumor")
MR = ImageInfo(modality="MR", spacing_source="file header")


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
    try:
        for method in preset.segmentation:
            found = method(image, found, Progress())
    except UnsupportedImageError as refusal:
        print(f"{preset_name} refused a case: {refusal}", file=sys.stderr)
        found = Segmentation((sitk.Image(image.GetSize(), sitk.sitkUInt8),), ())
    return found, time.perf_counter() - started


def scored(found: Segmentation, truth: dict[str, np.ndarray], spacing: tuple[float, ...]) -> list[Score]:
    scores = []
    for key, true in truth.items():
        mask = mask_of(found, key, true.shape)
        scores.append(Score(key, dice(mask, true), hausdorff95(mask, true, spacing[::-1])))
    return scores


def brain_cases(data: Path) -> Iterator[Case]:
    """Yield the template, and drawings of it in each weighting."""
    image = sitk.ReadImage(data / "mr_brain" / "mni152_t1.nii.gz", sitk.sitkFloat32)
    gray, white = (
        sitk.GetArrayFromImage(sitk.ReadImage(data / "mr_brain" / f"mni152_{m}.nii.gz")) for m in ("gm", "wm")
    )
    whole = sitk.GetArrayFromImage(image) > 20
    shares = np.stack([255 - np.minimum(gray.astype(int) + white, 255), gray, white]) / 255
    tissue = np.argmax(shares, axis=0)
    names = ("cerebrospinal-fluid", "gray-matter", "white-matter")
    truth = {"brain": whole, **{key: (tissue == i) & whole for i, key in enumerate(names)}}
    yield Case("mni152", MedicalImage(image, MR), truth)
    for weighting, levels in DRAWN_LEVELS.items():
        yield Case(f"drawn {weighting}", MedicalImage(drawn(image, whole, shares, levels), MR), truth)


def thick_cases(data: Path) -> Iterator[Case]:
    """Yield a whole head in coronal, axial and sagittal slices of some thickness, with the brain found in thin ones."""
    head = read_image(data / "mr_brain" / "brainchop_t1_crop.nii.gz").pixels
    values = sitk.GetArrayFromImage(head).astype(np.float32)
    brain = mask_of(segmented("brain-mri", head)[0], "brain", values.shape)
    for axis, plane in enumerate(("coronal", "axial", "sagittal")):
        for thickness in THICKNESSES:
            image = sitk.GetImageFromArray(averaged(values, axis, thickness))
            spacing = np.array(head.GetSpacing())
            spacing[2 - axis] *= thickness
            image.SetSpacing(spacing.tolist())
            image.SetDirection(head.GetDirection())
            truth = averaged(brain.astype(np.float32), axis, thickness) > 0.5
            yield Case(f"T1 head, {plane} slices of {thickness} mm", MedicalImage(image, MR), {"brain": truth})


def averaged(values: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Return the means of each `count` slices along an axis; what is left over at the end is cut off."""
    slices = np.moveaxis(values, axis, 0)[: values.shape[axis] // count * count]
    return np.ascontiguousarray(np.moveaxis(slices.reshape(-1, count, *slices.shape[1:]).mean(axis=1), 0, axis))


def drawn(image: sitk.Image, whole: np.ndarray, shares: np.ndarray, levels: Sequence[float]) -> sitk.Image:
    """Return the mixture of the tissues' levels in each voxel, shaded by 15 % from corner to corner, with noise."""
    across = sum(np.meshgrid(*(np.linspace(-1, 1, size) for size in whole.shape), indexing="ij", sparse=True))
    values = np.tensordot(levels, shares, axes=1) * (1 + 0.15 * across / np.sqrt(3))
    values += np.random.default_rng(0).normal(0, DRAWN_NOISE, whole.shape)
    return image_like((values * whole).astype(np.float32), image)


def tumor_cases(data: Path) -> Iterator[Case]:
    for name in ("brain1", "brain2"):
        image = sitk.ReadImage(data / "mr_brain" / f"{name}_image.nrrd", sitk.sitkFloat32)
        truth = sitk.GetArrayFromImage(sitk.ReadImage(data / "mr_brain" / f"{name}_label.nrrd")) > 0
        yield Case(name, MedicalImage(image, MR), {"tumor-candidate": truth})


def report_slices(data: Path, count: int, sheet: Path | None) -> None:
    """Print how often a candidate is given in slices of each kind, evenly spaced in the set; draw six of each kind."""
    preset, tiles = load_preset("brain-tumor-mri"), []
    for kind in SLICE_KINDS:
        files = sorted((data / "brain_mri_tumor" / kind).glob("*.jpg"))
        given, areas = 0, []
        chosen = [files[i * len(files) // count] for i in range(min(count, len(files)))]
        for number, file in enumerate(chosen):
            analysis = run(read_image(file, color="luminance"), preset)
            pixels = sitk.GetArrayViewFromImage(analysis.image.pixels)
            mask = mask_of(analysis.segmentation, "tumor-candidate", pixels.shape)
            given += bool(mask.any())
            areas += [mask.mean()] if mask.any() else []
            if sheet and number < 6:
                tiles.append(overlay(pixels, *np.percentile(pixels, (1, 99.5)), [(mask, (1, 0.2, 0.1))]))
        share = f", median {100 * np.median(areas):.1f} % of the picture" if areas else ""
        print(
            f"| brain-tumor-mri slices, {kind} | candidate in {given} of {len(chosen)}{share} | | | | | |", flush=True
        )
    if sheet:
        contact_sheet(tiles, sheet, columns=6)


def all_patients(data: Path) -> list[str]:
    folder = data / "cardiac_mri_acdc"
    return sorted(path.name.split("_")[0] for path in folder.glob("patient*_ed_image.nii.gz"))


def cardiac_cases(data: Path, patients: Sequence[str] = ()) -> Iterator[Case]:
    """Yield both phases of the patients (of all, if none are named), end-diastole first."""
    for patient in patients or all_patients(data):
        path = data / "cardiac_mri_acdc" / f"{patient}_ed_image.nii.gz"
        for phase in ("ed", "es"):
            file = path.with_name(path.name.replace("_ed_", f"_{phase}_"))
            image = sitk.ReadImage(file, sitk.sitkFloat32)
            image.SetSpacing((CARDIAC_WIDTH_MM / image.GetWidth(),) * 3)
            array = sitk.GetArrayFromImage(sitk.ReadImage(file.with_name(file.name.replace("image", "label"))))
            keys = {"left-ventricle": 3, "left-ventricular-myocardium": 2, "right-ventricle": 1}
            truth = {key: array == value for key, value in keys.items()}
            yield Case(f"{patient} {phase}", MedicalImage(image, MR), truth)


def result_of(preset: str, case: Case) -> tuple[list[Score], float]:
    found, seconds = segmented(preset, case.image.pixels)
    return scored(found, case.truth, case.image.pixels.GetSpacing()), seconds


def cardiac(data: Path, patients: Sequence[str], errors: dict[str, list[float]]) -> Iterator[tuple[list[Score], float]]:
    """Yield the scores of each phase, and add the errors of the ejection fractions (points) to those of each side."""
    phases, references = [], []
    for case in cardiac_cases(data, patients):
        pixels, phase = case.image.pixels, case.name.split()[-1]
        found, seconds = segmented("cardiac-mri", pixels)
        scores = scored(found, case.truth, pixels.GetSpacing())
        yield [Score(f"{s.structure} {phase}", s.dice, s.hausdorff_mm) for s in scores], seconds
        labels = case.truth["left-ventricle"] + 2 * case.truth["right-ventricle"].astype(np.uint8)
        structures = (segment("left-ventricle", 1), segment("right-ventricle", 2))
        phases.append((case.image, found))
        references.append((case.image, Segmentation((image_like(labels, pixels),), structures)))
        if phase == "es":
            for side, so_far in errors.items():
                measured, true = (ejection_fraction(*both, side)[0].value for both in (phases, references))
                so_far.append(measured - true)
            phases, references = [], []


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


def report_cardiac(data: Path, count: int | None) -> None:
    """Print the parts of ACDC apart, each with its error of the ejection fraction."""
    patients = all_patients(data)[:count]
    parts = {
        "seen": [patient for patient in patients if patient in SEEN],
        "looked at": [patient for patient in patients if patient in LOOKED_AT],
        "judged": [patient for patient in patients if patient not in SEEN + LOOKED_AT],
    }
    for name, chosen in parts.items():
        if not chosen:
            continue
        errors: dict[str, list[float]] = {"left": [], "right": []}
        report(f"cardiac-mri, {name}", cardiac(data, chosen, errors))
        for side, found in errors.items():
            measured = np.array([error for error in found if np.isfinite(error)])
            print(
                f"| cardiac-mri, {name} | {side} ejection fraction: measured in {len(measured)} of {len(found)}, mean "
                f"absolute error {np.abs(measured).mean():.1f} points, median {np.median(np.abs(measured)):.1f}, "
                f"bias {measured.mean():+.1f} | | | | | |",
                flush=True,
            )


PRESETS = ("brain-mri", "brain-tumor-mri", "cardiac-mri")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", metavar="PRESET", help=f"of {', '.join(PRESETS)}; all if none is given")
    add_data_option(parser)
    parser.add_argument("--cases", type=int, help="at most so many patients of ACDC")
    parser.add_argument("--slices", type=int, default=25, help="so many slices of each kind of brain_mri_tumor")
    parser.add_argument("--sheet", type=Path, help="draw the candidates in 24 of these slices into this PNG")
    options = parser.parse_args()
    unknown = set(options.presets) - set(PRESETS)
    if unknown:
        parser.error(f"no cases for {', '.join(sorted(unknown))}; there are some for {', '.join(PRESETS)}")
    chosen = options.presets or PRESETS
    print("| preset | structure | cases | Dice mean / p5 | 95 % Hausdorff mm | s | peak MiB of the process |")
    print("|---|---|---|---|---|---|---|")
    if "brain-mri" in chosen:
        for case in (*brain_cases(options.data), *thick_cases(options.data)):
            report(f"brain-mri, {case.name}", iter([result_of("brain-mri", case)]))
    if "brain-tumor-mri" in chosen:
        report("brain-tumor-mri", (result_of("brain-tumor-mri", case) for case in tumor_cases(options.data)))
        report_slices(options.data, options.slices, options.sheet)
    if "cardiac-mri" in chosen:
        report_cardiac(options.data, options.cases)


if __name__ == "__main__":
    main()
