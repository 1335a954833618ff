"""Probabilities as people read them."""

from __future__ import annotations

__all__ = ["percent"]


def percent(probability: float) -> str:
    """Say a probability in percent, without claiming certainty: no model has it, rounding would invent it."""
    if probability < 0.01:
        return "<1 %"
    if probability > 0.99:
        return ">99 %"
    return f"{100 * probability:.0f} %"
