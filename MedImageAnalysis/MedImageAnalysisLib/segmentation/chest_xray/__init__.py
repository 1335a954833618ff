"""Frontal chest radiographs: lungs and heart."""
