"""End to end: seconds and peak memory from file to analysis, and what importing costs.

    python benchmarks/end_to_end.py [--runs 5] [--preset chest-xray] [IMAGE]

IMAGE is by default the chest radiograph of pydicom-data (1955 x 1841, 16 bit). Times are medians after imports, in one
process; memory is the growth of the process's peak over what it held after imports, as a multiple of the image.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import PACKAGE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--preset", default="chest-xray")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    image_path = options.image or demo_radiograph()
    print(f"{'what':44} {'figure':>12}")
    for row in (*timed_runs(image_path, options.preset, options.runs), *import_costs()):
        print(f"{row[0]:44} {row[1]:>12}")


def demo_radiograph() -> Path:
    from pydicom.data import get_testdata_file

    return Path(get_testdata_file("RG1_UNCR.dcm", download=False))


def timed_runs(image_path: Path, preset_name: str, runs: int) -> list[tuple[str, str]]:
    from MedImageAnalysisLib.image import read_image
    from MedImageAnalysisLib.pipeline import run
    from MedImageAnalysisLib.preset import load_preset

    preset = load_preset(preset_name)
    # The first run imports what is imported lazily; it is not counted.
    warm_up = run(read_image(image_path), preset)
    pixels = warm_up.image.pixels
    image_bytes = pixels.GetNumberOfPixels() * pixels.GetSizeOfPixelComponent()
    del warm_up
    reading, running = [], []
    for _ in range(runs):
        started = time.perf_counter()
        image = read_image(image_path)
        read = time.perf_counter()
        analysis = run(image, preset)
        running.append(time.perf_counter() - read)
        reading.append(read - started)
    stages: dict[str, float] = {}
    for step in analysis.provenance.steps:
        stages[step.stage] = stages.get(step.stage, 0.0) + step.seconds
    total = [sum(pair) for pair in zip(reading, running, strict=True)]
    growth = peak_growth(image_path, preset_name)
    return [
        (f"end to end, median of {runs}", f"{statistics.median(total):.2f} s"),
        ("  reading", f"{statistics.median(reading):.2f} s"),
        *((f"  {stage} (last run)", f"{seconds:.2f} s") for stage, seconds in stages.items()),
        ("peak memory above imports", f"{growth / 2**20:.0f} MiB"),
        (f"  as a multiple of the image ({image_bytes / 2**20:.1f} MiB)", f"{growth / image_bytes:.1f} x"),
    ]


def peak_growth(image_path: Path, preset_name: str) -> int:
    """Return the growth of the peak memory of a fresh process over what it held after imports, in bytes (Linux).

    A first run on the image shrunk by four imports and compiles what is imported and compiled lazily.
    """
    code = (
        "import sys; sys.path.insert(0, sys.argv[3]); import SimpleITK as sitk;"
        "from MedImageAnalysisLib.image import from_pixels, read_image; from MedImageAnalysisLib.pipeline import run;"
        "from MedImageAnalysisLib.preset import load_preset; p = load_preset(sys.argv[2]);"
        "image = read_image(sys.argv[1]); pixels = sitk.Shrink(image.pixels, [4] * image.pixels.GetDimension());"
        "run(from_pixels(pixels, image.info), p); del image, pixels;"
        # Writing 5 sets the peak back to what is held now; ru_maxrss would be inherited from the parent process.
        "open('/proc/self/clear_refs', 'w').write('5');"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) * 1024;"
        "before = peak(); run(read_image(sys.argv[1]), p); print(peak() - before)"
    )
    command = [sys.executable, "-c", code, str(image_path), preset_name, str(PACKAGE)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def import_costs() -> list[tuple[str, str]]:
    """Return what it costs to import the library and the pipeline on top of numpy and SimpleITK."""
    rows = []
    for module in ("MedImageAnalysisLib", "MedImageAnalysisLib.pipeline"):
        code = (
            "import sys, time; sys.path.insert(0, sys.argv[1]); import numpy, SimpleITK;"
            f"t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        )
        command = [sys.executable, "-c", code, str(PACKAGE)]
        seconds = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5)]
        rows.append((f"import {module}", f"{1000 * statistics.median(seconds):.0f} ms"))
    return rows


if __name__ == "__main__":
    main()
