"""Gray level distance zone matrix (GLDZM): how far zones of equal gray level lie from the border of the segment."""

from __future__ import annotations

from .definition import Family, Values
from .emphasis import EmphasisMatrices, register
from .region import Region
from .zones import merged

__all__ = ["FAMILY", "compute", "matrices"]

FAMILY = Family(
    "gldzm",
    "Gray level distance zone",
    reference="doi:10.1109/TBME.2013.2284600",
    words={"item": "zones", "property": "zone distances"},
)

register(
    FAMILY,
    (
        ("dzm_sde", "Small distance emphasis", "0GBI"),
        ("dzm_lde", "Large distance emphasis", "MB4I"),
        ("dzm_lgze", "Low gray level zone emphasis (by distance)", "S1RA"),
        ("dzm_hgze", "High gray level zone emphasis (by distance)", "K26C"),
        ("dzm_sdlge", "Small distance low gray level emphasis", "RUVG"),
        ("dzm_sdhge", "Small distance high gray level emphasis", "DKNJ"),
        ("dzm_ldlge", "Large distance low gray level emphasis", "A7WM"),
        ("dzm_ldhge", "Large distance high gray level emphasis", "KLTH"),
        ("dzm_glnu", "Gray level non-uniformity (by distance)", "VFT7"),
        ("dzm_glnu_norm", "Normalized gray level non-uniformity (by distance)", "7HP3"),
        ("dzm_zdnu", "Zone distance non-uniformity", "V294"),
        ("dzm_zdnu_norm", "Normalized zone distance non-uniformity", "IATH"),
        ("dzm_z_perc", "Zone percentage (by distance)", "VIWW"),
        ("dzm_gl_var", "Gray level variance (by distance)", "QK93"),
        ("dzm_zd_var", "Zone distance variance", "7WT1"),
        ("dzm_zd_entr", "Zone distance entropy", "GBDU"),
    ),
)


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(matrices(region))


def matrices(region: Region) -> EmphasisMatrices:
    """Return the distance zone matrices: of the volume, of all slices together (2.5D) or of each slice (2D)."""
    items, voxels = merged(region, [zones[:, [0, 2]] for zones in region.texture.zones_with_distances])
    return EmphasisMatrices.from_items(items, voxels)
