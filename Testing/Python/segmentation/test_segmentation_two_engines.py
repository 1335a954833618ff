"""Methods that have a network beside their classical way say which of both they use."""

import pytest

from MedImageAnalysisLib.errors import InvalidSettingError
from MedImageAnalysisLib.segmentation import METHODS, two_engines
from MedImageAnalysisLib.segmentation.two_engines import TwoEngineMethod

NAMES = [method.name for method in METHODS.values() if issubclass(method, TwoEngineMethod)]


def test_radiographs_and_breast_ultrasound_have_both_engines():
    assert {"chest-xray", "breast-ultrasound"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("there", "engine"), [(True, "network"), (False, "classical")])
def test_automatic_engine_is_the_network_where_it_can_run(monkeypatch, name, there, engine):
    monkeypatch.setattr(two_engines, "networks_available", lambda: there)
    assert METHODS[name]().resolved() == METHODS[name](engine=engine)


@pytest.mark.parametrize("name", NAMES)
def test_engine_that_is_asked_for_stays(monkeypatch, name):
    monkeypatch.setattr(two_engines, "networks_available", lambda: True)
    assert not METHODS[name](engine="classical").uses_network


@pytest.mark.parametrize("name", NAMES)
def test_unknown_engine_is_refused(name):
    with pytest.raises(InvalidSettingError, match="engine"):
        METHODS[name](engine="magic")
