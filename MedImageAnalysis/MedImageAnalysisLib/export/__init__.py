"""Ways out without Slicer: tables, segmentation, record and picture as files, each written aside and then renamed."""
