"""Fixtures for the tests of nodes: a scene on slicer-core, and a small analysis with everything in it."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import (
    Analysis,
    CategoryProbability,
    Code,
    Evidence,
    FeatureDefinition,
    FeatureTable,
    ImageInfo,
    Line,
    Measurement,
    MedicalImage,
    Provenance,
    Recognition,
    Segment,
    Segmentation,
    StepRecord,
)
from MedImageAnalysisLib.terminology import segment

AWKWARD = "Lung \"left\", 5\tµm ~ ^ | ü 'x' <&> %20; 日本"


@pytest.fixture(scope="module")
def embedded():
    """Slicer's libraries without the application."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from MedImageAnalysisLib.mrml import EmbeddedSlicer

    with EmbeddedSlicer() as running:
        yield running


@pytest.fixture
def scene(embedded):
    """An empty scene."""
    embedded.scene.Clear(False)
    return embedded.scene


@pytest.fixture
def awkward_text():
    """A name with everything that separates something in one of Slicer's formats."""
    return AWKWARD


@pytest.fixture
def radiograph():
    """A small 2D image without a place in the patient."""
    pixels = sitk.GetImageFromArray(np.arange(20 * 30, dtype=np.uint16).reshape(20, 30))
    pixels.SetSpacing((0.143, 0.2))
    return MedicalImage(pixels, ImageInfo(modality="DX", body_part="CHEST", view="PA", spacing_source="PixelSpacing"))


@pytest.fixture
def oblique_volume():
    """A small volume with three different spacings, turned about two axes."""
    pixels = sitk.GetImageFromArray(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) - 60)
    pixels.SetSpacing((0.7, 0.8, 2.5))
    pixels.SetOrigin((-120.1, 33.3, 1000.7))
    turn = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.1)
    pixels.SetDirection(turn.GetMatrix())
    return MedicalImage(pixels, ImageInfo(modality="CT", spacing_source="PixelSpacing", intensity_unit="HU"))


@pytest.fixture
def an_analysis(radiograph):
    """An analysis of the radiograph with two overlapping layers, awkward names and doubles that need 17 digits."""
    return analysis_of(radiograph)


@pytest.fixture
def a_volume_analysis(oblique_volume):
    """The same of the volume."""
    return analysis_of(oblique_volume)


def analysis_of(image):
    """Return an analysis of `image` made by hand."""
    pixels = image.pixels
    dimension = pixels.GetDimension()
    segmentation = _segmentation(pixels)
    definitions = (
        FeatureDefinition("volume", "Volume", "shape", "mm³", "Voxels times voxel size", code="IBSI:YEKZ"),
        FeatureDefinition("mean", "Mean, of all", "intensity", "HU", 'The "mean"\nof all\tvoxels'),
    )
    values = np.array([[1 / 3, math.pi * 1e-300], [0.1 + 0.2, math.nan], [5e-324, -0.0]])
    features = FeatureTable(segmentation.segments, definitions, values, {(1, 1): "no voxels"})
    corners = [pixels.TransformIndexToPhysicalPoint((i,) * dimension) for i in (0, 3)]
    ratio = Measurement(
        "cardiothoracic_ratio",
        "Cardiothoracic ratio",
        0.1 + 0.2,
        "1",
        "Widest heart over widest thorax",
        "10.1148/radiol.1000",
        standard_error=0.02,
        lines=(Line("Heart", *corners), Line("Thorax", *corners[::-1])),
    )
    missing = Measurement("area", "Area", math.nan, "mm²", "Area", "", reason="No heart was found")
    return Analysis(
        image=image,
        processed=sitk.Cast(pixels, sitk.sitkFloat32) / 3,
        segmentation=segmentation,
        features=features,
        measurements=(ratio, missing),
        recognitions=(_recognition(pixels), Recognition("other", "1", "Other", False, reason="Not a child")),
        provenance=Provenance(
            input_sha256="ab" * 32,
            preset={"name": "chest-xray", "description": AWKWARD},
            software={"MedImageAnalysis": "0.1.0"},
            steps=(StepRecord("preprocess", "median", "Median(radius=1)", {"radius": 1}, 0.25),),
        ),
    )


def _segmentation(pixels):
    size = pixels.GetSize()[::-1]
    first, second = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
    first[..., :2, 1:3], first[..., 3:, 2:5] = 1, 2
    second[..., 1:4, 1:4] = 300
    layers = tuple(sitk.GetImageFromArray(labels) for labels in (first, second))
    for layer in layers:
        layer.CopyInformation(pixels)
    lesion = Code("SCT", "52988006", "Lesion")
    extra = Segment(AWKWARD, 300, (1 / 3, 0.0, 1.0), Code("SCT", "49755003", "Structure"), lesion, layer=1)
    return Segmentation(layers, (segment("left-lung", 1), segment("heart", 2), extra))


def _recognition(pixels):
    cardiomegaly = Code("SCT", "8186001", "Cardiomegaly")
    return Recognition(
        "cardiomegaly",
        "1.0",
        "Cardiomegaly",
        assessed=True,
        categories=(
            CategoryProbability("Cardiomegaly", 2 / 3, 0.5, 0.8, True, cardiomegaly, prior_adjusted=0.1),
            CategoryProbability(AWKWARD, 1 / 3, 0.2, 0.5, False),
        ),
        evidence=(Evidence("cardiothoracic_ratio", "Ratio", 0.3, "1", "Cardiomegaly", -1 / 7, None),),
        evidence_map=sitk.Cast(pixels, sitk.sitkFloat32) / 7 - 10,
    )
