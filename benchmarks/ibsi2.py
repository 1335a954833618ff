"""Filters against the reference feature values of IBSI-2 phase 2: prints how many are matched per configuration.

    python benchmarks/ibsi2.py [--data FOLDER]

Needs the CT radiomics phantom. The reference values (CC0) are those of
https://github.com/theibsi/ibsi_2_reference_data; configurations A filter the slices of the image as it is,
configurations B the volume after cubic spline interpolation to 1 mm.
"""

import argparse
import csv
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common import REPOSITORY
from common.data import add_data_option
from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.features import FeatureSettings, extract
from MedImageAnalysisLib.features.filters import FILTERS, extract_filtered

REFERENCES = REPOSITORY / "Testing" / "Python" / "features" / "ibsi2_feature_values.csv"
SETTINGS = FeatureSettings(families=("intensity",), resegmentation_minimum=-1000.0, resegmentation_maximum=400.0)


def filters(by_slice: bool) -> dict:
    """Return the filter of each configuration, in 2D (A) or 3D (B); configuration 1 has none."""
    settings = {
        "2": ("mean", {"support": 5}),
        "3": ("log", {"sigma_mm": 1.5}),
        "4": ("laws", {"kernels": "L5E5" if by_slice else "L5E5E5"}),
        "5": ("gabor", {"sigma_mm": 5.0, "wavelength_mm": 2.0, "aspect_ratio": 1.5}),
        "6": ("wavelet", {"wavelet": "db3", "subband": "LH" if by_slice else "LLH"}),
        "7": ("wavelet", {"wavelet": "db3", "subband": "HH" if by_slice else "HHH", "level": 2}),
        "8": ("isotropic-wavelet", {"boundary": "periodic"}),
        "9": ("isotropic-wavelet", {"boundary": "periodic", "level": 2}),
    }
    return {key: FILTERS[name](by_slice=by_slice, **parameters) for key, (name, parameters) in settings.items()}


def interpolated(image: sitk.Image, interpolator: int) -> sitk.Image:
    """Return the image at 1 mm, on a grid aligned with its own by the centers."""
    size = [math.ceil(round(n * step, 6)) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    first = [(n - 1 - (m - 1) / step) / 2 for n, m, step in zip(image.GetSize(), size, image.GetSpacing(), strict=True)]
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(first))
    identity = sitk.Transform(3, sitk.sitkIdentity)
    precise = sitk.Cast(image, sitk.sitkFloat64)
    return sitk.Resample(precise, grid, identity, interpolator, 0.0, sitk.sitkFloat64, True)


def phantom(data: Path, by_slice: bool) -> tuple[sitk.Image, Segmentation]:
    """Return the CT phantom and its tumor, as they are (A) or at 1 mm with whole numbers (B)."""
    folder = data / "radiomics" / "ct_radiomics_phantom"
    image = sitk.ReadImage(str(folder / "phantom.nii.gz"))
    mask = sitk.ReadImage(str(folder / "mask.nii.gz")) > 0
    if not by_slice:
        spline = interpolated(image, sitk.sitkBSpline3)
        image = sitk.GetImageFromArray(np.rint(sitk.GetArrayViewFromImage(spline)).astype(np.float32))
        image.CopyInformation(spline)
        mask = interpolated(mask, sitk.sitkLinear) >= 0.5 - 1e-9
    tumor = Segment("Tumor", 1, (1.0, 0.0, 0.0))
    return image, Segmentation((mask,), (tumor,))


def references() -> dict[str, list[tuple[str, float, float]]]:
    """Return tag, value and tolerance of the features of each configuration that have a consensus."""
    rows = defaultdict(list)
    with REFERENCES.open(newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            if row["consensus_value"]:
                values = float(row["consensus_value"]), float(row["tolerance"])
                rows[row["filter_id"]].append((row["feature_tag"], *values))
    return rows


def matches(found: float, reference: float, tolerance: float) -> bool:
    """Tell whether a value lies within the tolerance, or rounds to the three digits of the reference."""
    rounding = 10 ** (math.floor(math.log10(abs(reference))) - 2) / 2 if reference else 0.0
    return abs(found - reference) <= max(tolerance, rounding) * (1 + 1e-9)


def main() -> int:
    """Print a line per configuration; the exit status is 1 if a value is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    data = parser.parse_args().data
    expected = references()
    missed = 0
    for variant in "AB":
        image, segmentation = phantom(data, variant == "A")
        bank = filters(variant == "A")
        plain = extract(image, segmentation, SETTINGS)
        filtered = extract_filtered(image, segmentation, list(bank.values()), SETTINGS)
        for number in "123456789":
            rows = expected[f"{number}.{variant}"]
            prefix = "" if number == "1" else f"{bank[number].label}:"
            table = plain if number == "1" else filtered
            wrong = [row for row in rows if not matches(table.value("Tumor", prefix + row[0]), *row[1:])]
            missed += len(wrong)
            words = ", ".join(f"{tag} {table.value('Tumor', prefix + tag):g} not {value:g}" for tag, value, _ in wrong)
            print(f"{number}.{variant}  {len(rows) - len(wrong):2d} of {len(rows)}  {words}", flush=True)
    total = sum(map(len, expected.values()))
    print(f"all  {total - missed} of {total}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
