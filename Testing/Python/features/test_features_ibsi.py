"""All 482 reference values of the IBSI's digital phantom, in every dimension and aggregation."""

import math
from functools import cache

import pytest
import SimpleITK as sitk
from features_ibsi_phantom import BY_AGGREGATION, BY_DIMENSION, PHANTOM, REGION, SINGLE, SPACING

from MedImageAnalysisLib.analysis import Segment, Segmentation
from MedImageAnalysisLib.features import FeatureSettings, extract

AGGREGATIONS = (
    ("2D", "averaged"),
    ("2D", "slice-merged"),
    ("2.5D", "direction-merged"),
    ("2.5D", "merged"),
    ("3D", "averaged"),
    ("3D", "merged"),
)
DIMENSIONS = (("2D", "averaged"), ("2.5D", "merged"), ("3D", "merged"))

CASES = [("3D", "merged", name, value, tolerance) for name, (value, tolerance) in SINGLE.items()] + [
    (*how, name, value, 0)
    for table, ways in ((BY_DIMENSION, DIMENSIONS), (BY_AGGREGATION, AGGREGATIONS))
    for name, values in table.items()
    for how, value in zip(ways, values, strict=True)
]


@cache
def phantom_features(dimension, aggregation):
    image, labels = sitk.GetImageFromArray(PHANTOM), sitk.GetImageFromArray(REGION)
    for each in (image, labels):
        each.SetSpacing((SPACING,) * 3)
    segmentation = Segmentation((labels,), (Segment("region", 1, (1.0, 0.0, 0.0)),))
    settings = FeatureSettings(
        discretization="none", ivh_discretization="none", dimension=dimension, aggregation=aggregation
    )
    return extract(image, segmentation, settings)


def half_unit_of_third_digit(value):
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - 2) if value else 0.0


def test_the_table_is_complete():
    assert len(CASES) == 482


@pytest.mark.parametrize(("dimension", "aggregation", "name", "reference", "tolerance"), CASES)
def test_digital_phantom(dimension, aggregation, name, reference, tolerance):
    value = phantom_features(dimension, aggregation).value("region", name)
    # Values are printed with three digits; the share of a billionth is for the rounding of 0.5 units itself.
    allowed = max(tolerance, half_unit_of_third_digit(reference)) * (1 + 1e-9)
    assert value == pytest.approx(reference, rel=0, abs=allowed)


def test_no_feature_of_the_phantom_is_missing():
    for how in AGGREGATIONS:
        assert not phantom_features(*how).reasons
