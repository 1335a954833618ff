"""The errors this package raises on purpose, one family under one base.

Every message says what is wrong, where, and what the user can do about it, in words that make sense in a
message box. Anything that is not a :class:`MedImageError` is a defect of this package.
"""

__all__ = [
    "MedImageError",
    "UnreadableImageError",
    "UnsupportedImageError",
    "GeometryError",
    "InvalidSettingError",
    "UnknownNameError",
    "UnsuitablePresetError",
    "InvalidModelError",
    "MissingPackageError",
    "ExportError",
    "Cancelled",
]


class MedImageError(Exception):
    """Base of all errors that a user can understand and act on."""


class UnreadableImageError(MedImageError):
    """The file or folder cannot be read: missing, damaged, truncated, empty, or not an image."""


class UnsupportedImageError(MedImageError):
    """The image was read but is of a kind that is not handled, e.g. a 4D series or color where gray is needed."""


class GeometryError(MedImageError):
    """Positions, spacing, orientation or sizes are inconsistent, e.g. missing slices or a mismatched mask."""


class InvalidSettingError(MedImageError):
    """A parameter, preset file or record holds a value that is not allowed."""


class UnknownNameError(MedImageError):
    """A step, method, feature, model or preset was asked for by a name that is not registered."""


class UnsuitablePresetError(MedImageError):
    """The preset is not meant for this image, e.g. a 3D preset for a radiograph."""


class InvalidModelError(MedImageError):
    """A recognition model is malformed, unsafe, or does not fit its own description."""


class MissingPackageError(MedImageError):
    """An optional Python package is needed; the message says which and how to get it."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> "MissingPackageError":
        """Build the error for `package`, which the optional extra `extra` provides."""
        return cls(
            f"{purpose} needs the Python package '{package}', which is not installed. "
            f'Install it with: pip install "medimageanalysis[{extra}]" '
            f"(in 3D Slicer's Python console: slicer.util.pip_install('{package}'))."
        )


class ExportError(MedImageError):
    """A result could not be written, or did not read back as it was written."""


class Cancelled(MedImageError):
    """The user asked to stop; nothing was changed."""
