"""Stage 2, segment: generic methods, and one folder or file per anatomy."""

from .method import METHODS, SegmentationMethod

__all__ = ["METHODS", "SegmentationMethod"]
