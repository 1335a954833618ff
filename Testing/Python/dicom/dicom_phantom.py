"""Synthetic DICOM files: slices through a scene whose value is a known function of the place in the patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)
OBLIQUE = (0.8, 0.6, 0, -0.36, 0.48, 0.8)

FAMILY_NAME = "Mustermann-Secret"
PATIENT_ID = "ID-4711-SECRET"

Scene = Callable[[np.ndarray], np.ndarray]


def slope_scene(points: np.ndarray) -> np.ndarray:
    """A value that grows along every axis of the patient, so that each place has its own; linear, so that linear
    interpolation keeps it exactly."""
    return 500 + points @ np.array([2.0, 3.0, 5.0])


def image_dataset(
    pixels: np.ndarray,
    *,
    position: Sequence[float] | None = (0, 0, 0),
    orientation: Sequence[float] | None = AXIAL,
    spacing: Sequence[float] | None = (1.0, 1.0),
    intercept: float | None = 0.0,
    series: str = "1.2.3.4",
    **attributes,
) -> Dataset:
    """A CT image with stored values `pixels` (int16 or uint16 or uint8); `spacing` is along x and y."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = f"{FAMILY_NAME}^Erika", PATIENT_ID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", series, "1.2.3.9"
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    if position is not None:
        dataset.ImagePositionPatient = [f"{value:.10g}" for value in position]
    if orientation is not None:
        dataset.ImageOrientationPatient = list(orientation)
    if spacing is not None:
        dataset.PixelSpacing = [spacing[1], spacing[0]]
    if intercept is not None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, intercept
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def slice_of(scene: Scene, position: Sequence[float], orientation: Sequence[float], size, spacing) -> np.ndarray:
    """Sample a scene on one plane; int16, shape (rows, columns)."""
    columns, rows = size
    x, y = np.array(orientation[:3]), np.array(orientation[3:])
    v, u = np.meshgrid(np.arange(rows) * spacing[1], np.arange(columns) * spacing[0], indexing="ij")
    points = np.asarray(position) + u[..., None] * x + v[..., None] * y
    return np.rint(scene(points)).astype(np.int16)


def write_series(
    folder: Path,
    *,
    count: int = 6,
    size: tuple[int, int] = (12, 10),
    spacing: tuple[float, float] = (1.0, 2.0),
    orientation: Sequence[float] = AXIAL,
    step: Sequence[float] | None = None,
    steps: Sequence[float] | None = None,
    distance: float = 3.0,
    scene: Scene = slope_scene,
    change: Callable[[int, Dataset], None] = lambda index, dataset: None,
    **attributes,
) -> list[Path]:
    """Write a series and return its files in the order of their positions.

    `step` is the vector from slice to slice (default: `distance` along the normal), `steps` gives each slice's own
    multiple of it. `change` is called with each slice before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    vector = np.array(step) if step is not None else distance * normal
    start = np.array([-20.0, 15.0, -30.0])
    files = []
    for index in range(count):
        position = start + (steps[index] if steps is not None else index) * vector
        pixels = slice_of(scene, position, orientation, size, spacing)
        dataset = image_dataset(
            pixels, position=position, orientation=orientation, spacing=spacing, InstanceNumber=index + 1, **attributes
        )
        change(index, dataset)
        # Names against the order of positions: the order must come from the headers.
        files.append(write(folder / f"slice-{count - index:03d}.dcm", dataset))
    return files


def write(file: Path, dataset: Dataset) -> Path:
    """Save a dataset as a DICOM file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True)
    return file


def rewrite(file: Path, **attributes) -> None:
    """Change attributes of a file; None removes one."""
    dataset = dcmread(file)
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(file)


def object_without_image(kind: UID) -> Dataset:
    """A DICOM object such as a report or a structure set: no rows, no columns, no pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = kind
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.Modality, dataset.SeriesInstanceUID = FAMILY_NAME, "SR", "1.2.9"
    return dataset


def enhanced_ct(scene: Scene = slope_scene, count: int = 5, orientation: Sequence[float] = OBLIQUE) -> Dataset:
    """A multi-frame CT whose frames are stored against the order of their positions."""
    size, spacing = (12, 10), (1.0, 2.0)
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [np.array([5.0, -7.0, 11.0]) + 2.5 * index * normal for index in reversed(range(count))]
    frames = np.stack([slice_of(scene, position, orientation, size, spacing) for position in positions])
    dataset = image_dataset(frames[0], position=None, orientation=None, spacing=None, intercept=None)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2.1")
    dataset.NumberOfFrames = count
    dataset.PixelData = frames.tobytes()
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(orientation))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[spacing[1], spacing[0]], SliceThickness=2.5)]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=-10, RescaleType="HU")]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=[f"{value:.10g}" for value in position])])
        for position in positions
    ]
    return dataset


def _item(**attributes) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
