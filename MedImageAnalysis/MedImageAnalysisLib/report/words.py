"""An analysis in words that a clinician reads, the same in the GUI, on the command line and in pictures."""

from __future__ import annotations

import math

from ..analysis import Measurement, Recognition

__all__ = ["NOTICE", "measurement_words", "percent", "recognition_words"]

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


def percent(probability: float) -> str:
    """Say a probability in percent; nothing but certainty is 0 % or 100 %."""
    if 0 < probability < 0.01:
        return "<1 %"
    if 0.99 < probability < 1:
        return ">99 %"
    return f"{100 * probability:.0f} %"
