"""The filters against the consensus response maps of IBSI-2 phase 1, and against what convolution must obey.

``ibsi2_response_voxels.csv`` holds some voxels of each of the 33 reference maps (CC0,
https://github.com/theibsi/ibsi_2_reference_data), the strongest, random ones and corners, with the tolerance that the
initiative asks for: 1 % of the range of the map. The phantoms are built here from their description in the manual.
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.features.filters import FILTERS
from MedImageAnalysisLib.progress import Progress

SIZE = 64


def checkerboard() -> np.ndarray:
    return np.indices((SIZE,) * 3).__floordiv__(8).sum(axis=0) % 2


def impulse() -> np.ndarray:
    array = np.zeros((SIZE,) * 3)
    array[31, 31, 31] = 1
    return array


def sphere() -> np.ndarray:
    """Concentric shells around voxel 31."""
    radius = np.sqrt(((np.indices((SIZE,) * 3) - 31) ** 2).sum(axis=0))
    return np.searchsorted([0, 2, 6, 10, 15, 19, 24, 28], radius, side="left") % 2 | (radius == 0)


def pattern_1() -> np.ndarray:
    """Three orthogonal bars of 2 x 2 voxels."""
    near = np.isin(np.indices((SIZE,) * 3), (31, 32))
    return near.sum(axis=0) >= 2


CHECKERBOARD, IMPULSE, SPHERE, PATTERN_1 = checkerboard, impulse, sphere, pattern_1

GABOR_4A = {"sigma_mm": 10.0, "wavelength_mm": 4.0, "aspect_ratio": 0.5, "boundary": "zero"}
GABOR_4B = {"sigma_mm": 20.0, "wavelength_mm": 8.0, "aspect_ratio": 2.5}
ONE_PLANE = {"orientation_step_deg": 0.0, "by_slice": True}
DAUBECHIES = {"wavelet": "db2", "subband": "LHL", "boundary": "zero"}
COIFLET = {"wavelet": "coif1", "subband": "HHL", "boundary": "periodic"}
RIESZ_LOG = {"sigma_mm": 3.0, "boundary": "zero"}


def laws(kernels: str, **settings):
    """The response, the response pooled over rotations, and its energy."""
    common = {"kernels": kernels, **settings}
    return (
        {**common, "rotation_invariant": False, "energy_radius": 0},
        {**common, "energy_radius": 0},
        {**common, "energy_radius": 7},
    )


LAWS_A, LAWS_B = laws("E5L5S5", boundary="zero"), laws("E3W5R5")
LAWS_C = laws("L5S5", by_slice=True)

CONFIGURATIONS = {
    "1.a.1": (CHECKERBOARD, "mean", {"support": 15, "boundary": "zero"}),
    "1.a.2": (CHECKERBOARD, "mean", {"support": 15, "boundary": "nearest"}),
    "1.a.3": (CHECKERBOARD, "mean", {"support": 15, "boundary": "periodic"}),
    "1.a.4": (CHECKERBOARD, "mean", {"support": 15, "boundary": "mirror"}),
    "1.b.1": (IMPULSE, "mean", {"support": 15, "boundary": "zero", "by_slice": True}),
    "2.a": (IMPULSE, "log", {"sigma_mm": 3.0, "boundary": "zero"}),
    "2.b": (CHECKERBOARD, "log", {"sigma_mm": 5.0}),
    "2.c": (CHECKERBOARD, "log", {"sigma_mm": 5.0, "by_slice": True}),
    **{f"3.a.{i}": (IMPULSE, "laws", settings) for i, settings in enumerate(LAWS_A, 1)},
    **{f"3.b.{i}": (CHECKERBOARD, "laws", settings) for i, settings in enumerate(LAWS_B, 1)},
    **{f"3.c.{i}": (CHECKERBOARD, "laws", settings) for i, settings in enumerate(LAWS_C, 1)},
    "4.a.1": (IMPULSE, "gabor", {**GABOR_4A, **ONE_PLANE, "orientation_deg": 60.0}),
    "4.a.2": (IMPULSE, "gabor", {**GABOR_4A, "orientation_step_deg": 45.0}),
    "4.b.1": (SPHERE, "gabor", {**GABOR_4B, **ONE_PLANE, "orientation_deg": 225.0}),
    "4.b.2": (SPHERE, "gabor", {**GABOR_4B, "orientation_step_deg": 22.5}),
    "5.a.1": (IMPULSE, "wavelet", {**DAUBECHIES, "rotation_invariant": False}),
    "5.a.2": (IMPULSE, "wavelet", DAUBECHIES),
    "6.a.1": (SPHERE, "wavelet", {**COIFLET, "rotation_invariant": False}),
    "6.a.2": (SPHERE, "wavelet", COIFLET),
    "7.a.1": (CHECKERBOARD, "wavelet", {"wavelet": "haar", "subband": "LLL", "level": 2}),
    "7.a.2": (CHECKERBOARD, "wavelet", {"wavelet": "haar", "subband": "HHH", "level": 2}),
    **{f"8.a.{i}": (CHECKERBOARD, "isotropic-wavelet", {"level": i, "boundary": "periodic"}) for i in (1, 2, 3)},
    "9.a": (IMPULSE, "log", {**RIESZ_LOG, "riesz_order": (1, 0, 0)}),
    "9.b.1": (SPHERE, "log", {**RIESZ_LOG, "riesz_order": (0, 2, 0)}),
    "10.b.1": (PATTERN_1, "isotropic-wavelet", {"riesz_order": (0, 2, 0), "boundary": "nearest"}),
}


def references() -> dict[str, list[tuple[tuple[int, int, int], float, float]]]:
    rows = defaultdict(list)
    with (Path(__file__).parent / "ibsi2_response_voxels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            index = (int(row["z"]), int(row["y"]), int(row["x"]))
            rows[row["configuration"]].append((index, float(row["reference"]), float(row["tolerance"])))
    return rows


def test_every_reference_map_has_a_configuration():
    assert set(references()) == set(CONFIGURATIONS)
    assert len(CONFIGURATIONS) == 33


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_response_equals_the_consensus_of_ibsi2(configuration):
    phantom, name, settings = CONFIGURATIONS[configuration]
    image = sitk.GetImageFromArray((255 * phantom()).astype(np.float32))
    image.SetSpacing((2.0, 2.0, 2.0))
    response = sitk.GetArrayFromImage(FILTERS[name](**settings)(image, Progress()))
    rows = references()[configuration]
    found = np.array([response[index] for index, _, _ in rows])
    expected = np.array([value for _, value, _ in rows])
    assert found == pytest.approx(expected, abs=rows[0][2])
