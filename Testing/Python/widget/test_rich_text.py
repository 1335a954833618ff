"""What the panel says, without a panel."""

import pytest

from MedImageAnalysisLib.analysis import CategoryProbability, Recognition
from MedImageAnalysisLib.export.tables import probability_table
from MedImageAnalysisLib.panel.rich_text import probability_rows, steps_text
from MedImageAnalysisLib.preset import available_presets


@pytest.fixture
def heart_size():
    category = CategoryProbability("Enlarged", 0.823, 0.71, 0.9, True)
    return Recognition("heart", "1", "Heart size", assessed=True, categories=(category,))


@pytest.fixture
def pneumonia():
    return Recognition("pneumonia", "1", "Pneumonia", assessed=False, reason="for children")


def test_a_category_is_read_with_its_probability_bounds_and_mark(heart_size):
    (row,) = probability_rows(probability_table([heart_size]))
    assert (row.category, row.share, row.probability, row.bounds, row.mark) == (
        "Enlarged",
        0.823,
        "82.3%",
        "71% – 90%",
        "✓",
    )


def test_what_was_not_assessed_has_no_number_but_a_reason(pneumonia):
    (row,) = probability_rows(probability_table([pneumonia]))
    assert (row.category, row.share, row.probability, row.mark) == ("Not assessed", None, "", "")
    assert row.note == "for children"


def test_where_several_models_speak_each_row_says_whose_it_is(heart_size, pneumonia):
    rows = probability_rows(probability_table([heart_size, pneumonia]))
    assert [row.category for row in rows] == ["Heart size: Enlarged", "Pneumonia: Not assessed"]


def test_every_preset_lists_all_its_steps():
    for preset in available_presets():
        steps = (*preset.preprocessing, *preset.segmentation, preset.features, *preset.measurements, *preset.models)
        assert len(steps_text(preset).splitlines()) == len(steps), preset.name
