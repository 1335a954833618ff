"""The Python packages that Slicer does not bundle."""

from __future__ import annotations

import subprocess

import slicer
from slicer.i18n import tr as _

from ..errors import MissingPackageError
from ..software import installed_version

__all__ = ["ensure_packages"]


def ensure_packages(requirements_path: str) -> None:
    """Install what is missing, after asking.

    Raises
    ------
    MissingPackageError
        If the user declines, or the installation fails.
    """
    try:
        from slicer.packaging import load_requirements, pip_ensure
    except ImportError:  # Slicer 5.10
        if not installed_version("scikit-image"):
            slicer.util.pip_install(["-r", requirements_path])
        return
    try:
        pip_ensure(load_requirements(requirements_path), requester="MedImageAnalysis")
    except (RuntimeError, subprocess.CalledProcessError) as failure:  # declined by the user, or pip failed
        raise MissingPackageError.of("scikit-image", "all", _("The analysis")) from failure
