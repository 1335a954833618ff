"""Parameters: declared once, checked always."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.parameters import Configurable, parameter


@dataclass(frozen=True)
class Blur(Configurable):
    name = "blur"
    title = "Blur"
    sigma_mm: float = parameter(1.0, "Width.", unit="mm", minimum=0.1, maximum=10)
    passes: int = parameter(1, "How often.", minimum=1)
    edge: str = parameter("mirror", "Edge rule.", choices=("mirror", "zero"))
    strict: bool = parameter(False, "Refuse odd input.")
    window: tuple[float, ...] | None = parameter(None, "Range, or none.", minimum=-1000)


def test_prints_as_the_call_that_makes_it():
    blur = Blur(sigma_mm=2, window=[0, 80])
    assert repr(blur) == "Blur(sigma_mm=2.0, passes=1, edge='mirror', strict=False, window=(0.0, 80.0))"


@given(
    sigma=st.floats(0.1, 10),
    passes=st.integers(1, 1000),
    edge=st.sampled_from(["mirror", "zero"]),
    window=st.none() | st.lists(st.floats(-1000, 1000), max_size=4),
)
def test_settings_make_an_equal_instance(sigma, passes, edge, window):
    blur = Blur(sigma_mm=sigma, passes=passes, edge=edge, window=window)
    assert Blur.from_settings(blur.settings()) == blur


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sigma_mm": 0.0}, "at least 0.1 mm"),
        ({"sigma_mm": 11}, "at most 10 mm"),
        ({"sigma_mm": float("nan")}, "finite"),
        ({"sigma_mm": "2"}, "must be float"),
        ({"sigma_mm": True}, "must be float"),
        ({"passes": 1.5}, "must be int"),
        ({"passes": 10**400}, "finite"),
        ({"sigma_mm": -(10**400)}, "finite"),
        ({"edge": "wrap"}, "one of mirror, zero"),
        ({"strict": 1}, "must be bool"),
        ({"window": 3.0}, "must be a list"),
        ({"window": [0, float("inf")]}, "finite"),
        ({"radius": 1}, "has no parameter 'radius'"),
    ],
)
def test_refuses_what_is_not_allowed_and_says_why(settings, words):
    with pytest.raises(InvalidSettingError, match=words):
        Blur.from_settings(settings)


def test_describes_each_parameter_for_editors():
    sigma, passes, edge, _, window = Blur.parameters()
    assert (sigma.unit, sigma.minimum, sigma.maximum, sigma.doc) == ("mm", 0.1, 10, "Width.")
    assert (passes.kind, passes.default) == (int, 1)
    assert edge.choices == ("mirror", "zero")
    assert window.optional
    assert window.is_tuple
    assert window.kind is float
