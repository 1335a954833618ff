"""Image files that are not DICOM: how each format is recognized, checked and read."""
