"""Feature maps: any intensity or texture feature, computed in the neighborhood of each voxel, as an image.

A map tells where in an image a feature is high; a weighted sum of maps, F(x) = sum_i w_i I_i(x), tells where the
evidence for a category lies.
"""

from .feature_map import feature_map, feature_maps, mappable_features
from .weighted import weighted_map

__all__ = ["feature_map", "feature_maps", "mappable_features", "weighted_map"]
