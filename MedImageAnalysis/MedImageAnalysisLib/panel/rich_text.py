"""What an analysis says, in the words and the small HTML that panels show. Texts of presets and models are escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..analysis import Analysis
from ..export.tables import Table
from ..preset import Preset
from ..recognition import Model

__all__ = [
    "ProbabilityRow",
    "findings_html",
    "model_html",
    "prevalence_hint",
    "probability_rows",
    "steps_text",
    "summary_html",
]

# Mid-tones that are legible on a light and on a dark ground.
_LEVEL_COLORS = {"green": "#2e9e5b", "amber": "#d98e04", "red": "#d64545"}


def summary_html(analysis: Analysis) -> str:
    """Return what was recognized, a paragraph per model; what was not assessed says why."""
    paragraphs = []
    for recognition in analysis.recognitions:
        said = recognition.summary if recognition.assessed else f"Not assessed. {recognition.reason}"
        said = said.removeprefix(f"{recognition.title}: ")
        paragraphs.append(f"<p><b>{html.escape(recognition.title)}</b><br/>{html.escape(said)}</p>")
    return "".join(paragraphs)


def findings_html(analysis: Analysis) -> str:
    """Return what bears on trust in the results, a line each, marked by its level."""
    findings = [(finding.level, f"{finding.check}: {finding.reason}") for finding in analysis.quality]
    findings += [("amber", warning) for warning in analysis.provenance.warnings]
    findings += [("green", f"Corrected on reading: {done}") for done in analysis.provenance.corrections]
    return "<br/>".join(
        f'<span style="color:{_LEVEL_COLORS[level]}">●</span> {html.escape(text)}' for level, text in findings
    )


def steps_text(preset: Preset) -> str:
    """Return all steps of a preset in the order in which they run, each as the call that repeats it."""
    steps = (*preset.preprocessing, *preset.segmentation, preset.features, *preset.measurements)
    return "\n".join([*map(repr, steps), *(f"recognize({model!r})" for model in preset.models)])


def model_html(model: Model) -> str:
    """Return a trained model's categories and figures, with a link to its card."""
    rows = "".join(
        f"<tr><td>{html.escape(row.measure)}&nbsp;&nbsp;</td><td><b>{row.value:.3f}</b>&nbsp;&nbsp;</td>"
        f"<td>{row.lower:.3f} – {row.upper:.3f}</td></tr>"
        for row in model.performance
        if row.lower is not None and row.upper is not None
    )
    categories = html.escape(", ".join(category.title for category in model.classes))
    card = html.escape((model.folder / "CARD.md").as_uri(), quote=True)
    return (
        f"<p><b>{html.escape(model.title)}</b> tells: {categories}.<br/>On cases that it has not seen, with 95 % "
        f'intervals:</p><table>{rows}</table><p>It is in the list <i>Model</i> above now. <a href="{card}">Card</a></p>'
    )


def prevalence_hint(models: Sequence[Model]) -> str:
    """Return how the prevalence of the categories of the first model that can be adjusted to one is written."""
    for model in models:
        keys = [category.key for category in model.classes]
        if model.states_prevalence_of(dict.fromkeys(keys, 1.0)):
            rare = 20 // (len(keys) - 1)
            return ", ".join([f"{keys[0]}={100 - rare * (len(keys) - 1)}%", *(f"{key}={rare}%" for key in keys[1:])])
    return ""


@dataclass(frozen=True)
class ProbabilityRow:
    """One row of the table of probabilities as people read it; `share` is None if nothing was assessed."""

    category: str
    share: float | None
    probability: str = ""
    bounds: str = ""
    mark: str = ""
    note: str = ""
    adjusted: str = ""


def probability_rows(table: Table) -> tuple[ProbabilityRow, ...]:
    """Return the rows of a table of probabilities in words; a mark stands for "cannot be ruled out".

    Where several models speak, each category says whose it is.
    """
    columns = {column.name: column.values for column in table.columns}
    names = ("category", "probability", "lower", "upper", "in_prediction_set", "notes")
    rows = [_probability_row(*row) for row in zip(*(columns[name] for name in names), strict=True)]
    if "prior_adjusted" in columns:
        adjusted = zip(rows, columns["prior_adjusted"], strict=True)
        rows = [replace(row, adjusted="" if math.isnan(share) else f"{share:.1%}") for row, share in adjusted]
    models = columns["recognition"]
    if len(set(models)) > 1:
        named = zip(models, rows, strict=True)
        rows = [replace(row, category=f"{model}: {row.category}") for model, row in named]
    return tuple(rows)


def _probability_row(
    category: str, probability: float, lower: float, upper: float, in_set: bool, note: str
) -> ProbabilityRow:
    if math.isnan(probability):
        return ProbabilityRow(category.capitalize(), None, note=note)
    bounds = f"{lower:.0%} – {upper:.0%}"
    return ProbabilityRow(category, probability, f"{probability:.1%}", bounds, "✓" if in_set else "", note)
