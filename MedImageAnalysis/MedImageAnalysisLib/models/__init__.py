"""Recognition models that ship with the package: one folder each, see MedImageAnalysisLib.recognition.library."""
