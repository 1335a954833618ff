"""Feature maps: CPU seconds per family for a 5 x 5 x 5 neighborhood over a region of 1e5 voxels, one thread.

    python benchmarks/feature_maps.py [--voxels 100000]

pyradiomics' users report 4 to 7 hours for a voxel-based extraction of this size.
"""

import argparse
import resource
import time

import numpy as np
import SimpleITK as sitk

import common  # noqa: F401  finds the package
from MedImageAnalysisLib.features.maps import feature_maps, mappable_features
from MedImageAnalysisLib.features.maps.families import MAPPABLE


def smooth_noise(voxels: int) -> sitk.Image:
    """Return a cube of correlated noise with about `voxels` voxels."""
    edge = round(voxels ** (1 / 3))
    noise = np.random.default_rng(0).normal(0, 1, (edge, edge, edge)).astype(np.float32)
    return sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(noise), 1.0)


def cpu_seconds(image: sitk.Image, names: list[str]) -> float:
    """Return the CPU time of one call for all `names`."""
    start = time.process_time()
    feature_maps(image, names, radius_voxels=2)
    return time.process_time() - start


def main() -> None:
    """Print one line per family: its first feature alone, and all of its features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=100_000, help="about so many; the default is 100,000")
    options = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = smooth_noise(options.voxels)
    print(f"{image.GetNumberOfPixels()} voxels, 32 gray levels")
    print(f"{'family':<10} {'features':>8} {'one, s':>8} {'all, s':>8}")
    total = 0.0
    for family in dict.fromkeys(feature.family for feature in MAPPABLE.values()):
        names = [name for name, feature in MAPPABLE.items() if feature.family == family]
        one, together = cpu_seconds(image, names[:1]), cpu_seconds(image, names)
        total += together
        print(f"{family:<10} {len(names):>8} {one:>8.2f} {together:>8.2f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"all {len(mappable_features())} maps: {total:.1f} s; peak memory of the process {peak:.0f} MB")


if __name__ == "__main__":
    main()
