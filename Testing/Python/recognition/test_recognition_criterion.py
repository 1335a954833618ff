"""Criterion models: probabilities from thresholds and measurement errors."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recognition_cases import make_case, make_measurement

from MedImageAnalysisLib.recognition import load_model, recognize
from MedImageAnalysisLib.recognition.criterion import category_probability, probability_range

SHIPPED = {
    "cardiomegaly-ctr": ("cardiothoracic_ratio", "1"),
    "coronary-calcium-agatston": ("agatston_score", "1"),
    "lv-ejection-fraction": ("left_ventricular_ejection_fraction", "%"),
    "vertebral-attenuation": ("vertebral_trabecular_attenuation", "HU"),
    "emphysema-extent": ("emphysema_index", "%"),
}


def probabilities(name: str, value: float, **info) -> list[float]:
    measurement, unit = SHIPPED[name]
    info.setdefault("modality", "CR" if name == "cardiomegaly-ctr" else "CT")
    model = load_model(name)
    case = make_case(make_measurement(measurement, value, unit), dimension=model.population.dimensions[0], **info)
    recognition = recognize(model, case)
    assert recognition.assessed, recognition.reason
    return [row.probability for row in recognition.categories]


def test_a_value_on_the_threshold_is_even():
    assert probabilities("cardiomegaly-ctr", 0.5) == pytest.approx([0.5, 0.5])


def test_one_standard_error_above_the_threshold_is_the_normal_quantile():
    assert probabilities("cardiomegaly-ctr", 0.5 + 0.0133)[1] == pytest.approx(0.8413447460685429)


def test_ejection_fraction_in_the_middle_of_a_band():
    half = 4.5 / 3.61
    middle = math.erf(half / math.sqrt(2))
    assert probabilities("lv-ejection-fraction", 45.0) == pytest.approx([(1 - middle) / 2, middle, (1 - middle) / 2])


def test_a_score_of_zero_is_most_probably_no_calcium():
    none, mild, moderate, severe = probabilities("coronary-calcium-agatston", 0.0)
    assert none == pytest.approx(0.969, abs=1e-3)
    assert none > mild > moderate >= severe


@pytest.mark.parametrize(
    ("name", "value", "category"),
    [
        ("coronary-calcium-agatston", 30, 1),
        ("coronary-calcium-agatston", 220, 2),
        ("coronary-calcium-agatston", 1200, 3),
        ("vertebral-attenuation", 60, 0),
        ("vertebral-attenuation", 105, 1),
        ("vertebral-attenuation", 135, 2),
        ("vertebral-attenuation", 220, 3),
        ("emphysema-extent", 0.5, 0),
        ("emphysema-extent", 14, 1),
        ("lv-ejection-fraction", 25, 0),
        ("lv-ejection-fraction", 62, 2),
    ],
)
def test_a_clear_value_falls_into_its_category(name, value, category):
    found = probabilities(name, value)
    assert max(range(len(found)), key=found.__getitem__) == category


@given(value=st.floats(-100, 100), sigma=st.floats(0.01, 50), cuts=st.lists(st.floats(-50, 50), min_size=1, max_size=5))
def test_probabilities_add_up_to_one(value, sigma, cuts):
    edges = [-math.inf, *sorted(set(cuts)), math.inf]
    total = sum(category_probability(value, sigma, a, b) for a, b in itertools.pairwise(edges))
    assert total == pytest.approx(1.0, abs=1e-12)


@given(
    value=st.floats(-20, 20),
    sigma=st.floats(0.1, 5),
    low=st.floats(-10, 9),
    width=st.floats(0.1, 10),
    share=st.floats(0, 1),
)
def test_the_interval_holds_every_error_in_the_published_range(value, sigma, low, width, share):
    scale = (0.5, 2.5)
    smallest, largest = probability_range(value, sigma, low, low + width, scale)
    inside = category_probability(value, sigma * (scale[0] + share * (scale[1] - scale[0])), low, low + width)
    assert smallest - 1e-12 <= inside <= largest + 1e-12


def test_far_tails_keep_their_digits():
    assert category_probability(0.0, 1.0, 10.0, math.inf) == pytest.approx(7.619853024160495e-24, rel=1e-9)


def test_a_larger_error_of_the_measurement_itself_counts():
    model = load_model("cardiomegaly-ctr")
    sure, unsure = (
        recognize(model, make_case(make_measurement("cardiothoracic_ratio", 0.53, standard_error=error)))
        for error in (0.001, 0.05)
    )
    assert sure.categories[1].probability == pytest.approx(0.988, abs=1e-3)
    assert unsure.categories[1].probability == pytest.approx(0.7257468822499265)


def test_evidence_is_the_distance_from_the_threshold_in_standard_errors():
    found = recognize(load_model("cardiomegaly-ctr"), make_case(make_measurement("cardiothoracic_ratio", 0.5266)))
    (row,) = found.evidence
    assert (row.feature, row.value) == ("cardiothoracic_ratio", 0.5266)
    assert row.z_score == pytest.approx(2.0)


def test_the_prediction_set_is_the_smallest_that_reaches_the_coverage():
    model = load_model("cardiomegaly-ctr")
    clear, open_ = (
        recognize(model, make_case(make_measurement("cardiothoracic_ratio", value))) for value in (0.56, 0.505)
    )
    assert [row.in_prediction_set for row in clear.categories] == [False, True]
    assert [row.in_prediction_set for row in open_.categories] == [True, True]


def reason_for(*measurements, **info) -> str:
    found = recognize(load_model("cardiomegaly-ctr"), make_case(*measurements, **info))
    assert not found.assessed
    assert found.categories == ()
    assert "not assessed" in found.summary
    return found.reason


def test_a_missing_measurement_is_not_assessed():
    assert "was not made" in reason_for()


def test_a_failed_measurement_hands_on_its_reason():
    failed = make_measurement("cardiothoracic_ratio", math.nan, reason="the left lung was not found")
    assert "the left lung was not found" in reason_for(failed)


def test_a_measurement_in_another_unit_is_not_assessed():
    assert "'mm'" in reason_for(make_measurement("cardiothoracic_ratio", 0.5, "mm"))


def test_an_impossible_value_is_taken_as_a_failed_segmentation():
    assert "segmentation" in reason_for(make_measurement("cardiothoracic_ratio", 0.97))


def test_a_child_is_not_assessed_for_cardiomegaly():
    assert "age is 3 years" in reason_for(make_measurement("cardiothoracic_ratio", 0.55), patient_age_years=3.0)


def test_a_lateral_view_is_not_assessed():
    assert "LL" in reason_for(make_measurement("cardiothoracic_ratio", 0.55), view="LL")


def test_a_ct_is_not_assessed_by_a_radiograph_model():
    assert "CT" in reason_for(make_measurement("cardiothoracic_ratio", 0.55), modality="CT")


def test_an_antero_posterior_view_is_assessed_with_a_caution():
    case = make_case(make_measurement("cardiothoracic_ratio", 0.55), view="AP", patient_age_years=60.0)
    found = recognize(load_model("cardiomegaly-ctr"), case)
    assert found.assessed
    assert "magnified" in found.summary


def test_an_adult_in_postero_anterior_view_needs_no_caution():
    case = make_case(make_measurement("cardiothoracic_ratio", 0.42), view="PA", patient_age_years=60.0)
    summary = recognize(load_model("cardiomegaly-ctr"), case).summary
    assert "unknown" not in summary
    assert summary.endswith("For research use; not a diagnosis.")
