"""Pixel classification of pictures by a fixed filter bank and small perceptrons, shared by several anatomies."""
