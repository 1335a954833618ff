"""How many reference values of the IBSI are met, per family: digital phantom, and configurations A-E of the CT phantom.

    python benchmarks/ibsi.py [--data FOLDER]

A value counts if it differs from the reference by no more than the standard's tolerance, or half a unit of the third
significant digit, whichever is larger: references are printed with three digits.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections import Counter
from pathlib import Path

import SimpleITK as sitk

from common.data import add_data_option
from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.features import FeatureSettings, extract

_SOFT_TISSUE = {"resegmentation_minimum": -500.0, "resegmentation_maximum": 400.0}
_WIDE = {"resegmentation_minimum": -1000.0, "resegmentation_maximum": 400.0}
_CUBES = {"spacing": (2.0, 2.0, 2.0), "round_intensities": True}

# Table 5.1 of the reference manual.
CONFIGURATIONS = {
    "digital_phantom": {"discretization": "none", "ivh_discretization": "none"},
    "config_a": {"discretization": "bin-width", "bin_width": 25.0, "ivh_discretization": "none", **_SOFT_TISSUE},
    "config_b": {
        "discretization": "bin-number",
        "ivh_discretization": "none",
        "spacing": (2.0, 2.0),
        "round_intensities": True,
        **_SOFT_TISSUE,
    },
    "config_c": {
        "discretization": "bin-width",
        "bin_width": 25.0,
        "ivh_discretization": "bin-width",
        "ivh_bin_width": 2.5,
        **_CUBES,
        **_WIDE,
    },
    "config_d": {"discretization": "bin-number", "ivh_discretization": "none", "outlier_sigma": 3.0, **_CUBES},
    "config_e": {
        "discretization": "bin-number",
        "ivh_discretization": "bin-number",
        "image_interpolation": "cubic-spline",
        "outlier_sigma": 3.0,
        **_CUBES,
        **_WIDE,
    },
}

# Dimension and aggregation, and how the tags of the reference table end for them.
AGGREGATIONS = {
    ("2D", "averaged"): ("_2D_avg", "_2D"),
    ("2D", "slice-merged"): ("_2D_comb",),
    ("2.5D", "direction-merged"): ("_2_5D_avg",),
    ("2.5D", "merged"): ("_2_5D_comb", "_2_5D"),
    ("3D", "averaged"): ("_3D_avg",),
    ("3D", "merged"): ("_3D_comb", "_3D", ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    folder = parser.parse_args().data / "radiomics"
    path = folder / "ibsi_1_reference.csv"
    if not path.is_file():
        sys.exit(f"{path} not found: give --data, the folder that holds radiomics/ibsi_1_reference.csv.")
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["value"]]
    met = [report(folder, name, [row for row in rows if row["config"] == name]) for name in CONFIGURATIONS]
    sys.exit(0 if all(met) else 1)


def report(data: Path, configuration: str, rows: list[dict[str, str]]) -> bool:
    """Print the count per family of one configuration; tell whether all references are met."""
    started = time.process_time()
    values = computed(data, configuration, {row["tag"] for row in rows})
    seconds = time.process_time() - started
    met, total, misses = Counter(), Counter(), []
    for row in rows:
        value = values.get(row["tag"], math.nan)
        total[row["family"]] += 1
        if agrees(value, float(row["value"]), float(row["tolerance"] or 0)):
            met[row["family"]] += 1
        else:
            misses.append(f"{row['tag']}: {value:.6g}, reference {row['value']} +- {row['tolerance']}")
    print(f"{configuration}: {met.total()} of {total.total()} ({seconds:.1f} s CPU)")
    for family in total:
        print(f"    {family:28} {met[family]:4} of {total[family]:4}")
    for miss in misses:
        print(f"    MISSED {miss}")
    return not misses


def computed(data: Path, configuration: str, tags: set[str]) -> dict[str, float]:
    """Return the value of each tag of the reference table."""
    folder = data / ("digital_phantom" if configuration == "digital_phantom" else "ct_radiomics_phantom")
    image = sitk.ReadImage(str(folder / "phantom.nii.gz"))
    labels = sitk.Cast(sitk.ReadImage(str(folder / "mask.nii.gz")) > 0, sitk.sitkUInt8)
    segmentation = Segmentation((labels,), (Segment("region", 1, (1.0, 0.0, 0.0)),))
    values = {}
    for (dimension, aggregation), endings in AGGREGATIONS.items():
        # The manual asks for 2D and 2.5D in A and B, for 3D in C to E, and for all in the digital phantom.
        if not any(tag.endswith(ending) for tag in tags for ending in endings if ending):
            continue
        settings = FeatureSettings(dimension=dimension, aggregation=aggregation, **CONFIGURATIONS[configuration])
        table = extract(image, segmentation, settings)
        for definition, value in zip(table.definitions, table.values[0], strict=True):
            values.update({definition.name + ending: float(value) for ending in (*endings, "")})
    return values


def agrees(value: float, reference: float, tolerance: float) -> bool:
    """Tell whether a value is within the tolerance, or rounds to the three digits of the reference."""
    half_digit = 0.5 * 10.0 ** (math.floor(math.log10(abs(reference))) - 2) if reference else 0.0
    return abs(value - reference) <= max(tolerance, half_digit) * (1 + 1e-9)


if __name__ == "__main__":
    main()
