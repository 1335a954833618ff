"""Cardiac MRI: ventricles on short-axis images."""
