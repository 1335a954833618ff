"""How common categories are where an image was taken: as people write it, and checked in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InvalidSettingError

__all__ = ["checked_prevalence", "parse_prevalence"]

MAXIMUM_CATEGORIES = 50
MAXIMUM_SHARE = 1e6
_EXAMPLE = "KEY=SHARE, e.g. normal=0.8"


def parse_prevalence(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Return the shares of categories that texts such as ``normal=0.8`` state, in their order.

    Parameters
    ----------
    texts : iterable of str
        ``KEY=SHARE`` each. A share is a number from 0 or a percentage (``80%``); only their ratios count.

    Raises
    ------
    InvalidSettingError
        If a text is not of this form, a category is named twice, or the shares are none; see
        :func:`checked_prevalence`.
    """
    shares: dict[str, float] = {}
    for text in texts:
        key, _, number = (part.strip() for part in text.partition("="))
        share = _number(number)
        if not key or math.isnan(share):
            raise InvalidSettingError(f"The prevalence {text!r:.60} must be {_EXAMPLE}.")
        if key in shares:
            raise InvalidSettingError(f"The prevalence of {key!r:.60} is stated twice.")
        shares[key] = share
    return checked_prevalence(shares)


def checked_prevalence(shares: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Return the shares of categories, by their keys and in their order, if they can be a prevalence; () = not stated.

    Only their ratios count.

    Raises
    ------
    InvalidSettingError
        If there are more than 50, one is not a number from 0 to 1,000,000, or all are 0.
    """
    for key, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= MAXIMUM_SHARE:
            raise InvalidSettingError(
                f"The prevalence of {key!r:.60} must be a number from 0 to {MAXIMUM_SHARE:,.0f} ({_EXAMPLE}), "
                f"but is {share!r:.40}."
            )
    if len(shares) > MAXIMUM_CATEGORIES or (shares and not any(shares.values())):
        raise InvalidSettingError(f"The prevalence must name at most {MAXIMUM_CATEGORIES} categories, not all with 0.")
    return tuple((key, float(share)) for key, share in shares.items())


def _number(text: str) -> float:
    percent = text.endswith("%")
    try:
        return float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        return math.nan
