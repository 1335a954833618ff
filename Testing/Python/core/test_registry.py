"""Registries: filled from the files of a package, at the first look-up."""

from types import SimpleNamespace

import pytest

from MedImageAnalysisLib.errors import UnknownNameError
from MedImageAnalysisLib.features.clinical import MEASURES
from MedImageAnalysisLib.preprocessing import STEPS
from MedImageAnalysisLib.registry import Registry
from MedImageAnalysisLib.segmentation import METHODS


@pytest.fixture
def a_registry():
    return Registry("thing", "MedImageAnalysisLib.terminology")


def test_finds_an_entry_by_name(a_registry):
    entry = SimpleNamespace(name="one")
    a_registry.register(entry)
    assert a_registry["one"] is entry
    assert list(a_registry) == ["one"]
    assert "one" in a_registry


def test_an_unknown_name_lists_the_known_ones(a_registry):
    a_registry.register(SimpleNamespace(name="one"))
    with pytest.raises(UnknownNameError, match=r"no thing called .two.\. Known: one"):
        a_registry["two"]


@pytest.mark.parametrize("name", ["", "one"])
def test_refuses_a_missing_or_repeated_name(a_registry, name):
    a_registry.register(SimpleNamespace(name="one"))
    with pytest.raises(ValueError, match="name"):
        a_registry.register(SimpleNamespace(name=name))


@pytest.mark.parametrize("registry", [STEPS, METHODS, MEASURES], ids=lambda registry: registry.kind)
def test_every_entry_explains_itself(registry):
    assert len(registry) > 0
    for entry in registry.values():
        assert entry.title, entry
        assert (entry.__doc__ or "").strip(), entry
        for info in entry.parameters():
            assert info.doc, f"{entry.name}.{info.name} has no description"
            # Intensities and positions in space have no natural bounds; counts and lengths do.
            if info.kind is int or (info.unit == "mm" and not info.is_tuple):
                assert info.minimum is not None, f"{entry.name}.{info.name} has no lower bound"
                assert info.maximum is not None, f"{entry.name}.{info.name} has no upper bound"


@pytest.mark.parametrize("registry", [STEPS, METHODS, MEASURES], ids=lambda registry: registry.kind)
def test_every_entry_is_repeated_by_its_settings(registry):
    for entry in registry.values():
        made = entry()
        assert entry.from_settings(made.settings()) == made
