"""Image descriptors: fixed, documented ways to turn a 2D image into numbers that a linear model can weigh."""

from .descriptor import DESCRIPTORS, ImageDescriptor

__all__ = ["DESCRIPTORS", "ImageDescriptor"]
