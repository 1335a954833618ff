"""Convolutional filters of IBSI-2 (arXiv:2006.05470) whose response maps are images to extract features from."""

from .bank import FilterResponse, filter_bank_responses
from .extraction import extract_filtered, side_by_side
from .filter import BOUNDARIES, FILTERS, POOLINGS, ImageFilter

__all__ = [
    "BOUNDARIES",
    "FILTERS",
    "POOLINGS",
    "FilterResponse",
    "ImageFilter",
    "extract_filtered",
    "filter_bank_responses",
    "side_by_side",
]
