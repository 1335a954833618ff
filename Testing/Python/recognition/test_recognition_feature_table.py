"""A table of features is enough to train a model that then reads the same features of a case."""

import numpy as np
import pytest
from recognition_cases import make_case, make_features, make_measurement

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.recognition import recognize
from MedImageAnalysisLib.recognition.training.feature_table import input_of, read_feature_table, train_from_features
from MedImageAnalysisLib.recognition.training.fitting import FitSettings
from MedImageAnalysisLib.recognition.training.table import described_model


@pytest.fixture
def table(tmp_path):
    """120 cases whose label follows from a measurement and the size of one segment."""
    random = np.random.default_rng(4)
    lines = ["case\tlabel\tgroup\tsplit\tangle\twidth[Region 1]"]
    for i in range(120):
        angle, width = random.normal(size=2)
        label = "large" if angle + width + 0.3 * random.normal() > 0 else "small"
        lines.append(f"c{i}\t{label}\t{i // 2}\t{'val' if i % 6 < 2 else 'train'}\t{angle:.4f}\t{width:.4f}")
    path = tmp_path / "cases.tsv"
    path.write_text("\n".join(lines))
    return path


def trained(table, folder):
    labels = ["large", "small"]
    description = described_model("sizes", "cases.tsv", labels, "Sizes", "Tests", "drawn", "none", (), (2, 3))
    settings = FitSettings(folds=3, members=5, repeats=20)
    return train_from_features(read_feature_table(table), folder / "sizes", description, labels, settings)


def test_the_model_reads_the_same_features_of_a_case(table, tmp_path):
    model = trained(table, tmp_path)
    for value, category in ((1.0, "large"), (-1.0, "small")):
        features = make_features(np.array([[value]]), ("width",))
        found = recognize(model, make_case(make_measurement("angle", value), features=features))
        assert max(found.categories, key=lambda row: row.probability).category == category
    assert {row.feature for row in found.evidence} == {"angle", "width[Region 1]"}
    assert next(row.value for row in model.performance if row.measure.startswith("AUC")) > 0.9


@pytest.mark.parametrize("key", ["angle", "width[Region 1]", "mean(intensity_mean)", "p90(area[Left lung])"])
def test_columns_are_named_as_in_tables_of_evidence(key):
    assert input_of(key).key == key


@pytest.mark.parametrize("key", ["", "a b", "mean(x", "x)", "[x]", "median(x)", "x[]"])
def test_a_column_that_names_no_input_is_refused(key):
    with pytest.raises(InvalidSettingError, match="names no input"):
        input_of(key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "a column 'label'"),
        ("", "a column 'label'"),
        ("label,group\nx,1\n", "no column of features"),
        ("label,angle\nx,\n", "Row 1, column 'angle'"),
        ("label,angle\nx,1\ny,nan\n", "Row 2, column 'angle'"),
    ],
)
def test_a_table_that_does_not_do_is_refused(text, told, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(text)
    with pytest.raises(InvalidSettingError, match=told):
        read_feature_table(path)


def test_a_category_with_too_few_cases_is_refused(table, tmp_path):
    text = table.read_text(encoding="utf-8").replace("\tsmall\t", "\tlarge\t").replace("c0\tlarge", "c0\tsmall")
    table.write_text(text)
    with pytest.raises(InvalidSettingError, match="'small' has 0 groups"):
        trained(table, tmp_path)
