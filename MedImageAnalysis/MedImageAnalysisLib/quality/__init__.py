"""Quality control beside every result: findings in red, amber and green, with reasons."""

from .assess import assess, overall
from .check import CHECKS, QualityCase, QualityCheck

__all__ = ["CHECKS", "QualityCase", "QualityCheck", "assess", "overall"]
