"""Tables of results: what they hold, and that their files keep it."""

import csv
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedImageAnalysisLib.analysis import (
    CategoryProbability,
    Code,
    FeatureDefinition,
    FeatureTable,
    Measurement,
    Recognition,
    Segment,
)
from MedImageAnalysisLib.errors import ExportError, UnreadableImageError
from MedImageAnalysisLib.export.tables import (
    Column,
    Table,
    feature_table,
    measurement_table,
    probability_table,
    read_table,
    write_table,
)

texts = st.text(max_size=30)
integers = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw):
    """Any table of one to three rows with a column of each kind."""
    rows = draw(st.integers(0, 3))
    kinds = {"string": texts, "double": st.floats(), "integer": integers, "boolean": st.booleans()}
    columns = tuple(
        Column(kind, kind, tuple(draw(values) for _ in range(rows)), draw(texts), draw(texts), draw(texts))
        for kind, values in kinds.items()
    )
    return Table("any", columns)


@pytest.fixture
def features():
    """Features of two segments, one of which has no volume."""
    lung = Code("SCT", "39607008", "Lung")
    segments = (Segment("Left lung", 1, (1.0, 0.0, 0.0), type=lung), Segment("Nothing", 2, (0.0, 1.0, 0.0)))
    definitions = (
        FeatureDefinition("volume", "Volume", "shape", "mm³", "Size", code="IBSI:YEKZ"),
        FeatureDefinition("mean", "Mean", "intensity", "HU", "Mean"),
    )
    values = np.array([[1 / 3, 0.1 + 0.2], [math.nan, math.nan]])
    return FeatureTable(segments, definitions, values, {(1, 0): "no voxels", (1, 1): "no voxels"})


def same(first, second):
    """Tell whether two values are the same bits."""
    if isinstance(first, float):
        return (math.isnan(first) and math.isnan(second)) or struct.pack("d", first) == struct.pack("d", second)
    return first == second and type(first) is type(second)


@given(table=tables())
def test_any_table_reads_back_bit_for_bit(tmp_path_factory, table):
    found = read_table(write_table(tmp_path_factory.mktemp("tables") / "any.tsv", table)[0])
    for column, expected in zip(found.columns, table.columns, strict=True):
        assert (column.name, column.kind, column.unit, column.title, column.description) == (
            expected.name,
            expected.kind,
            expected.unit,
            expected.title,
            expected.description,
        )
        assert all(map(same, column.values, expected.values))


def test_slicer_can_find_type_unit_title_and_description(tmp_path, features):
    _, schema = write_table(tmp_path / "features.tsv", feature_table(features))
    assert schema.name == "features.schema.tsv"
    with schema.open(encoding="utf-8", newline="") as file:
        rows = {row["columnName"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert rows["volume"] == {
        "columnName": "volume",
        "unitLabel": "mm³",
        "title": "Volume",
        "description": "Size [IBSI:YEKZ]",
        "type": "double",
    }


def test_doubles_are_written_with_all_their_digits(tmp_path, features):
    path, _ = write_table(tmp_path / "features.tsv", feature_table(features))
    assert path.read_text(encoding="utf-8").splitlines()[1] == (
        "Left lung\tSCT:39607008\t0.3333333333333333\t0.30000000000000004\t"
    )


def test_an_empty_cell_is_explained_once(features):
    assert feature_table(features)["notes"].values == ("", "volume, mean: no voxels")


def test_text_that_slicer_cannot_read_back_is_replaced_by_its_likeness():
    column = Column("x", "string", ('a "b"\tc\nd',))
    assert column.values == ("a ”b” c d",)


def test_a_measurement_that_could_not_be_made_says_why():
    table = measurement_table((Measurement("area", "Area", math.nan, "mm²", "", "", reason="no heart"),))
    assert math.isnan(table["value"].values[0])
    assert math.isnan(table["standard_error"].values[0])
    assert table["notes"].values == ("no heart",)


def test_probabilities_of_several_models_stand_in_one_table():
    code = Code("SCT", "8186001", "Cardiomegaly")
    first = Recognition(
        "a", "1", "A", True, categories=(CategoryProbability("yes", 0.7, 0.6, 0.8, True, code),), coverage=0.95
    )
    table = probability_table((first, Recognition("b", "2", "B", False, reason="not a chest")))
    assert table["recognition"].values == ("A", "B")
    assert table["category"].values == ("yes", "not assessed")
    assert table["code"].values == ("SCT:8186001", "")
    assert table["probability"].values[0] == 0.7
    assert math.isnan(table["probability"].values[1])
    assert table["coverage"].values[0] == 0.95
    assert table["in_prediction_set"].values == (True, False)
    assert table["notes"].values == ("", "not a chest")
    assert "prior_adjusted" not in [column.name for column in table.columns]


def test_prior_adjusted_probabilities_have_a_column_if_there_are_any():
    category = CategoryProbability("yes", 0.7, 0.6, 0.8, True, prior_adjusted=0.2)
    table = probability_table((Recognition("a", "1", "A", True, categories=(category,)),))
    assert table["prior_adjusted"].values == (0.2,)


def test_columns_of_one_name_or_of_different_lengths_are_refused():
    first = Column("a", "double", (1.0,))
    with pytest.raises(ValueError, match="one name"):
        Table("t", (first, first))
    with pytest.raises(ValueError, match="different lengths"):
        Table("t", (first, Column("b", "double", ())))
    with pytest.raises(ValueError, match="none of"):
        Column("a", "complex", ())


def test_a_table_without_its_schema_or_with_another_is_refused(tmp_path, features):
    path, schema = write_table(tmp_path / "t.tsv", feature_table(features))
    schema.write_text("columnName\tunitLabel\ttitle\tdescription\ttype\n", encoding="utf-8")
    with pytest.raises(UnreadableImageError, match="schema"):
        read_table(path)
    schema.unlink()
    with pytest.raises(UnreadableImageError, match=r"t\.schema\.tsv"):
        read_table(path)


def test_a_table_that_cannot_be_written_is_said(tmp_path, features):
    with pytest.raises(ExportError, match=r"t\.schema\.tsv"):
        write_table(tmp_path / "missing" / "t.tsv", feature_table(features))
