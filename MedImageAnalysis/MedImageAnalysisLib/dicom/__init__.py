"""DICOM in and out. Needs pydicom, which 3D Slicer bundles and the extra `dicom` installs."""
