"""The same numbers to the last bit, however many threads the linear algebra library may use."""

import os
import subprocess
import sys

CODE = """
import numpy as np, SimpleITK as sitk
from MedImageAnalysisLib.analysis import Segmentation
from MedImageAnalysisLib.features import FeatureSettings, extract
from MedImageAnalysisLib.terminology import generic_segment
pixels = np.random.default_rng(0).integers(0, 60000, (300, 400), dtype=np.uint16)
mask = np.ones(pixels.shape, np.uint8)
segmentation = Segmentation((sitk.GetImageFromArray(mask),), (generic_segment("All", 1),))
print(extract(sitk.GetImageFromArray(pixels), segmentation, FeatureSettings()).values.tobytes().hex())
"""


def features_with(threads):
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", CODE]
    return subprocess.run(command, env=os.environ | limits, capture_output=True, text=True, check=True).stdout


def test_features_of_sixty_thousand_distinct_intensities_do_not_depend_on_threads():
    assert features_with(1) == features_with(4)
