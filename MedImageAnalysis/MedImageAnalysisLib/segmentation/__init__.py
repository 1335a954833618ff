"""Stage 2, segment: generic methods, and one file per anatomy."""

from .method import METHODS, SegmentationMethod

__all__ = ["METHODS", "SegmentationMethod"]
