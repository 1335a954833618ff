"""Typed, bounded, documented parameters: the base of every step, method and setting.

A step is a frozen dataclass whose fields are made by :func:`parameter`. That one declaration gives the
constructor, the check of types and bounds, the JSON form in presets and records, the command line's help, the GUI's
editor and a ``repr`` that is the call which makes it.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .errors import InvalidSettingError

__all__ = ["Configurable", "ParameterInfo", "parameter"]

Scalar = bool | int | float | str


@dataclass(frozen=True)
class ParameterInfo:
    """What a parameter is, for people and for editors."""

    name: str
    kind: type
    default: Any
    doc: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    optional: bool
    is_tuple: bool


def parameter(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field of a :class:`Configurable`.

    Parameters
    ----------
    default : bool, int, float, str, None or tuple of these
    doc : str
        One sentence a clinician understands.
    unit : str
        UCUM-like unit shown to the user, e.g. ``"mm"``, ``"HU"``.
    minimum, maximum : float, optional
        Inclusive bounds; for tuples they hold for each element.
    choices : tuple of str
        Allowed values of a string parameter.
    """
    metadata = {"doc": doc, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Configurable:
    """Base of steps and settings: frozen, validated on construction, and made from or turned into plain JSON.

    Subclasses are frozen dataclasses that set `name` (the stable machine name used in presets and records) and
    `title` (what people read).
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for info in self.parameters():
            object.__setattr__(self, info.name, _checked(self, info, getattr(self, info.name)))

    @classmethod
    def parameters(cls) -> tuple[ParameterInfo, ...]:
        """Describe each parameter, in the order of declaration."""
        hints = typing.get_type_hints(cls)
        return tuple(_describe(field, hints[field.name]) for field in dataclasses.fields(cls))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]):
        """Make an instance from plain JSON values; unknown names are an error, not ignored."""
        known = {info.name for info in cls.parameters()}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InvalidSettingError(
                f"'{cls.name or cls.__name__}' has no parameter {', '.join(map(repr, unknown))}. "
                f"It has: {', '.join(sorted(known)) or 'none'}."
            )
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()})

    def settings(self) -> dict[str, Any]:
        """Return all parameters as plain JSON values; ``from_settings`` makes an equal instance of them."""
        values = {info.name: getattr(self, info.name) for info in self.parameters()}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _describe(field: dataclasses.Field, hint: Any) -> ParameterInfo:
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    is_tuple = typing.get_origin(hint) is tuple
    kind = typing.get_args(hint)[0] if is_tuple else hint
    return ParameterInfo(
        name=field.name,
        kind=kind,
        default=field.default,
        doc=field.metadata.get("doc", ""),
        unit=field.metadata.get("unit", ""),
        minimum=field.metadata.get("minimum"),
        maximum=field.metadata.get("maximum"),
        choices=field.metadata.get("choices", ()),
        optional=optional,
        is_tuple=is_tuple,
    )


def _checked(owner: Configurable, info: ParameterInfo, value: Any) -> Any:
    """Return `value` as the declared type, or raise with the parameter's name, bounds and the value given."""
    if value is None and info.optional:
        return None
    if info.is_tuple:
        if not isinstance(value, (tuple, list)):
            raise _refusal(owner, info, value, "must be a list")
        return tuple(_checked_scalar(owner, info, item) for item in value)
    return _checked_scalar(owner, info, value)


def _checked_scalar(owner: Configurable, info: ParameterInfo, value: Any) -> Scalar:
    if info.kind in (int, float) and isinstance(value, int) and not isinstance(value, bool):
        # Integers have no bound, and comparing or printing one of thousands of digits fails.
        if abs(value) > sys.float_info.max:
            raise _refusal(owner, info, value, "must be finite")
        value = info.kind(value)
    if type(value) is not info.kind:
        raise _refusal(owner, info, value, f"must be {info.kind.__name__}")
    if info.kind in (int, float):
        if not math.isfinite(value):
            raise _refusal(owner, info, value, "must be finite")
        if info.minimum is not None and value < info.minimum:
            raise _refusal(owner, info, value, f"must be at least {info.minimum:g}")
        if info.maximum is not None and value > info.maximum:
            raise _refusal(owner, info, value, f"must be at most {info.maximum:g}")
    if info.choices and value not in info.choices:
        raise _refusal(owner, info, value, f"must be one of {', '.join(info.choices)}")
    return value


def _refusal(owner: Configurable, info: ParameterInfo, value: Any, rule: str) -> InvalidSettingError:
    unit = f" {info.unit}" if info.unit else ""
    where = type(owner).name or type(owner).__name__
    return InvalidSettingError(f"{where}: '{info.name}' {rule}{unit}, but is {_shown(value)}.")


def _shown(value: Any) -> str:
    """Return the beginning of a value's text; Python refuses to print integers of thousands of digits."""
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return "a number beyond all bounds"
    return f"{value!r:.80}"
