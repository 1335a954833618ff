"""CPU seconds and peak memory of the full feature set, side by side with pyradiomics where it is installed.

    python benchmarks/features_speed.py [--data FOLDER] [--runs 5] [--rounds 3] [--peer PYTHON] [CASE ...]

Seven families (shape, first order, GLCM, GLRLM, GLSZM, NGLDM/GLDM, NGTDM), 3D, bin width 25, one thread. PYTHON is the
interpreter of an environment in which pyradiomics is built; without it, ratios are to the times that pyradiomics took
when it was measured for this project (2 cores, CPU seconds, medians), so they hold for a like machine only. Each figure
is the median over runs in one process (at least half a second of them), after a first that is not counted; of several
rounds, in which the sides take turns so that a busy minute hits them all, it is the least. The memory is the peak of
the whole process, imports and images included.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import PACKAGE
from common.data import add_data_option

# Medians measured once with pyradiomics built from its main branch.
PYRADIOMICS_SECONDS = {"breast1": 0.0145, "brain1": 0.118, "ct phantom": 0.885, "ball in 256^3": 7.83}

BACKENDS = ("numpy", "numba")
PROFILES = ("pyradiomics", "ibsi")

_OURS = """
import json, sys, time
import SimpleITK as sitk
from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.features import FeatureSettings, extract
image, labels = sitk.ReadImage(sys.argv[1]), sitk.ReadImage(sys.argv[2])
families = ("shape", "intensity", "glcm", "glrlm", "glszm", "ngldm", "ngtdm")
settings = FeatureSettings(families, profile=sys.argv[4], aggregation="averaged", discretization="bin-width")
segmentation = Segmentation((labels,), (Segment("region", 1, (1.0, 0.0, 0.0)),))
work = lambda: extract(image, segmentation, settings)
"""

_PYRADIOMICS = """
import json, logging, sys, time
import SimpleITK as sitk
import radiomics
from radiomics.featureextractor import RadiomicsFeatureExtractor
radiomics.setVerbosity(logging.CRITICAL)
image, labels = sitk.ReadImage(sys.argv[1]), sitk.ReadImage(sys.argv[2])
extractor = RadiomicsFeatureExtractor(binWidth=25, additionalInfo=False)
extractor.disableAllFeatures()
for name in ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"):
    extractor.enableFeatureClassByName(name)
work = lambda: extractor.execute(image, labels)
"""

_TIMED = """
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
work()
seconds, begun = [], time.process_time()
# A small region is done so soon that a few runs would measure the clock and cold caches.
while len(seconds) < int(sys.argv[3]) or time.process_time() - begun < 0.5:
    started = time.process_time()
    work()
    seconds.append(time.process_time() - started)
