"""What a descriptor may ask of rules: their names and parameters. The rules themselves live in `compat`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a rule.

    Attributes:
        name: Its name.
        type: A key of `TYPES`.
        required: Whether a descriptor must give it.
        default: Its value otherwise.
    """

    name: str
    type: str
    required: bool
    default: Any = None


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as descriptors see it.

    Attributes:
        name: Its name in kebab case.
        sentence: What must hold, with the parameters as `{name}`.
        params: By name.
    """

    name: str
    sentence: str
    params: Mapping[str, Param]


Catalogue = Mapping[str, RuleSpec]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_int(value) or isinstance(value, float)


def _each(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(map(check, value))


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


TYPES: Mapping[str, tuple[str, Callable[[Any], bool], Mapping[str, Any]]] = {
    "int": ("an integer", _is_int, {"type": "integer"}),
    "float": ("a number", _is_number, {"type": "number"}),
    "bool": ("true or false", lambda v: isinstance(v, bool), {"type": "boolean"}),
    "str": ("text", _is_str, {"type": "string"}),
    "int | None": ("an integer", _optional(_is_int), {"type": ["integer", "null"]}),
    "tuple[int, ...]": (
        "a list of integers",
        _each(_is_int),
        {"type": "array", "items": {"type": "integer"}},
    ),
    "tuple[str, ...]": ("a list of words", _each(_is_str), {"type": "array", "items": {"type": "string"}}),
}
"""Types of parameters as annotated: in words, a check, and their JSON Schema."""


def fitted(param: Param, value: Any) -> Any:
    """Returns a value as the rule takes it.

    Raises:
        ValueError: If it is not of the parameter's type; says which one is.
    """
    words, fits, _ = TYPES[param.type]
    if not fits(value):
        raise ValueError(words)
    return tuple(value) if isinstance(value, list) else value


def near(word: str, known: Mapping[str, Any]) -> str | None:
    """Returns advice for an unknown name."""
    if not known:
        return None
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(f'`{name}`' for name in sorted(known))}" if len(known) <= 12 else None
