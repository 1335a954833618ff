"""Read the JSON of a model folder strictly: every key known, every value of the right type and within bounds.

Model folders come from strangers. Nothing is coerced and nothing unknown is ignored: what does not fit raises
:class:`InvalidModelError` with the place and the rule, so that a slip in a model never becomes a silent default.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ..analysis import Code
from ..errors import InvalidModelError

__all__ = ["Fields", "parse_json"]

Value = TypeVar("Value")

MAXIMUM_TEXT = 20_000
_REQUIRED: Any = object()


def parse_json(text: bytes, where: str) -> Any:
    """Parse UTF-8 JSON; duplicated keys, NaN, Infinity and absurd nesting are errors."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("the same key occurs twice in one object")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidModelError(
            f"{where} is not valid JSON: {error!s:.200}. Get the model again from its source."
        ) from None


class Fields:
    """One JSON object being read: each key is taken once, with its type and bounds; `done` refuses what is left over.

    Parameters
    ----------
    data : Any
        The parsed value; anything but an object is refused.
    where : str
        The place, for messages, e.g. ``"model.json: classes[0]"``.
    """

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise InvalidModelError(f"{where} must be a JSON object, but is {_shown(data)}.")
        self._data = dict(data)
        self.where = where

    def refusal(self, key: str, rule: str, value: Any = _REQUIRED) -> InvalidModelError:
        """Return the error that says what is wrong with `key`."""
        shown = "" if value is _REQUIRED else f", but is {_shown(value)}"
        return InvalidModelError(f"{self.where}: '{key}' {rule}{shown}. Correct the file or get the model again.")

    def done(self) -> None:
        """Refuse keys that nobody took."""
        if self._data:
            unknown = ", ".join(repr(key)[:60] for key in sorted(self._data)[:5])
            raise InvalidModelError(f"{self.where} has unknown keys: {unknown}. Remove them.")

    def text(self, key: str, default: Any = _REQUIRED, *, pattern: str = "", empty: bool = False) -> str:
        """Take a string of at most 20,000 characters; `pattern` must match all of it."""
        value = self._take(key, default)
        if not isinstance(value, str) or len(value) > MAXIMUM_TEXT:
            raise self.refusal(key, f"must be a text of at most {MAXIMUM_TEXT:,} characters", value)
        if any(0xD800 <= ord(letter) <= 0xDFFF or letter == "\x1b" for letter in value):
            raise self.refusal(key, "must hold no surrogates and no control sequences")
        if not value.strip() and not empty and default is _REQUIRED:
            raise self.refusal(key, "must not be empty")
        if pattern and not re.fullmatch(pattern, value):
            raise self.refusal(key, f"must match {pattern}", value)
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: Any = _REQUIRED) -> str:
        """Take one of the strings `choices`."""
        value = self._take(key, default)
        if value not in choices or not isinstance(value, str):
            raise self.refusal(key, f"must be one of {', '.join(choices)}", value)
        return value

    def number(
        self, key: str, minimum: float = -math.inf, maximum: float = math.inf, default: Any = _REQUIRED
    ) -> float | None:
        """Take a finite number within [minimum, maximum]; None only if it is the default."""
        value = self._take(key, default)
        if value is None and default is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refusal(key, "must be a number", value)
        if not minimum <= value <= maximum or abs(value) > 1e300:
            raise self.refusal(key, f"must be within {minimum:g} to {maximum:g}", value)
        return float(value)

    def integer(self, key: str, minimum: int, maximum: int, default: Any = _REQUIRED) -> int:
        """Take an integer within [minimum, maximum]."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise self.refusal(key, f"must be an integer within {minimum} to {maximum}", value)
        return value

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """Take true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, "must be true or false", value)
        return value

    def list(
        self, key: str, read: Callable[[Any, str], Value], default: Any = _REQUIRED, *, least: int = 0, most: int = 100
    ) -> tuple[Value, ...]:
        """Take a list of `least` to `most` elements, each read by ``read(element, place)``."""
        value = self._take(key, default)
        if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
            raise self.refusal(key, f"must be a list of {least} to {most} elements", value)
        return tuple(read(item, f"{self.where}: {key}[{index}]") for index, item in enumerate(value))

    def texts(self, key: str, default: Any = _REQUIRED, *, least: int = 0, most: int = 100) -> tuple[str, ...]:
        """Take a list of strings."""
        return self.list(key, _text, default, least=least, most=most)

    def numbers(self, key: str, count: int, minimum: float = -math.inf, maximum: float = math.inf) -> tuple[float, ...]:
        """Take a list of exactly `count` finite numbers within [minimum, maximum]."""

        def read(item: Any, place: str) -> float:
            return Fields({"value": item}, place).number("value", minimum, maximum)

        return self.list(key, read, least=count, most=count)

    def object(self, key: str, default: Any = _REQUIRED) -> Fields | None:
        """Take a JSON object to read further; None only if it is the default."""
        value = self._take(key, default)
        if value is None and default is None:
            return None
        return Fields(value, f"{self.where}: {key}")

    def code(self, key: str) -> Code | None:
        """Take a coded concept {scheme, value, meaning}, or null where no fitting code exists."""
        fields = self.object(key, None)
        if fields is None:
            return None
        code = Code(
            fields.text("scheme", pattern=r"[A-Za-z0-9_.-]{1,16}"),
            fields.text("value", pattern=r"[A-Za-z0-9_.-]{1,64}"),
            fields.text("meaning"),
        )
        fields.done()
        return code

    def rest(self) -> dict[str, Any]:
        """Take all that is left, for a reader that checks it itself."""
        rest, self._data = self._data, {}
        return rest

    def _take(self, key: str, default: Any) -> Any:
        if key not in self._data:
            if default is _REQUIRED:
                raise self.refusal(key, "is missing")
            return default
        return self._data.pop(key)


def _text(item: Any, place: str) -> str:
    if not isinstance(item, str) or len(item) > MAXIMUM_TEXT:
        raise InvalidModelError(f"{place} must be a text, but is {_shown(item)}.")
    return item


def _shown(value: Any) -> str:
    """Return a short form of `value` that is safe to show, also for huge integers."""
    if isinstance(value, (dict, list, tuple)):
        return f"a {'JSON object' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a huge integer"
    return repr(value)[:80]
