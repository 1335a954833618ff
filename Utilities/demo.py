"""Analyze two real radiographs of the PyPI package pydicom-data and leave everything in demo-output/."""

from __future__ import annotations

import sys
from pathlib import Path

from pydicom.data import get_testdata_file

from MedImageAnalysisLib.cli import run

OUTPUT = Path(__file__).resolve().parents[1] / "demo-output"

# Title, file in pydicom-data, preset, folder of the results.
CASES = (
    ("Chest radiograph (CR CHEST, 1955 x 1841, MONOCHROME1)", "RG1_UNCR.dcm", "chest-xray", "chest"),
    ("Ankle radiograph (CR EXTREMITY, 1760 x 1760, MONOCHROME1)", "RG3_UNCR.dcm", "bone-xray", "extremity"),
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
    print(f"\nDone. Look at {OUTPUT}/chest/picture.png first, then open {OUTPUT}/chest/scene.mrb in 3D Slicer.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
