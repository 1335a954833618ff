"""Gray level size zone matrix (GLSZM): how large the connected zones of equal gray level are."""

from __future__ import annotations

from .definition import Family, Values
from .emphasis import EmphasisMatrices, register
from .region import Region
from .zones import merged

__all__ = ["FAMILY", "compute", "matrices"]

FAMILY = Family(
    "glszm",
    "Gray level size zone",
    reference="doi:10.1109/TBME.2013.2284600",
    words={"item": "zones", "property": "zone sizes"},
)

register(
    FAMILY,
    (
        ("szm_sze", "Small zone emphasis", "5QRC"),
        ("szm_lze", "Large zone emphasis", "48P8"),
        ("szm_lgze", "Low gray level zone emphasis", "XMSY"),
        ("szm_hgze", "High gray level zone emphasis", "5GN9"),
        ("szm_szlge", "Small zone low gray level emphasis", "5RAI"),
        ("szm_szhge", "Small zone high gray level emphasis", "HW1V"),
        ("szm_lzlge", "Large zone low gray level emphasis", "YH51"),
        ("szm_lzhge", "Large zone high gray level emphasis", "J17V"),
        ("szm_glnu", "Zone gray level non-uniformity", "JNSA"),
        ("szm_glnu_norm", "Normalized zone gray level non-uniformity", "Y1RO"),
        ("szm_zsnu", "Zone size non-uniformity", "4JP3"),
        ("szm_zsnu_norm", "Normalized zone size non-uniformity", "VB3A"),
        ("szm_z_perc", "Zone percentage", "P30P"),
        ("szm_gl_var", "Zone gray level variance", "BYLV"),
        ("szm_zs_var", "Zone size variance", "3NSA"),
        ("szm_zs_entr", "Zone size entropy", "GU8N"),
    ),
)


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(matrices(region))


def matrices(region: Region) -> EmphasisMatrices:
    """Return the size zone matrices: of the volume, of all slices together (2.5D) or of each slice (2D)."""
    items, voxels = merged(region, region.texture.zones)
    return EmphasisMatrices.from_items(items, voxels)
