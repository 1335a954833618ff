"""Neighboring gray level dependence matrix (NGLDM): how many neighbors have the gray level of a voxel."""

from __future__ import annotations

import numpy as np

from .definition import Family, Values
from .emphasis import EmphasisMatrices, register
from .region import Region

__all__ = ["FAMILY", "compute", "matrices"]

FAMILY = Family(
    "ngldm",
    "Neighboring gray level dependence",
    reference="doi:10.1016/0734-189X(83)90032-4",
    words={"item": "dependences", "property": "dependence counts"},
)

register(
    FAMILY,
    (
        ("ngl_lde", "Low dependence emphasis", "SODN"),
        ("ngl_hde", "High dependence emphasis", "IMOQ"),
        ("ngl_lgce", "Low gray level count emphasis", "TL9H"),
        ("ngl_hgce", "High gray level count emphasis", "OAE7"),
        ("ngl_ldlge", "Low dependence low gray level emphasis", "EQ3F"),
        ("ngl_ldhge", "Low dependence high gray level emphasis", "JA6D"),
        ("ngl_hdlge", "High dependence low gray level emphasis", "NBZI"),
        ("ngl_hdhge", "High dependence high gray level emphasis", "9QMG"),
        ("ngl_glnu", "Dependence gray level non-uniformity", "FP8K"),
        ("ngl_glnu_norm", "Normalized dependence gray level non-uniformity", "5SPA"),
        ("ngl_dcnu", "Dependence count non-uniformity", "Z87G"),
        ("ngl_dcnu_norm", "Normalized dependence count non-uniformity", "OKJI"),
        ("ngl_dc_perc", "Dependence count percentage", "6XV8"),
        ("ngl_gl_var", "Dependence gray level variance", "1PFV"),
        ("ngl_dc_var", "Dependence count variance", "DNX2"),
        ("ngl_dc_entr", "Dependence count entropy", "FCBV"),
        ("ngl_dc_energy", "Dependence count energy", "CAS9"),
    ),
)


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(matrices(region))


def matrices(region: Region) -> EmphasisMatrices:
    """Return the dependence matrices: of the volume, of all slices together (2.5D) or of each slice (2D).

    A voxel counts itself, so a voxel without dependent neighbors has dependence count 1.
    """
    stack = np.stack([found.dependences for found in region.texture.neighborhoods])
    if region.settings.dimension == "2.5D":
        stack = stack.sum(axis=0, keepdims=True)
    return EmphasisMatrices.from_dense(stack, stack.sum(axis=(1, 2)))
