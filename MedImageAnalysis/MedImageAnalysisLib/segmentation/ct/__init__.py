"""Computed tomography: chest, bones, heart and head."""
