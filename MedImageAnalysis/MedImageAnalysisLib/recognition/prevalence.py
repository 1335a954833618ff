"""How common categories are where an image was taken, as people write it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import InvalidSettingError

__all__ = ["parse_prevalence"]


def parse_prevalence(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Return the shares of categories that texts such as ``normal=0.8`` state, in their order.

    Parameters
    ----------
    texts : iterable of str
        ``KEY=SHARE`` each. A share is a number from 0 or a percentage (``80%``); only their ratios count.

    Raises
    ------
    InvalidSettingError
        If a text is not of this form, a category is named twice, or all shares are 0.
    """
    shares: dict[str, float] = {}
    for text in texts:
        key, _, number = (part.strip() for part in text.partition("="))
        share = _number(number)
        if not key or not 0 <= share < math.inf:
            raise InvalidSettingError(f"The prevalence {text!r:.60} must be KEY=SHARE, e.g. normal=0.8.")
        if key in shares:
            raise InvalidSettingError(f"The prevalence of {key!r:.60} is stated twice.")
        shares[key] = share
    if shares and not any(shares.values()):
        raise InvalidSettingError("The prevalence of at least one category must be above 0.")
    return tuple(shares.items())


def _number(text: str) -> float:
    percent = text.endswith("%")
    try:
        return float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        return math.nan
