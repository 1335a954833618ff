"""What several benchmarks share. Imported first, it lets them find the package in this checkout."""

import sys
from pathlib import Path

__all__ = ["PACKAGE", "REPOSITORY"]

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "MedImageAnalysis"

sys.path.insert(0, str(PACKAGE))
