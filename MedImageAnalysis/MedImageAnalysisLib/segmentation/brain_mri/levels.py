"""Which intensities are brain tissue, told by what lies well inside a first, rough brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...errors import UnsupportedImageError
from ...imaging.pixels import view

__all__ = ["TissueLevels", "tissue_levels"]

# Deeper inside than the first of these of which enough is left, there is brain for certain.
_CORE_DEPTHS_MM = (6.0, 1.5)
_LEAST_CORE_VOXELS = 6000
# Dark, median, bright, and fluid if that is bright. Vessels full of contrast agent have fewer voxels than are brighter
# than "bright", fluid in T2 has more.
_PERCENTILES = (2.0, 50.0, 97.0, 99.5)
# Bright fluid is brighter than tissue by this factor at least, and begins here between median and fluid.
_BRIGHT_FLUID_FACTOR, _BRIGHT_FLUID_SHARE = 1.45, 0.4
# The brightest tissue is farther from the median than "bright" by this factor.
_BRIGHTEST_FACTOR = 1.3
# Where little fluid was met, the darkest voxels are not fluid: it has at most this share of the median.
_MOST_FLUID_SHARE = 0.3
# Where gray matter begins between fluid and median, as a share of the fraction that is asked for.
_LEAST_SHARE = 0.6
# Fat and vessels are brighter than the brightest tissue by this share, and than gray matter in FLAIR by this factor.
_BEYOND_SHARE, _BEYOND_FACTOR = 0.5, 1.6


@dataclass(frozen=True)
class TissueLevels:
    """Gray and white matter lie between `least` and `most`, hardly any above `brightest`.

    Fluid is darker, or brighter as in T2.
    """

    least: float
    most: float
    brightest: float
    fluid_is_bright: bool

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Return which intensities are those of gray or white matter, as a boolean array."""
        return (values > self.least) & (values < self.most)


def tissue_levels(image: sitk.Image, outside: np.ndarray, threshold: float, fraction: float) -> TissueLevels:
    """Estimate the intensities of brain tissue.

    Parameters
    ----------
    image : sitk.Image
    outside : numpy.ndarray
        Distance of each voxel to a rough brain in mm, negative within it.
    threshold : float
        Between background and head.
    fraction : float
        Where the border lies between background (0) and brain (1).

    Raises
    ------
    UnsupportedImageError
        If nothing is inside the rough brain.
    """
    values = view(image)
    for depth in _CORE_DEPTHS_MM:
        core = values[(outside < -depth) & (values > threshold)]
        if core.size >= _LEAST_CORE_VOXELS:
            break
    if core.size == 0:
        raise UnsupportedImageError("No brain was found in this image: is it an MRI of the whole head?")
    # From the least value on, so that an offset of the intensities changes nothing.
    zero = float(values.min())
    dark, median, bright, fluid = (float(value) - zero for value in np.percentile(core, _PERCENTILES))
    brightest = median + _BRIGHTEST_FACTOR * (bright - median)
    # Fluid is few, and far from the median on one side.
    fluid_is_bright = bright - median > median - dark and bright > _BRIGHT_FLUID_FACTOR * median
    if fluid_is_bright:
        least, most = fraction * median, median + _BRIGHT_FLUID_SHARE * (fluid - median)
    else:
        fluid = min(dark, _MOST_FLUID_SHARE * median)
        least = fluid + _LEAST_SHARE * fraction * (median - fluid)
        most = max(bright + _BEYOND_SHARE * (bright - median), _BEYOND_FACTOR * median)
    return TissueLevels(zero + least, zero + most, zero + brightest, fluid_is_bright)
