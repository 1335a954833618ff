"""The values that flow from stage to stage. Frozen, without behavior beyond look-ups, free of slicer and vtk.

All points and lengths are in millimeters in LPS (the DICOM and ITK patient coordinate system), unless the image's
spacing is unknown: then lengths are in pixels and every unit says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import SimpleITK as sitk

__all__ = [
    "Analysis",
    "CategoryProbability",
    "Code",
    "Evidence",
    "FeatureDefinition",
    "FeatureTable",
    "ImageInfo",
    "Line",
    "Measurement",
    "MedicalImage",
    "Provenance",
    "QualityFinding",
    "Recognition",
    "Segment",
    "Segmentation",
    "SlicePlacement",
    "StepRecord",
]

Point = tuple[float, ...]


@dataclass(frozen=True)
class Code:
    """A coded concept: coding scheme designator, value and meaning, as in DICOM PS3.3 section 8."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class SlicePlacement:
    """Where a true 2D image lies in 3D patient space (LPS, mm)."""

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    direction: tuple[float, ...]


@dataclass(frozen=True)
class ImageInfo:
    """What is known of an image beside its pixels; holds no patient identity.

    Parameters
    ----------
    modality : str
        DICOM modality (CR, DX, CT, MR, US, ...) or "" if unknown.
    body_part, view : str
        DICOM Body Part Examined and View Position in upper case, or "".
    spacing_source : str
        Where the pixel spacing comes from, e.g. "PixelSpacing", "ImagerPixelSpacing", "file header"; "" = unknown, and
        the spacing is then 1 by convention.
    intensity_unit : str
        "HU" for CT, else "" (arbitrary units).
    patient_age_years : float or None
        Needed to know whether a model suits; coarse, and capped at 90 as de-identification asks.
    patient_sex : str
        "F", "M" or "".
    corrections : tuple of str
        What was changed on reading, each once, e.g. "inverted MONOCHROME1 to MONOCHROME2".
    warnings : tuple of str
        What the user should know before trusting results.
    placement : SlicePlacement or None
        Where a true 2D image lies in patient space; None for volumes and for radiographs, which have no place.
    """

    modality: str = ""
    body_part: str = ""
    view: str = ""
    spacing_source: str = ""
    intensity_unit: str = ""
    patient_age_years: float | None = None
    patient_sex: str = ""
    corrections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    placement: SlicePlacement | None = None

    @property
    def length_unit(self) -> str:
        """ "mm" if the spacing is known, else "px"."""
        return "mm" if self.spacing_source else "px"


@dataclass(frozen=True, eq=False)
class MedicalImage:
    """Pixels with their geometry (2D or 3D, scalar) and what is known of them."""

    pixels: sitk.Image
    info: ImageInfo = ImageInfo()


