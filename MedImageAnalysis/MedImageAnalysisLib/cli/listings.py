"""`medimage presets`, `models`, `steps`, `features`: what there is to choose from, straight from the registries."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from .options import AsJson

__all__ = ["add_to", "print_table"]


def add_to(app: typer.Typer) -> None:
    """Add the listing commands to the command line."""
    app.command()(presets)
    app.command()(models)
    app.command()(steps)
    app.command()(features)


def presets(as_json: AsJson = False) -> None:
    """List the presets and the images they are meant for."""
    from ..preset import available_presets

    found = available_presets()
    if as_json:
        print(json.dumps([preset.to_json() for preset in found], indent=1))
        return
    rows = [(preset.name, preset.title, ", ".join(preset.modalities) or "any", preset.description) for preset in found]
    print_table("Presets", ("name", "title", "modality", "what it does"), rows)


def models(as_json: AsJson = False) -> None:
    """List the recognition models, their categories and what they are meant for."""
    from ..recognition import available_models

    found = available_models()
    if as_json:
        fields = ("name", "version", "kind", "title", "intended_use")
        print(json.dumps([{field: getattr(model, field) for field in fields} for model in found], indent=1))
        return
    rows = [(model.name, model.kind, model.title, model.intended_use) for model in found]
    print_table("Models", ("name", "kind", "title", "intended use"), rows)


def steps(as_json: AsJson = False) -> None:
    """List every preprocessing step, segmentation method and clinical measurement with its parameters."""
    from ..features.clinical import MEASURES
    from ..preprocessing import STEPS
    from ..segmentation import METHODS

    found = [(registry.kind, entry) for registry in (STEPS, METHODS, MEASURES) for entry in registry.values()]
    if as_json:
        described = [
            {"kind": kind, "name": entry.name, "title": entry.title, "parameters": _parameters(entry)}
            for kind, entry in found
        ]
        print(json.dumps(described, indent=1))
        return
    rows = []
    for kind, entry in found:
        parameters = "\n".join(f"{info.name} = {info.default} {info.unit}: {info.doc}" for info in entry.parameters())
        rows.append((kind, entry.name, entry.title, parameters))
    print_table("Steps and methods", ("kind", "name", "title", "parameters"), rows)


def features(as_json: AsJson = False) -> None:
    """List the features with title, unit, IBSI code and definition."""
    from ..features import FeatureSettings, definitions

    found = definitions(FeatureSettings())
    if as_json:
        print(json.dumps([vars(definition) for definition in found], indent=1))
        return
    rows = [(item.name, item.title, item.family, item.unit, item.code) for item in found]
    print_table("Features", ("name", "title", "family", "unit", "IBSI code"), rows)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        # As plain text: what presets and models of strangers say is not markup, and may hold no control characters.
        table.add_row(*(Text("".join(c for c in str(cell) if c.isprintable() or c == "\n")) for cell in row))
    Console().print(table)


def _parameters(entry: type) -> list[dict]:
    return [
        {
            "name": info.name,
            "type": info.kind.__name__,
            "default": info.default,
            "unit": info.unit,
            "minimum": info.minimum,
            "maximum": info.maximum,
            "choices": list(info.choices),
            "description": info.doc,
        }
        for info in entry.parameters()
    ]
