"""Accuracy of brain-mri on real heads with masks of their brains: patients with multiple sclerosis, raw T1, T2, FLAIR.

    python benchmarks/brain_masks.py LONGITUDINAL [--patients patient01 ...]

LONGITUDINAL is the folder of that name in https://github.com/muschellij2/open_ms_data: pairs of studies of 20 patients
in axial slices of 3 to 4 mm, with a mask of each patient's brain (Lesjak, Pernus, Likar, Spiclin 2017,
doi:10.1007/s12021-017-9348-7; CC BY). Volumes that are not there are passed over. The mask lies in a common space: it
is brought to each raw volume by the transforms that come with it, and is the reference there. By eye two masks are
wrong: that of patient 3 leaves out much of the brain, that of patient 19 takes in the scalp.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.scoring import dice, hausdorff95, mask_of, wrong_milliliters
from segmentation_mri import segmented

SEQUENCES = ("T1W", "T2W", "FLAIR")
HEADER = (
    "| volume | brain Dice | 95 % Hausdorff mm | missing mL | too much mL | gray / white | s |\n"
    "|---|---|---|---|---|---|---|"
)


def transform(file: Path) -> sitk.Transform:
    """Return the affine transform of a file, whose kind SimpleITK does not read."""
    text = file.read_text(encoding="ascii")
    fields = dict(re.findall(r"^(Parameters|FixedParameters): (.+)$", text, re.MULTILINE))
    found = sitk.AffineTransform(3)
    found.SetFixedParameters([float(number) for number in fields["FixedParameters"].split()])
    found.SetParameters([float(number) for number in fields["Parameters"].split()])
    return found


def cases(root: Path, patients: list[str]) -> Iterator[tuple[str, sitk.Image, np.ndarray]]:
    """Yield a name, the raw image and the mask of the brain on its grid."""
    for folder in sorted(path for path in (root / "raw").iterdir() if not patients or path.name in patients):
        mask = sitk.ReadImage(str(root / "coregistered" / folder.name / "brainmask.nii.gz"), sitk.sitkFloat32)
        for file in sorted(folder.glob("study*_*.nii.gz")):
            study, sequence = file.name.removesuffix(".nii.gz").split("_")
            if sequence not in SEQUENCES:
                continue
            # A point of the raw image is brought to FLAIR first, which the last transform to be added does.
            to_common = sitk.CompositeTransform(3)
            to_common.AddTransform(transform(folder / f"{study}_FLAIR_to_common_space.txt").GetInverse())
            if sequence != "FLAIR":
                to_common.AddTransform(transform(folder / f"{study}_{sequence}_intrastudy_to_FLAIR.txt").GetInverse())
            image = sitk.ReadImage(str(file), sitk.sitkFloat32)
            share = sitk.Resample(mask > 0, image, to_common, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
            yield f"{folder.name}, {study}, {sequence}", image, sitk.GetArrayFromImage(share) > 0.5


def row_of(name: str, image: sitk.Image, true: np.ndarray) -> tuple[float, str]:
    """Return the Dice of the brain, and a row of the table."""
    found, seconds = segmented("brain-mri", image)
    brain, gray, white = (mask_of(found, key, true.shape) for key in ("brain", "gray-matter", "white-matter"))
    missing, beyond = wrong_milliliters(brain, true, image.GetSpacing())
    overlap, distance = dice(brain, true), hausdorff95(brain, true, image.GetSpacing()[::-1])
    ratio = np.count_nonzero(gray) / max(np.count_nonzero(white), 1)
    figures = f"{overlap:.3f} | {distance:.1f} | {missing:.0f} | {beyond:.0f} | {ratio:.2f} | {seconds:.1f}"
    return overlap, f"| {name} | {figures} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("longitudinal", type=Path, help="folder with raw/ and coregistered/")
    parser.add_argument("--patients", nargs="+", default=[], help="only these, as their folders are called")
    options = parser.parse_args()
    if not (options.longitudinal / "raw").is_dir():
        parser.error(f"There is no folder 'raw' in {options.longitudinal}.")
    print(HEADER)
    overlaps: dict[str, list[float]] = {}
    for name, image, true in cases(options.longitudinal, options.patients):
        overlap, row = row_of(name, image, true)
        overlaps.setdefault(name.split(", ")[-1], []).append(overlap)
        print(row, flush=True)
    for sequence, values in overlaps.items():
        print(f"{sequence}: {len(values)} volumes, brain Dice {np.mean(values):.3f}, least {min(values):.3f}")


if __name__ == "__main__":
    main()
