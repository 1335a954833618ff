"""An analysis in words that a clinician reads, the same in the GUI, on the command line and in pictures."""

from __future__ import annotations

import math

from ..analysis import Measurement, Recognition
from ..percent import percent

__all__ = ["NOTICE", "measurement_words", "recognition_words"]

NOTICE = "For research use only. Not a medical device; not for clinical decisions."


def measurement_words(measurement: Measurement) -> str:
    """Say a measurement with its unit, or why it was not made."""
    if math.isnan(measurement.value):
        return f"{measurement.title}: not measured. {measurement.reason}"
    unit = "" if measurement.unit in ("", "1") else f" {measurement.unit}"
    return f"{measurement.title}: {measurement.value:.4g}{unit}"


def recognition_words(recognition: Recognition) -> str:
    """Say what was recognized, or why nothing was assessed."""
    if not recognition.assessed:
        return f"{recognition.title}: not assessed. {recognition.reason}"
    if recognition.summary:
        return recognition.summary
    best = max(recognition.categories, key=lambda row: row.probability)
    return f"{recognition.title}: {best.category} ({percent(best.probability)})."
