"""From the phases of a beating heart to end-diastole, end-systole and the ejection fraction."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from cardiac_phantom import SPACING, short_axis

from MedImageAnalysisLib.analysis import ImageInfo
from MedImageAnalysisLib.errors import GeometryError
from MedImageAnalysisLib.features.clinical.cardiac_mri import end_phases, steady
from MedImageAnalysisLib.image import from_pixels
from MedImageAnalysisLib.pipeline import run_phases
from MedImageAnalysisLib.preset import load_preset

MR = ImageInfo(modality="MR", body_part="HEART", spacing_source="PixelSpacing")
LARGEST_MM = (22.0, 16.0, 24.0)


@pytest.fixture(scope="module")
def heart():
    return tuple(short_axis(largest_mm) for largest_mm in LARGEST_MM)


@pytest.fixture(scope="module")
def analyses(heart):
    preset = replace(load_preset("cardiac-mri"), features=load_preset("chest-ct").features)
    return run_phases([from_pixels(image, MR) for image, _ in heart], preset)


def test_end_diastole_is_the_largest_phase_and_end_systole_the_smallest(analyses):
    ends = [analyses[0].measurement(f"left_ventricular_end_{name}_phase").value for name in ("diastolic", "systolic")]
    assert ends == [3.0, 2.0]


def test_volumes_and_ejection_fraction_are_those_of_the_drawing(analyses, heart):
    milliliters = [np.count_nonzero(labels == 1) * np.prod(SPACING) / 1000 for _, labels in heart]
    fraction = 100 * (1 - milliliters[1] / milliliters[2])
    measured = analyses[0]
    # The border lies at the outer side of the mixed pixels (trabeculae count as pool), about 1 mm out in a smooth wall.
    for name, expected in (("diastolic", milliliters[2]), ("systolic", milliliters[1])):
        found = measured.measurement(f"left_ventricular_end_{name}_volume").value
        assert found == pytest.approx(expected, rel=0.25)
    assert measured.measurement("left_ventricular_ejection_fraction").value == pytest.approx(fraction, abs=4)
    assert [m.name for m in measured.measurements].count("left_ventricular_ejection_fraction") == 1


def test_the_model_of_the_ejection_fraction_sees_it(analyses):
    assert [recognition.assessed for recognition in analyses[0].recognitions] == [True]
    assert [recognition.assessed for recognition in analyses[1].recognitions] == [False]


def test_the_record_says_that_two_phases_were_used(analyses):
    assert any("phase 3 (end-diastole) of 3" in warning for warning in analyses[0].provenance.warnings)


def test_phases_on_different_grids_are_refused(heart):
    moved = sitk.Image(heart[1][0])
    moved.SetOrigin((5.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="one grid"):
        run_phases([from_pixels(heart[0][0], MR), from_pixels(moved, MR)], load_preset("cardiac-mri"))


def test_one_bad_outline_does_not_make_an_end_of_the_heartbeat():
    sizes = 100 + 40 * np.cos(np.arange(20) * 2 * np.pi / 20)
    sizes[5] = 20.0
    sizes[15] = np.nan
    assert end_phases(sizes) == (0, 10)
    assert np.isnan(steady(sizes)[15])
