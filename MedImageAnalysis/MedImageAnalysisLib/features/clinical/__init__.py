"""Clinical measurements by published definition: cardiothoracic ratio, volumes, scores; one file per anatomy."""

from .measure import MEASURES, ClinicalMeasure

__all__ = ["MEASURES", "ClinicalMeasure"]
