"""Every feature says what it is: name, title, unit, code, source, and a description with its formula."""

import re
import subprocess
import sys

import pytest

from MedImageAnalysisLib.features import FeatureSettings, definitions
from MedImageAnalysisLib.features.settings import FAMILIES

PYRADIOMICS = FeatureSettings(profile="pyradiomics", aggregation="averaged", discretization="bin-width")

TABLES = {
    "ibsi 3D": definitions(),
    "ibsi 2D": definitions(dimension=2),
    "pyradiomics 3D": definitions(PYRADIOMICS),
    "pyradiomics 2D": definitions(PYRADIOMICS, dimension=2),
}
EVERY = [pytest.param(d, id=f"{table}: {d.name}") for table, columns in TABLES.items() for d in columns]
IBSI_CODE = r"[0-9A-Z]{4}"
OTHER_CODE = r"(SCT|99MEDIMAGE|PYRADIOMICS):[\w-]+"


@pytest.mark.parametrize("definition", EVERY)
def test_a_feature_is_told_in_full(definition):
    assert re.fullmatch(r"[A-Za-z0-9_]+", definition.name)
    assert definition.title
    assert definition.family in FAMILIES
    assert definition.unit
    assert "{" not in definition.unit + definition.description
    assert re.fullmatch(f"{IBSI_CODE}|{OTHER_CODE}", definition.code)
    assert re.fullmatch(r"doi:10\.\d{4,}/\S+", definition.reference)
    assert len(definition.description) > 25
    assert definition.description.endswith(".")


@pytest.mark.parametrize("table", TABLES)
def test_names_titles_and_codes_are_unique(table):
    for attribute in ("name", "title"):
        values = [getattr(definition, attribute) for definition in TABLES[table]]
        assert len(set(values)) == len(values)


def test_codes_are_unique():
    codes = [definition.code for definition in TABLES["ibsi 3D"]]
    assert len(set(codes)) == len(codes)


def test_the_standard_is_complete():
    counts = dict.fromkeys(FAMILIES, 0)
    for definition in definitions():
        counts[definition.family] += 1
    assert counts == {
        "shape": 27,
        "autocorrelation": 2,
        "local-intensity": 2,
        "intensity": 18,
        "histogram": 23,
        "ivh": 7,
        "glcm": 25,
        "glrlm": 16,
        "glszm": 16,
        "gldzm": 16,
        "ngtdm": 5,
        "ngldm": 17,
    }


def test_pyradiomics_has_its_107_features():
    assert len(definitions(PYRADIOMICS)) == 107


def units(**kwargs):
    return {definition.name: definition.unit for definition in definitions(**kwargs)}


def test_units_follow_the_image():
    known = units(length_unit="mm", intensity_unit="HU")
    assert known["morph_volume"] == "mm3"
    assert known["morph_av"] == "mm-1"
    assert known["stat_var"] == "HU2"
    assert known["morph_integ_int"] == "HU·mm3"
    unknown = units(dimension=2, length_unit="px")
    assert unknown["shape2d_area"] == "px2"
    assert unknown["stat_mean"] == "a.u."
    assert unknown["stat_skew"] == "1"


def test_the_volume_histogram_counts_bins_or_intensities():
    bins = units(settings=FeatureSettings(ivh_discretization="bin-number"), intensity_unit="HU")
    intensities = units(settings=FeatureSettings(ivh_discretization="none"), intensity_unit="HU")
    assert bins["ivh_i10"] == "1"
    assert intensities["ivh_i10"] == "HU"


def test_only_the_families_asked_for_are_listed():
    chosen = definitions(FeatureSettings(families=("glcm", "shape")))
    assert {definition.family for definition in chosen} == {"shape", "glcm"}


def test_importing_the_package_imports_no_heavy_package():
    code = (
        "import sys, MedImageAnalysisLib.features as f; f.FeatureSettings(); "
        "print([m for m in ('skimage', 'scipy.spatial', 'scipy.ndimage', 'numba') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
