"""Write the model card: what the model is for, what it learned from, how good it is, where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .judging import Judgement

__all__ = ["LINEAR_METHOD", "model_card", "performance_rows"]

LINEAR_METHOD = """\
Softmax regression on principal components, categories weighted equally; penalty, temperature, prediction
sets and limit of distance from out-of-fold scores of a grouped cross-validation; intervals from refits on
groups drawn with replacement. The probabilities hold where the categories are equally common; give the local
prevalence to adjust them."""


def performance_rows(judgement: Judgement, data: str) -> list[dict[str, Any]]:
    """Return the figures as the list "performance" of a model.json."""
    return [
        {
            "measure": name,
            "value": round(found.value, 4),
            "lower": round(found.lower, 4),
            "upper": round(found.upper, 4),
            "data": data,
        }
        for name, found in judgement.figures.items()
    ]


def model_card(
    description: Mapping[str, Any],
    judgement: Judgement,
    *,
    features: str,
    split: str,
    command: str,
    notes: Sequence[str] = (),
    known_failures: Sequence[str] = (),
    outliers: Mapping[str, float] | None = None,
    plots: Sequence[str] = (),
    method: str = LINEAR_METHOD,
    sections: Sequence[str] = (),
) -> str:
    """Return the text of CARD.md; `sections` are further lines after the figures."""
    lines = [
        f"# {description['title']}",
        "",
        "## Intended use",
        description["intended_use"],
        f"Meant for: {description['population']['description']}.",
        "",
        "## Data and licence",
        f"{description['training']['data']}. Licence: {description['training']['licence']}.",
        split,
        *notes,
        "",
        "## Method",
        features,
        method,
        "",
        *_figures(judgement, [category["title"] for category in description["classes"]]),
    ]
    lines += sections
    if outliers:
        lines += ["", "## Images that are not meant for it", "", "| images | flagged as unlike |", "|---|---|"]
        lines += [f"| {name} | {100 * share:.0f} % |" for name, share in outliers.items()]
    if plots:
        lines += ["", "## Plots", *(f"![{name.removesuffix('.png')}]({name})" for name in plots)]
    lines += ["", "## Known failures", *(f"- {text}" for text in known_failures)]
    lines += [
        "- Held-out images come from the same source as the training images: elsewhere the figures will be lower.",
        "",
        "## Made by",
        f"`{command}`",
    ]
    return "\n".join(lines)


def _figures(judgement: Judgement, titles: Sequence[str]) -> list[str]:
    """Return the tables of figures and of confusions."""
    return [
        f"## Figures on {judgement.cases} held-out images (95 % bootstrap intervals over groups)",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
        *(f"| {name} | {e.value:.3f} | {e.lower:.3f} to {e.upper:.3f} |" for name, e in judgement.figures.items()),
        "",
        "| truth \\ most probable | " + " | ".join(titles) + " |",
        "|---" * (len(titles) + 1) + "|",
        *(
            f"| {title} | " + " | ".join(str(count) for count in row) + " |"
            for title, row in zip(titles, judgement.confusion, strict=True)
        ),
    ]
