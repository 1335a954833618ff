"""Gray level run length matrix (GLRLM): how long the runs of equal gray level are along straight lines."""

from __future__ import annotations

import numpy as np

from .definition import Family, Values
from .emphasis import EmphasisMatrices, register
from .region import Region

__all__ = ["FAMILY", "compute", "matrices"]

FAMILY = Family(
    "glrlm",
    "Gray level run length",
    reference="doi:10.1016/S0146-664X(75)80008-6",
    words={"item": "runs", "property": "run lengths"},
)

register(
    FAMILY,
    (
        ("rlm_sre", "Short runs emphasis", "22OV"),
        ("rlm_lre", "Long runs emphasis", "W4KF"),
        ("rlm_lgre", "Low gray level run emphasis", "V3SW"),
        ("rlm_hgre", "High gray level run emphasis", "G3QZ"),
        ("rlm_srlge", "Short run low gray level emphasis", "HTZT"),
        ("rlm_srhge", "Short run high gray level emphasis", "GD3A"),
        ("rlm_lrlge", "Long run low gray level emphasis", "IVPO"),
        ("rlm_lrhge", "Long run high gray level emphasis", "3KUM"),
        ("rlm_glnu", "Run gray level non-uniformity", "R5YN"),
        ("rlm_glnu_norm", "Normalized run gray level non-uniformity", "OVBL"),
        ("rlm_rlnu", "Run length non-uniformity", "W92Y"),
        ("rlm_rlnu_norm", "Normalized run length non-uniformity", "IC23"),
        ("rlm_r_perc", "Run percentage", "9ZK5"),
        ("rlm_gl_var", "Run gray level variance", "8CE5"),
        ("rlm_rl_var", "Run length variance", "SXLW"),
        ("rlm_rl_entr", "Run entropy", "HJ9O"),
    ),
)


def compute(region: Region) -> Values:
    """Return the values of all features of this family."""
    return FAMILY.compute(matrices(region))


def matrices(region: Region) -> EmphasisMatrices:
    """Return the run length matrices, merged as the settings say; a feature is the mean over all of them."""
    found = region.texture.run_lengths()
    longest = max(counts.shape[2] for counts in found)
    stack = np.zeros((len(found), *found[0].shape[:2], longest), np.int64)
    for k, counts in enumerate(found):
        stack[k, :, :, : counts.shape[2]] = counts
    if region.settings.dimension == "2.5D":
        stack = stack.sum(axis=0, keepdims=True)
    if region.settings.aggregation in ("merged", "slice-merged"):
        stack = stack.sum(axis=1, keepdims=True)
    stack = stack.reshape(-1, *stack.shape[2:])
    # Each voxel is in one run of each direction.
    voxels = stack.sum(axis=1) @ np.arange(1, longest + 1)
    return EmphasisMatrices.from_dense(stack, voxels)