# Linux's own count of the peak: getrusage would count what the parent held when it started this process.
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
peak = int(status["VmHWM"].split()[0]) / 1024
print(json.dumps({"seconds": sorted(seconds)[len(seconds) // 2], "megabytes": peak}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(PYRADIOMICS_SECONDS)}; default: all")
    add_data_option(parser)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1, help="how often the sides take turns; default: once")
    parser.add_argument("--peer", help="Python interpreter with pyradiomics")
    options = parser.parse_args()
    print(f"{'case':16}{'voxels':>9}  {'what':22}{'CPU s':>9}{'ratio':>8}{'MB':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases or PYRADIOMICS_SECONDS:
            report(case, Path(folder), options)
    print(
        f"start-up (import and all features of one voxel, beyond importing SimpleITK): {start_up_seconds():.2f} s CPU"
    )


def report(case: str, folder: Path, options: argparse.Namespace) -> None:
    """Print the rows of one case."""
    image, labels, voxels = written_case(case, options.data, folder)
    arguments = (image, labels, options.runs)
    sides = {
        f"{backend}, {profile}": functools.partial(
            timed, sys.executable, _OURS, *arguments, profile, MEDIMAGE_COUNTS=backend
        )
        for backend in BACKENDS
        for profile in PROFILES
    }
    if options.peer:
        sides = {"pyradiomics": functools.partial(timed, options.peer, _PYRADIOMICS, *arguments), **sides}
    found = {what: [] for what in sides}
    for _ in range(options.rounds):
        for what, time_it in sides.items():
            found[what].append(time_it())
    seconds = {what: min(each["seconds"] for each in rounds) for what, rounds in found.items()}
    peer = seconds.get("pyradiomics", PYRADIOMICS_SECONDS[case])
    if not options.peer:
        print(f"{case:16}{voxels:9}  {'pyradiomics (table)':22}{peer:9.4f}{1:8.1f}")
    for what, rounds in found.items():
        name = f"{case:16}{voxels:9}" if what == "pyradiomics" else " " * 25
        peak = max(each["megabytes"] for each in rounds)
        print(f"{name}  {what:22}{seconds[what]:9.4f}{peer / seconds[what]:8.1f}{peak:7.0f}", flush=True)


def timed(python: str, code: str, *arguments: object, **variables: str) -> dict[str, float]:
    """Run one side in a process of its own, single-threaded."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, **variables, "PYTHONPATH": str(PACKAGE)}
    command = [python, "-W", "ignore", "-c", code + _TIMED, *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def written_case(case: str, data: Path, folder: Path) -> tuple[Path, Path, int]:
    """Write image and labels (uint8, region 1) of a case; return their paths and the number of voxels."""
    import SimpleITK as sitk

    if case == "ball in 256^3":
        image, labels = ball()
    else:
        brain = {name: (f"mr_brain/{name}_image.nrrd", f"mr_brain/{name}_label.nrrd") for name in ("breast1", "brain1")}
        phantom = "radiomics/ct_radiomics_phantom"
        paths = {**brain, "ct phantom": (f"{phantom}/phantom.nii.gz", f"{phantom}/mask.nii.gz")}
        image, labels = (sitk.ReadImage(str(data / path)) for path in paths[case])
    labels = sitk.Cast(labels > 0, sitk.sitkUInt8)
    found = folder / f"{case}.image.mha", folder / f"{case}.labels.mha"
    for each, path in zip((image, labels), found, strict=True):
        sitk.WriteImage(each, str(path))
    return *found, int(sitk.GetArrayViewFromImage(labels).sum())


def ball():
    """Return a ball of a million voxels in a volume of 256^3, with smooth structures and noise like a CT."""
    import numpy as np
    import SimpleITK as sitk

    rng = np.random.default_rng(0)
    coarse = sitk.GetImageFromArray(rng.normal(0, 150, (32, 32, 32)).astype(np.float32))
    coarse.SetSpacing((8.0,) * 3)
    grid = sitk.Image([256] * 3, sitk.sitkFloat32)
    smooth = sitk.GetArrayFromImage(sitk.Resample(coarse, grid, sitk.Transform(), sitk.sitkLinear))
    pixels = (smooth + rng.normal(0, 40, smooth.shape)).astype(np.int16)
    z, y, x = np.ogrid[:256, :256, :256]
    inside = (z - 127.5) ** 2 + (y - 127.5) ** 2 + (x - 127.5) ** 2 <= 62.03**2
    return sitk.GetImageFromArray(pixels), sitk.GetImageFromArray(inside.astype(np.uint8))


def start_up_seconds() -> float:
    """Return the median CPU time of a fresh process from after importing SimpleITK to the features of one voxel."""
    code = (
        "import time; import SimpleITK as sitk, numpy as np; started = time.process_time()\n"
        "from MedImageAnalysisLib.analysis import Segment, Segmentation\n"
        "from MedImageAnalysisLib.features import extract\n"
        "image = sitk.Image([3, 3, 3], sitk.sitkUInt8); image[1, 1, 1] = 1\n"
        "extract(image, Segmentation((image,), (Segment('dot', 1, (1.0, 0.0, 0.0)),)))\n"
        "print(time.process_time() - started)"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    runs = [float(subprocess.run(command, env=environment, capture_output=True, text=True).stdout) for _ in range(5)]
    return sorted(runs)[2]


if __name__ == "__main__":
    main()
