"""Images as files, written aside and then renamed."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from ..errors import ExportError
from .atomic import replacing

__all__ = ["write_image"]


def write_image(image: sitk.Image, path: Path) -> Path:
    """Write an image, compressed, in the format of the file's ending; return the path.

    Raises
    ------
    ExportError
        If the file cannot be written.
    """
    with replacing(path) as aside:
        try:
            sitk.WriteImage(image, str(aside), useCompression=True)
        except RuntimeError as problem:
            raise ExportError(f"{path.name} could not be written: {problem}") from problem
    return path