@dataclass(frozen=True)
class Segment:
    """One named structure of a segmentation.

    Parameters
    ----------
    name : str
        What people read, e.g. "Left lung".
    label : int
        Value of its voxels in its layer, at least 1.
    color : tuple of float
        Red, green, blue, 0 to 1.
    category, type, modifier : Code or None
        Terminology: segmented property category, type, and type modifier (e.g. laterality).
    key : str
        Stable machine name from the terminology table, e.g. "left-lung"; "" for a structure that is not in the table.
    layer : int
        Index of the labelmap it lives in; segments of one layer do not overlap.
    """

    name: str
    label: int
    color: tuple[float, float, float]
    category: Code | None = None
    type: Code | None = None
    modifier: Code | None = None
    key: str = ""
    layer: int = 0


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Named segments over one or more labelmaps (layers) of the same geometry; overlapping segments use several layers.

    Parameters
    ----------
    layers : tuple of sitk.Image
        They have an unsigned integer pixel type; 0 is background.
    segments : tuple of Segment
    made_by : str
        The method and engine that outlined them, e.g. "chest-xray network": some measurements know how accurate its
        outlines are. "" if that is not known, as for a segmentation that was read or edited.
    """

    layers: tuple[sitk.Image, ...]
    segments: tuple[Segment, ...]
    made_by: str = ""

    @property
    def labelmap(self) -> sitk.Image:
        """The only labelmap, for segmentations without overlap."""
        if len(self.layers) != 1:
            raise ValueError(f"This segmentation has {len(self.layers)} layers: use mask(segment)")
        return self.layers[0]

    def find(self, key: str) -> Segment | None:
        """Return the segment with terminology key or name `key`, or None."""
        matches = (s for s in self.segments if key in (s.key, s.name))
        return next(matches, None)

    def mask(self, segment: Segment) -> sitk.Image:
        """Return the voxels of one segment as a uint8 image of 0 and 1."""
        return self.layers[segment.layer] == segment.label


@dataclass(frozen=True)
class FeatureDefinition:
    """What a column of a feature table means."""

    name: str
    title: str
    family: str
    unit: str
    description: str
    code: str = ""
    reference: str = ""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of each segment: one row per segment, one column per definition.

    Parameters
    ----------
    segments : tuple of Segment
    definitions : tuple of FeatureDefinition
    values : numpy.ndarray of float64, shape (segments, definitions)
        NaN marks an empty cell.
    reasons : mapping of (row, column) to str
        Why a cell is empty.
    """

    segments: tuple[Segment, ...]
    definitions: tuple[FeatureDefinition, ...]
    values: np.ndarray
    reasons: Mapping[tuple[int, int], str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        shape = (len(self.segments), len(self.definitions))
        values = np.array(self.values, dtype=np.float64).reshape(shape)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def value(self, segment: str, feature: str) -> float:
        """Return one cell by segment key or name and feature name; KeyError if there is none."""
        rows = [i for i, s in enumerate(self.segments) if segment in (s.key, s.name)]
        columns = [j for j, d in enumerate(self.definitions) if d.name == feature]
        if not rows or not columns:
            raise KeyError((segment, feature))
        return float(self.values[rows[0], columns[0]])


@dataclass(frozen=True)
class Line:
    """A straight line drawn to show how a measurement was made (end points in LPS)."""

    name: str
    start: Point
    end: Point


@dataclass(frozen=True)
class Measurement:
    """A clinical measurement with its unit, uncertainty and source.

    Parameters
    ----------
    value : float
        NaN if it could not be made; `reason` then says why.
    standard_error : float or None
        Published measurement error (one standard deviation) in the same unit.
    reference : str
        DOI or citation of the definition.
    """

    name: str
    title: str
    value: float
    unit: str
    description: str
    reference: str
    standard_error: float | None = None
    lines: tuple[Line, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class CategoryProbability:
    """One row of the table of probabilities."""

    category: str
    probability: float
    lower: float
    upper: float
    in_prediction_set: bool
    code: Code | None = None
    prior_adjusted: float | None = None


@dataclass(frozen=True)
class Evidence:
    """What one feature contributed to a category, in units of the model's score (log-odds for linear models)."""

    feature: str
    title: str
    value: float
    unit: str
    category: str
    contribution: float
    z_score: float | None = None


@dataclass(frozen=True, eq=False)
class Recognition:
    """Probabilities of the categories of one model, or the reason why nothing was assessed.

    Parameters
    ----------
    assessed : bool
        False if the model does not suit the input; `categories` is then empty and `reason` says why.
    coverage : float
        The share of cases for which the prediction set is meant to hold the truth.
    evidence_map : sitk.Image or None
        Where in the image the evidence lies: F(x) = sum of w_i I_i(x), in the model's score units.
    """

    model: str
    version: str
    title: str
    assessed: bool
    reason: str = ""
    categories: tuple[CategoryProbability, ...] = ()
    coverage: float = 0.9
    evidence: tuple[Evidence, ...] = ()
    evidence_map: sitk.Image | None = None
    summary: str = ""
    intended_use: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityFinding:
    """Something that bears on trust: level is "green", "amber" or "red"."""

    level: str
    check: str
    reason: str


@dataclass(frozen=True)
class StepRecord:
    """One step that ran: its stage, machine name, the call that repeats it, and its wall time."""

    stage: str
    name: str
    call: str
    settings: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class Provenance:
    """All that is needed to repeat an analysis.

    Parameters
    ----------
    input_sha256 : str
        Hash of the input's pixels and geometry, see :func:`MedImageAnalysisLib.image.content_hash`.
    preset : mapping
        The full preset as JSON values, every default written out.
    software : mapping
        Versions of this package and of the libraries that compute.
    segmentation_sha256 : str
        Hash of the existing segmentation that replaced stage 2, or "".
    """

    input_sha256: str
    preset: Mapping[str, Any]
    software: Mapping[str, str]
    steps: tuple[StepRecord, ...] = ()
    corrections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    segmentation_sha256: str = ""


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that one run of the pipeline found."""

    image: MedicalImage
    processed: sitk.Image
    segmentation: Segmentation
    features: FeatureTable
    measurements: tuple[Measurement, ...]
    recognitions: tuple[Recognition, ...]
    provenance: Provenance
    quality: tuple[QualityFinding, ...] = ()

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement called `name`, or None."""
        return next((m for m in self.measurements if m.name == name), None)
