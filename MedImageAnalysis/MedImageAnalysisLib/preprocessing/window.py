"""Linear changes of brightness and contrast: windows, percentile rescaling, brightness and contrast, gamma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import InvalidSettingError
from ..imaging.histogram import percentiles
from ..imaging.pixels import as_float, image_like, view
from ..parameters import parameter
from ..progress import Progress, run_filter
from .scalar_step import ScalarStep
from .step import STEPS

__all__ = ["TISSUE_WINDOWS", "BrightnessContrast", "Gamma", "PercentileRescale", "TissueWindow", "Window"]

# Center and width in HU, as radiology departments use them.
TISSUE_WINDOWS = {
    "abdomen": (40.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "liver": (60.0, 160.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (40.0, 400.0),
    "spine": (50.0, 250.0),
    "stroke": (40.0, 40.0),
    "subdural": (75.0, 215.0),
}


def _windowed(image: sitk.Image, lower: float, upper: float, low: float, high: float, progress: Progress) -> sitk.Image:
    """Map [lower, upper] linearly to [low, high], values outside to the nearer end."""
    window = sitk.IntensityWindowingImageFilter()
    window.SetWindowMinimum(lower)
    window.SetWindowMaximum(upper)
    window.SetOutputMinimum(low)
    window.SetOutputMaximum(high)
    return run_filter(window, as_float(image), progress=progress)


@STEPS.register
@dataclass(frozen=True)
class Window(ScalarStep):
    """Map the values from lower to upper linearly onto the output range; values outside go to its ends."""

    name = "window"
    title = "Intensity window"
    lower: float = parameter(0.0, "Value that becomes the output minimum.")
    upper: float = parameter(1.0, "Value that becomes the output maximum.")
    output_minimum: float = parameter(0.0, "Smallest value of the result.")
    output_maximum: float = parameter(1.0, "Largest value of the result.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_order(self, "lower", "upper")
        _require_order(self, "output_minimum", "output_maximum")

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        return _windowed(image, self.lower, self.upper, self.output_minimum, self.output_maximum, progress)


@STEPS.register
@dataclass(frozen=True)
class TissueWindow(ScalarStep):
    """Show a tissue of CT at its usual window and map it onto the output range, ``center -/+ width / 2`` in HU.

    References
    ----------
    Window center and width: DICOM PS3.3 C.11.2.1.2.
    """

    name = "tissue-window"
    title = "CT window by tissue"
    tissue: str = parameter("abdomen", "Which tissue the window is for.", choices=tuple(TISSUE_WINDOWS))
    output_minimum: float = parameter(0.0, "Smallest value of the result.")
    output_maximum: float = parameter(1.0, "Largest value of the result.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_order(self, "output_minimum", "output_maximum")

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        center, width = TISSUE_WINDOWS[self.tissue]
        lower, upper = center - width / 2, center + width / 2
        return _windowed(image, lower, upper, self.output_minimum, self.output_maximum, progress)


@STEPS.register
@dataclass(frozen=True)
class PercentileRescale(ScalarStep):
    """Map two percentiles of the image linearly onto the output range; values outside go to its ends.

    A constant image becomes the output minimum.
    """

    name = "percentile-rescale"
    title = "Rescale by percentiles"
    lower_percentile: float = parameter(
        1.0, "Percentile that becomes the output minimum.", unit="%", minimum=0, maximum=100
    )
    upper_percentile: float = parameter(
        99.0, "Percentile that becomes the output maximum.", unit="%", minimum=0, maximum=100
    )
    output_minimum: float = parameter(0.0, "Smallest value of the result.")
    output_maximum: float = parameter(1.0, "Largest value of the result.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_order(self, "lower_percentile", "upper_percentile")
        _require_order(self, "output_minimum", "output_maximum")

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        values = view(image)
        lower, upper = percentiles(values, (self.lower_percentile, self.upper_percentile))
        if lower == upper:
            # Nearly all pixels are equal, as in a mask: the whole range then is the only contrast there is.
            lower, upper = float(values.min()), float(values.max())
        if lower == upper:
            return image_like(np.full(values.shape, self.output_minimum, np.float32), image)
        return _windowed(image, lower, upper, self.output_minimum, self.output_maximum, progress)


@STEPS.register
@dataclass(frozen=True)
class BrightnessContrast(ScalarStep):
    """Change contrast about the middle of the range, then brightness: ``I' = c (I - m) + m + b (max - min)``."""

    name = "brightness-contrast"
    title = "Brightness and contrast"
    brightness: float = parameter(0.0, "Shift, as a share of the image's range.", minimum=-1, maximum=1)
    contrast: float = parameter(1.0, "Factor; above 1 is more contrast.", minimum=0, maximum=100)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        values = view(image)
        lowest, highest = float(values.min()), float(values.max())
        middle = (lowest + highest) / 2
        change = sitk.ShiftScaleImageFilter()
        change.SetOutputPixelType(sitk.sitkFloat32)
        change.SetScale(self.contrast)
        if self.contrast == 0:
            return image_like(np.full(values.shape, middle + self.brightness * (highest - lowest), np.float32), image)
        # ITK computes (I + shift) * scale.
        change.SetShift((middle + self.brightness * (highest - lowest)) / self.contrast - middle)
        return run_filter(change, image, progress=progress)


@STEPS.register
@dataclass(frozen=True)
class Gamma(ScalarStep):
    """Bend the range of the image: ``I' = min + (max - min) ((I - min) / (max - min))^gamma``."""

    name = "gamma"
    title = "Gamma"
    gamma: float = parameter(1.0, "Below 1 brightens dark parts, above 1 darkens them.", minimum=0.01, maximum=100)

    def _apply(self, image: sitk.Image, progress: Progress) -> sitk.Image:
        values = view(image)
        lowest, width = float(values.min()), float(values.max()) - float(values.min())
        if width == 0:
            return as_float(image)
        unit = values.astype(np.float32)
        unit -= np.float32(lowest)
        unit *= np.float32(1 / width)
        np.clip(unit, 0, 1, out=unit)
        progress.step(fraction=0.3)
        np.power(unit, np.float32(self.gamma), out=unit)
        unit *= np.float32(width)
        unit += np.float32(lowest)
        return image_like(unit, image)


def _require_order(step: ScalarStep, lower: str, upper: str) -> None:
    if getattr(step, lower) >= getattr(step, upper):
        raise InvalidSettingError(
            f"{step.name}: '{lower}' ({getattr(step, lower):g}) must be below '{upper}' ({getattr(step, upper):g})."
        )
