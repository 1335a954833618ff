"""Volumes and densities of lungs, brain and vertebra on blocks whose values are known."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import ImageInfo, MedicalImage, Segmentation
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.terminology import segment

HU = ImageInfo(modality="CT", intensity_unit="HU", spacing_source="PixelSpacing")
SHAPE = (40, 40, 60)


def block(*ranges) -> tuple[slice, ...]:
    return tuple(slice(*edges) for edges in ranges)


RIGHT = block((5, 35), (5, 35), (5, 25))
LEFT = block((5, 35), (5, 35), (35, 55))


def case(blocks: dict[str, tuple[slice, ...]], values: dict[str, object] | None = None, info=HU, spacing=(2, 2, 2.5)):
    """An image of soft tissue with one block per segment, filled with the given values."""
    hu = np.full(SHAPE, 40, np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    for label, (key, where) in enumerate(blocks.items(), start=1):
        labels[where] = label
        hu[where] = (values or {}).get(key, 40)
    layer = sitk.GetImageFromArray(labels)
    layer.SetSpacing(spacing)
    pixels = sitk.GetImageFromArray(hu)
    pixels.CopyInformation(layer)
    segments = tuple(segment(key, label) for label, key in enumerate(blocks, start=1))
    return MedicalImage(pixels, info), Segmentation((layer,), segments)


def measured(name, image, segmentation) -> dict:
    return {m.name: m for m in MEASURES[name]()(image, segmentation, Progress())}


def test_lung_volumes_are_in_milliliters():
    found = measured("lung-volumes", *case({"right-lung": RIGHT, "left-lung": LEFT}))
    assert found["right_lung_volume"].value == pytest.approx(30 * 30 * 20 * 0.01)
    assert found["lung_volume"].value == pytest.approx(2 * 30 * 30 * 20 * 0.01)
    assert {m.unit for m in found.values()} == {"mL"}


def test_one_lung_is_measured_where_the_other_is_missing():
    found = measured("lung-volumes", *case({"right-lung": RIGHT}))
    assert found["right_lung_volume"].value > 0
    assert math.isnan(found["left_lung_volume"].value)
    assert "left lung" in found["lung_volume"].reason


def test_lungs_that_the_field_of_view_cuts_are_not_measured():
    cut = block((0, 35), (5, 35), (5, 25))
    found = measured("lung-volumes", *case({"right-lung": cut, "left-lung": LEFT}))
    assert "cuts" in found["right_lung_volume"].reason
    assert found["left_lung_volume"].value > 0


def test_emphysema_is_the_share_at_or_below_its_limit():
    column = np.full((30, 30, 20), -850)
    column[:3] = -950
    column[3:6] = -949
    found = measured(
        "emphysema-index",
        *case({"right-lung": RIGHT, "left-lung": LEFT}, {"right-lung": column, "left-lung": -850}),
    )
    assert found["emphysema_index"].value == pytest.approx(5.0)
    assert found["emphysema_index"].unit == "%"
    assert found["mean_lung_density"].value == pytest.approx(-850 - (100 + 99) * 3 / 60)


def test_density_needs_hounsfield_units():
    info = ImageInfo(modality="MR", spacing_source="x")
    found = measured("emphysema-index", *case({"right-lung": RIGHT, "left-lung": LEFT}, info=info))
    assert all(math.isnan(m.value) and "Hounsfield" in m.reason for m in found.values())


def test_attenuation_is_the_mean_of_the_middle_of_l1():
    body = np.full((12, 20, 20), 600)
    body[1:-1, 2:-2, 2:-2] = 120
    body[:3] = body[-3:] = 400
    where = block((10, 22), (10, 30), (20, 40))
    found = measured("vertebral-attenuation", *case({"l1-vertebra": where}, {"l1-vertebra": body}))
    assert found["vertebral_trabecular_attenuation"].value == pytest.approx(120)
    assert found["vertebral_trabecular_attenuation"].unit == "HU"


def test_attenuation_without_l1_has_a_reason():
    found = measured("vertebral-attenuation", *case({"bone": RIGHT}))
    assert "L1" in found["vertebral_trabecular_attenuation"].reason


def test_a_sliver_of_l1_is_not_measured():
    found = measured("vertebral-attenuation", *case({"l1-vertebra": block((10, 12), (10, 30), (20, 40))}))
    assert math.isnan(found["vertebral_trabecular_attenuation"].value)


def test_parenchyma_is_the_share_of_brain_inside_the_skull():
    blocks = {
        "brain": block((5, 35), (5, 35), (5, 25)),
        "brain-ventricles": block((5, 35), (5, 35), (25, 27)),
        "cerebrospinal-fluid": block((5, 35), (5, 35), (27, 30)),
        "hyperdense": block((5, 35), (5, 35), (30, 31)),
    }
    found = measured("head-ct-volumes", *case(blocks))
    assert found["brain_parenchymal_fraction"].value == pytest.approx(21 / 26)
    assert found["brain_volume"].value == pytest.approx(21 * 900 * 0.01)
    assert found["ventricle_volume"].value == pytest.approx(2 * 900 * 0.01)
    assert found["hyperdense_volume"].value == pytest.approx(9.0)


def test_a_brain_cut_by_the_field_of_view_has_no_volume_but_its_blood_has():
    blocks = {"brain": block((0, 35), (5, 35), (5, 25)), "hyperdense": block((5, 35), (5, 35), (30, 31))}
    found = measured("head-ct-volumes", *case(blocks))
    assert "cuts" in found["brain_volume"].reason
    assert found["hyperdense_volume"].value == pytest.approx(9.0)


@pytest.mark.parametrize("name", ["lung-volumes", "emphysema-index", "vertebral-attenuation", "head-ct-volumes"])
def test_every_measurement_has_a_value_or_a_reason_and_a_source(name):
    for image, segmentation in (case({}), case({"brain": RIGHT, "left-lung": LEFT})):
        for measurement in MEASURES[name]()(image, segmentation, Progress()):
            assert math.isnan(measurement.value) == bool(measurement.reason)
            assert "doi:10." in measurement.reference
