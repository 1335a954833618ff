"""Analyze two real radiographs of the PyPI package pydicom-data and leave everything in demo-output/.

Each scene is opened again and compared with what was written before the command says that it is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydicom.data import get_testdata_file

from MedImageAnalysisLib.cli import run
from MedImageAnalysisLib.cli.listings import print_table
from MedImageAnalysisLib.export.tables import read_table

OUTPUT = Path(__file__).resolve().parents[1] / "demo-output"

# Title, file in pydicom-data, preset, folder of the results.
CASES = (
    ("Chest radiograph (CR CHEST, 1955 x 1841, MONOCHROME1)", "RG1_UNCR.dcm", "chest-xray", "chest"),
    ("Leg radiograph (CR EXTREMITY, 1760 x 1760, MONOCHROME1)", "RG3_UNCR.dcm", "bone-xray", "extremity"),
)


def main() -> int:
    for title, file_name, preset, folder in CASES:
        print(f"\n=== {title}, preset {preset} ===", flush=True)
        image = get_testdata_file(file_name, download=False)
        if image is None:
            print(f"{file_name} is missing: install the Python package pydicom-data.", file=sys.stderr)
            return 1
        code = run(["analyze", str(image), "--preset", preset, "--output", str(OUTPUT / folder), "--scene"])
        if code:
            return code
    print()
    print_probabilities()
    print("\nDone: both scenes were opened again and hold what was written. Look at")
    for _, _, _, folder in CASES:
        print(f"  {OUTPUT / folder / 'picture.png'}  and open  {OUTPUT / folder / 'scene.mrb'}  in 3D Slicer.")
    return 0


def print_probabilities() -> None:
    """Print the tables of probabilities of all cases as one."""
    rows = []
    for _, _, preset, folder in CASES:
        table = read_table(OUTPUT / folder / "probabilities.tsv")
        columns = (table[name].values for name in ("category", "probability", "lower", "upper", "notes"))
        for category, *numbers, note in zip(*columns, strict=True):
            shown = ["" if number != number else f"{number:.3f}" for number in numbers]
            rows.append((preset, category, *shown, note))
    print_table("Table of probabilities", ("preset", "category", "probability", "lower", "upper", "notes"), rows)


if __name__ == "__main__":
    sys.exit(main())
