"""How features are computed: which families, on which gray levels, in which dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import InvalidSettingError
from ..parameters import Configurable, parameter

__all__ = ["FAMILIES", "FeatureSettings"]

FAMILIES = (
    "shape",
    "autocorrelation",
    "local-intensity",
    "intensity",
    "histogram",
    "ivh",
    "glcm",
    "glrlm",
    "glszm",
    "gldzm",
    "ngtdm",
    "ngldm",
)

# What the standard calls an aggregation needs several slices or directions to aggregate.
_AGGREGATIONS = {
    "2D": ("averaged", "slice-merged"),
    "2.5D": ("direction-merged", "merged"),
    "3D": ("averaged", "merged"),
}
_PYRADIOMICS_AGGREGATIONS = {"2.5D": ("direction-merged",), "3D": ("averaged",)}


@dataclass(frozen=True)
class FeatureSettings(Configurable):
    """Which features to compute, and how. The defaults suit images without calibrated intensities."""

    name: ClassVar[str] = "features"
    title: ClassVar[str] = "Extract features"

    families: tuple[str, ...] = parameter(FAMILIES, "Families of features to compute.", choices=FAMILIES)
    profile: str = parameter(
        "ibsi",
        "Whose definitions: the IBSI standard, or those of pyradiomics (with its 107 features and names).",
        choices=("ibsi", "pyradiomics"),
    )
    discretization: str = parameter(
        "bin-number",
        "How intensities become gray levels: a fixed number of bins, a fixed bin width, or as they are (none).",
        choices=("bin-number", "bin-width", "none"),
    )
    bin_number: int = parameter(32, "Number of gray levels of the fixed bin number.", minimum=2, maximum=2048)
    bin_width: float = parameter(25.0, "Width of a gray level, in units of intensity.", minimum=1e-12)
    ivh_discretization: str = parameter(
        "bin-number",
        "The same choice for the intensity-volume histogram; 'none' suits calibrated intensities such as HU.",
        choices=("bin-number", "bin-width", "none"),
    )
    ivh_bin_number: int = parameter(1000, "Number of bins of the intensity-volume histogram.", minimum=2)
    ivh_bin_width: float = parameter(2.5, "Bin width of the intensity-volume histogram.", minimum=1e-12)
    dimension: str = parameter(
        "3D",
        "Texture within each slice (2D), within slices but counted together (2.5D), or across slices (3D). "
        "A radiograph has one slice, so all three mean the same.",
        choices=tuple(_AGGREGATIONS),
    )
    aggregation: str = parameter(
        "merged",
        "Whether co-occurrence and run length features are averaged over directions (and slices), or computed from "
        "counts merged over directions, slices or both.",
        choices=("averaged", "slice-merged", "direction-merged", "merged"),
    )
    distance: int = parameter(
        1, "How far neighbors are in co-occurrences and neighborhoods.", unit="voxel", minimum=1, maximum=10
    )
    norm: str = parameter(
        "chebyshev",
        "How that distance is measured: the neighborhood is a cube (chebyshev) or a diamond (manhattan).",
        choices=("chebyshev", "manhattan"),
    )
    dependence_tolerance: int = parameter(
        0, "Largest difference of gray levels that counts as dependent (NGLDM).", minimum=0
    )
    resegmentation_minimum: float | None = parameter(
        None, "Voxels below this intensity are left out of all but the shape features."
    )
    resegmentation_maximum: float | None = parameter(
        None, "Voxels above this intensity are left out of all but the shape features."
    )
    outlier_sigma: float | None = parameter(
        None, "Voxels further from the mean than this many standard deviations are left out likewise.", minimum=0.1
    )
    spacing: tuple[float, ...] = parameter(
        (),
        "Resample to this spacing along x, y (and z) first; 0 keeps an axis as it is; empty keeps all.",
        unit="mm",
        minimum=0.0,
    )
    image_interpolation: str = parameter(
        "linear", "How intensities are interpolated when resampling.", choices=("nearest", "linear", "cubic-spline")
    )
    mask_interpolation: str = parameter(
        "linear",
        "How the segment is interpolated: voxels that are at least half inside belong to it (linear).",
        choices=("nearest", "linear"),
    )
    round_intensities: bool = parameter(False, "Round resampled intensities to whole numbers, as is usual for CT.")
    intensity_shift: float = parameter(
        0.0, "Added to intensities in energy and root mean square (voxelArrayShift; pyradiomics profile only)."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        allowed = (_PYRADIOMICS_AGGREGATIONS if self.profile == "pyradiomics" else _AGGREGATIONS).get(
            self.dimension, ()
        )
        if not allowed:
            raise InvalidSettingError("features: with 'profile' pyradiomics, 'dimension' must be 3D or 2.5D (force2D).")
        if self.aggregation not in allowed:
            raise InvalidSettingError(
                f"features: with 'profile' {self.profile} and 'dimension' {self.dimension}, 'aggregation' must be one "
                f"of {', '.join(allowed)}, but is {self.aggregation!r}."
            )
        if len(self.spacing) not in (0, 2, 3):
            raise InvalidSettingError("features: 'spacing' must have 2 or 3 values (x, y and z), or none.")
        low, high = self.resegmentation_minimum, self.resegmentation_maximum
        if low is not None and high is not None and low >= high:
            raise InvalidSettingError(
                f"features: 'resegmentation_minimum' ({low:g}) must be below 'resegmentation_maximum' ({high:g})."
            )
