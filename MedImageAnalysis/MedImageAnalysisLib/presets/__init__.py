"""The presets that ship with the package, one JSON file each; read by :mod:`MedImageAnalysisLib.preset`."""
